/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_clamp.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

static inline uint32_t add_two(const struct ev_add_wide *p, int32_t a, int32_t b)
{
    const int32_t low = __smlabb(b, p->b_factor, __smlabb(a, p->a_factor, p->offset));
    const int32_t high = __smlatb(b, p->b_factor, __smlatb(a, p->a_factor, p->offset));
    return ev_low_halves(ev_clamp_s16(low >> p->shift), ev_clamp_s16(high >> p->shift));
}

void ev_add_wide_s16_dsp(const struct ev_add_wide *p, const int16_t *a, const int16_t *b, int16_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_add_wide(p, 1 << 15));
    EV_ASSERT(ev_same_or_disjoint(a, y, 2 * count));
    EV_ASSERT(ev_same_or_disjoint(b, y, 2 * count));
    const struct ev_add_wide add = *p;
    EV_NO_UNROLL
    for (uint32_t i = count / 4; i; i--, a += 4, b += 4, y += 4) {
        const int32_t a01 = (int32_t)ev_load4(a), a23 = (int32_t)ev_load4(a + 2);
        const int32_t b01 = (int32_t)ev_load4(b), b23 = (int32_t)ev_load4(b + 2);
        ev_store4(y, add_two(&add, a01, b01));
        ev_store4(y + 2, add_two(&add, a23, b23));
        EV_OPAQUE_PTR(y);
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 4; i; i--)
        *y++ = (int16_t)ev_clamp_s16((add.offset + *a++ * add.a_factor + *b++ * add.b_factor) >> add.shift);
}
