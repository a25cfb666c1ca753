/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>

#include "ev_contract.h"
#include "ev_kernels_mve.h"
#include "ev_round_mve.h"

/* The lower byte of each lane is the result. */
static inline int16x8_t multiply_lanes(const struct ev_multiply *p, int16x8_t a, int16x8_t b)
{
    const int32x4_t multiplier = vdupq_n_s32(p->multiplier);
    a = vsubq_n_s16(a, p->a_zero);
    b = vsubq_n_s16(b, p->b_zero);
    const int32x4_t even = vaddq_n_s32(vmullbq_int_s16(a, b), p->bias);
    const int32x4_t odd = vaddq_n_s32(vmulltq_int_s16(a, b), p->bias);
    return ev_requantize_halves_mve(even, multiplier, odd, multiplier);
}

static inline void multiply_period(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y,
                                   uint32_t count)
{
    for (uint32_t blocks = count / 8; blocks; blocks--, a += 8, b += 8, y += 8)
        vstrbq_s16(y, multiply_lanes(p, vldrbq_s16(a), vldrbq_s16(b)));
    const mve_pred16_t tail = vctp16q(count % 8);
    vstrbq_p_s16(y, multiply_lanes(p, vldrbq_z_s16(a, tail), vldrbq_z_s16(b, tail)), tail);
}

void ev_multiply_s8_mve(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_multiply(p, count));
    EV_ASSERT(ev_same_or_disjoint(a, y, count));
    EV_ASSERT(p->b_period ? ev_disjoint(b, p->b_period, y, count) : ev_same_or_disjoint(b, y, count));
    const struct ev_multiply multiply = *p;
    const uint32_t period = p->b_period ? p->b_period : count;
    for (; count > period; count -= period, a += period, y += period)
        multiply_period(&multiply, a, b, y, period);
    multiply_period(&multiply, a, b, y, count);
}
