/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_clamp.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

void ev_rescale_to_s8_dsp(const struct ev_rescale *p, const int16_t *x, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_rescale(p));
    EV_ASSERT(ev_disjoint(x, 2 * count, y, count));
    const int32_t factor = p->factor, offset = p->offset;
    const uint32_t shift = p->shift;
    EV_NO_UNROLL
    for (uint32_t i = count / 8; i; i--, x += 8, y += 8) {
        const int32_t x01 = (int32_t)ev_load4(x), x23 = (int32_t)ev_load4(x + 2);
        const int32_t x45 = (int32_t)ev_load4(x + 4), x67 = (int32_t)ev_load4(x + 6);
        y[0] = (int8_t)ev_clamp_s8(__smlabb(x01, factor, offset) >> shift);
        y[1] = (int8_t)ev_clamp_s8(__smlatb(x01, factor, offset) >> shift);
        y[2] = (int8_t)ev_clamp_s8(__smlabb(x23, factor, offset) >> shift);
        y[3] = (int8_t)ev_clamp_s8(__smlatb(x23, factor, offset) >> shift);
        y[4] = (int8_t)ev_clamp_s8(__smlabb(x45, factor, offset) >> shift);
        y[5] = (int8_t)ev_clamp_s8(__smlatb(x45, factor, offset) >> shift);
        y[6] = (int8_t)ev_clamp_s8(__smlabb(x67, factor, offset) >> shift);
        y[7] = (int8_t)ev_clamp_s8(__smlatb(x67, factor, offset) >> shift);
        EV_OPAQUE_PTR(y);
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 8; i; i--)
        *y++ = (int8_t)ev_clamp_s8((*x++ * factor + offset) >> shift);
}
