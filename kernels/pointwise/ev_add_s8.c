#include "ev_clamp.h"
#include "ev_kernels.h"
#include "ev_loops.h"

void ev_add_s8(const struct ev_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    const int32_t left = p->left, right = p->right, offset = p->offset;
    const uint32_t shift = p->shift;
    EV_BY_FOUR
    for (uint32_t i = 0; i < count; i++)
        y[i] = (int8_t)ev_clamp_s8((offset + (a[i] * left >> 8) + (b[i] * right >> 8)) >> shift);
}
