#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

static inline uint32_t add_two(const struct ev_add_wide *p, int32_t a, int32_t b)
{
    const int32_t low = __smlabb(b, p->right, __smlabb(a, p->left, p->offset));
    const int32_t high = __smlatb(b, p->right, __smlatb(a, p->left, p->offset));
    return ev_low_halves(__ssat(low >> p->shift, 16), __ssat(high >> p->shift, 16));
}

void ev_add_wide_s16_dsp(const struct ev_add_wide *p, const int16_t *a, const int16_t *b, int16_t *y, uint32_t count)
{
    const struct ev_add_wide kept = *p;
    EV_AS_WRITTEN
    for (uint32_t i = count / 4; i; i--, a += 4, b += 4, y += 4) {
        const int32_t a01 = (int32_t)ev_load4(a), a23 = (int32_t)ev_load4(a + 2);
        const int32_t b01 = (int32_t)ev_load4(b), b23 = (int32_t)ev_load4(b + 2);
        ev_store4(y, add_two(&kept, a01, b01));
        ev_store4(y + 2, add_two(&kept, a23, b23));
        EV_POINTER(y);
    }
    EV_AS_WRITTEN
    for (uint32_t i = count % 4; i; i--)
        *y++ = (int16_t)__ssat((kept.offset + *a++ * kept.left + *b++ * kept.right) >> kept.shift, 16);
}
