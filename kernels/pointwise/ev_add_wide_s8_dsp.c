/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_clamp.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

static inline uint32_t saturate_two(int32_t first, int32_t second, uint32_t shift)
{
    return ev_low_halves(ev_clamp_s16(first >> shift), ev_clamp_s16(second >> shift));
}

void ev_add_wide_s8_dsp(const struct ev_add_wide *p, const int16_t *a, const int8_t *b, int16_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_add_wide(p, 1 << 7));
    EV_ASSERT(ev_same_or_disjoint(a, y, 2 * count));
    EV_ASSERT(ev_disjoint(b, count, y, 2 * count));
    const int32_t a_factor = p->a_factor, b_factor = p->b_factor, offset = p->offset;
    const uint32_t shift = p->shift;
    EV_NO_UNROLL
    for (uint32_t i = count / 4; i; i--, a += 4, b += 4, y += 4) {
        const int32_t a01 = (int32_t)ev_load4(a), a23 = (int32_t)ev_load4(a + 2);
        const uint32_t bytes = ev_load4(b);
        const int32_t even = ev_even_bytes(bytes), odd = ev_odd_bytes(bytes);
        const int32_t y0 = __smlabb(even, b_factor, __smlabb(a01, a_factor, offset));
        const int32_t y1 = __smlabb(odd, b_factor, __smlatb(a01, a_factor, offset));
        ev_store4(y, saturate_two(y0, y1, shift));
        const int32_t y2 = __smlatb(even, b_factor, __smlabb(a23, a_factor, offset));
        const int32_t y3 = __smlatb(odd, b_factor, __smlatb(a23, a_factor, offset));
        ev_store4(y + 2, saturate_two(y2, y3, shift));
        EV_OPAQUE_PTR(y);
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 4; i; i--)
        *y++ = (int16_t)ev_clamp_s16((offset + *a++ * a_factor + *b++ * b_factor) >> shift);
}
