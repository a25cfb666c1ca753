/* SPDX-License-Identifier: Apache-2.0 */
/* The one rounding rule in two of Arm's DSP instructions; ev_round.h is the same in C. */
#ifndef EV_ROUND_DSP_H
#define EV_ROUND_DSP_H

#include <stdint.h>

#include "ev_clamp.h"

static inline int8_t ev_requantize_dsp(int32_t acc, int32_t multiplier)
{
    int32_t y;
    __asm__("smmulr %0, %1, %2" : "=r"(y) : "r"(acc), "r"(multiplier));
    return (int8_t)ev_clamp_s8(y);
}

static inline int16_t ev_requantize_s16_dsp(int32_t acc, int32_t multiplier)
{
    int32_t y;
    __asm__("smmulr %0, %1, %2" : "=r"(y) : "r"(acc), "r"(multiplier));
    return (int16_t)ev_clamp_s16(y);
}

#endif
