#include "ev_clamp.h"
#include "ev_kernels.h"
#include "ev_loops.h"

void ev_add_wide_s8(const struct ev_add_wide *p, const int16_t *a, const int8_t *b, int16_t *y, uint32_t count)
{
    const int32_t left = p->left, right = p->right, offset = p->offset;
    const uint32_t shift = p->shift;
    EV_BY_FOUR
    for (uint32_t i = 0; i < count; i++)
        y[i] = (int16_t)ev_clamp_s16((offset + a[i] * left + b[i] * right) >> shift);
}
