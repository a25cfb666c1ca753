/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_halves_mve.h"
#include "ev_kernels_mve.h"

static inline int16x8_t rescale_lanes(const struct ev_rescale *p, int16x8_t x)
{
    const int16x8_t factor = vdupq_n_s16(p->factor);
    const int32x4_t even = vaddq_n_s32(vmullbq_int_s16(x, factor), p->offset);
    const int32x4_t odd = vaddq_n_s32(vmulltq_int_s16(x, factor), p->offset);
    return ev_halves_mve(even, odd, p->shift);
}

void ev_rescale_to_s16_mve(const struct ev_rescale *p, const int8_t *x, int16_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_rescale(p));
    EV_ASSERT(ev_disjoint(x, count, y, 2 * count));
    const struct ev_rescale rescale = *p;
    for (uint32_t blocks = count / 8; blocks; blocks--, x += 8, y += 8)
        vstrhq_s16(y, rescale_lanes(&rescale, vldrbq_s16(x)));
    const mve_pred16_t tail = vctp16q(count % 8);
    vstrhq_p_s16(y, rescale_lanes(&rescale, vldrbq_z_s16(x, tail)), tail);
}
