/* SPDX-License-Identifier: Apache-2.0 */
/* Results of 16 bits from lanes of 32, the even ones and the odd ones. */
#ifndef EV_HALVES_MVE_H
#define EV_HALVES_MVE_H

#include <arm_mve.h>

/* Each x >> shift, saturated. Shifted left until it is the upper half of its lane, it saturates with the lane. */
static inline int16x8_t ev_halves_mve(int32x4_t even, int32x4_t odd, int32_t shift)
{
    even = vqshlq_r_s32(even, 16 - shift);
    odd = vqshlq_r_s32(odd, 16 - shift);
    return vreinterpretq_s16_s32(vsriq_n_s32(odd, even, 16));
}

#endif
