#include "ev_clamp.h"
#include "ev_kernels.h"

void ev_rescale_to_s8(const struct ev_rescale *p, const int16_t *x, int8_t *y, uint32_t count)
{
    const int32_t factor = p->factor, offset = p->offset;
    const uint32_t shift = p->shift;
    for (uint32_t i = 0; i < count; i++)
        y[i] = ev_clamp_s8((x[i] * factor + offset) >> shift);
}
