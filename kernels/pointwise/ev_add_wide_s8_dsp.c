#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

static inline uint32_t narrow_two(int32_t first, int32_t second, uint32_t shift)
{
    return ev_low_halves(__ssat(first >> shift, 16), __ssat(second >> shift, 16));
}

void ev_add_wide_s8_dsp(const struct ev_add_wide *p, const int16_t *a, const int8_t *b, int16_t *y, uint32_t count)
{
    const int32_t left = p->left, right = p->right, offset = p->offset;
    const uint32_t shift = p->shift;
    EV_AS_WRITTEN
    for (uint32_t i = count / 4; i; i--, a += 4, b += 4, y += 4) {
        const int32_t a01 = (int32_t)ev_load4(a), a23 = (int32_t)ev_load4(a + 2);
        const uint32_t bytes = ev_load4(b);
        const int32_t even = ev_even_bytes(bytes), odd = ev_odd_bytes(bytes);
        const int32_t y0 = __smlabb(even, right, __smlabb(a01, left, offset));
        const int32_t y1 = __smlabb(odd, right, __smlatb(a01, left, offset));
        ev_store4(y, narrow_two(y0, y1, shift));
        const int32_t y2 = __smlatb(even, right, __smlabb(a23, left, offset));
        const int32_t y3 = __smlatb(odd, right, __smlatb(a23, left, offset));
        ev_store4(y + 2, narrow_two(y2, y3, shift));
        EV_POINTER(y);
    }
    EV_AS_WRITTEN
    for (uint32_t i = count % 4; i; i--)
        *y++ = (int16_t)__ssat((offset + *a++ * left + *b++ * right) >> shift, 16);
}
