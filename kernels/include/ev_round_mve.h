/* SPDX-License-Identifier: Apache-2.0 */
/* The one rounding rule in vectors, mirrored by edgevit/integer/rounding.py: VRMULH, then saturation. */
#ifndef EV_ROUND_MVE_H
#define EV_ROUND_MVE_H

#include <arm_mve.h>

/* The lowest byte of each lane is the result. */
static inline int32x4_t ev_requantize_mve(int32x4_t acc, int32x4_t multiplier)
{
    const int16x8_t halves = vqmovnbq_s32(vuninitializedq_s16(), vrmulhq_s32(acc, multiplier));
    return vreinterpretq_s32_s8(vqmovnbq_s16(vuninitializedq_s8(), halves));
}

/* The lower byte of each lane of 16 bits, from lanes of 32: the even ones and the odd ones. */
static inline int16x8_t ev_requantize_halves_mve(int32x4_t even, int32x4_t even_multiplier, int32x4_t odd,
                                                 int32x4_t odd_multiplier)
{
    int16x8_t halves = vqmovnbq_s32(vuninitializedq_s16(), vrmulhq_s32(even, even_multiplier));
    halves = vqmovntq_s32(halves, vrmulhq_s32(odd, odd_multiplier));
    return vreinterpretq_s16_s8(vqmovnbq_s16(vuninitializedq_s8(), halves));
}

/* Moves four sums from core registers to lanes. */
static inline int32x4_t ev_lanes_mve(int32_t a, int32_t b, int32_t c, int32_t d)
{
    int32x4_t all = vuninitializedq_s32();
    all = vsetq_lane_s32(a, all, 0);
    all = vsetq_lane_s32(b, all, 1);
    all = vsetq_lane_s32(c, all, 2);
    return vsetq_lane_s32(d, all, 3);
}

#endif
