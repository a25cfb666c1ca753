/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_clamp.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

void ev_rescale_to_s16_dsp(const struct ev_rescale *p, const int8_t *x, int16_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_rescale(p));
    EV_ASSERT(ev_disjoint(x, count, y, 2 * count));
    const int32_t factor = p->factor, offset = p->offset;
    const uint32_t shift = p->shift;
    EV_NO_UNROLL
    for (uint32_t i = count / 4; i; i--, x += 4, y += 4) {
        const uint32_t bytes = ev_load4(x);
        const int32_t even = ev_even_bytes(bytes), odd = ev_odd_bytes(bytes);
        const int32_t y0 = ev_clamp_s16(__smlabb(even, factor, offset) >> shift);
        const int32_t y1 = ev_clamp_s16(__smlabb(odd, factor, offset) >> shift);
        const int32_t y2 = ev_clamp_s16(__smlatb(even, factor, offset) >> shift);
        const int32_t y3 = ev_clamp_s16(__smlatb(odd, factor, offset) >> shift);
        ev_store4(y, ev_low_halves(y0, y1));
        ev_store4(y + 2, ev_low_halves(y2, y3));
        EV_OPAQUE_PTR(y);
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 4; i; i--)
        *y++ = (int16_t)ev_clamp_s16((*x++ * factor + offset) >> shift);
}
