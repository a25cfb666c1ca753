/* SPDX-License-Identifier: Apache-2.0 */
/* The one rounding rule, mirrored by edgevit/integer/rounding.py. */
#ifndef EV_ROUND_H
#define EV_ROUND_H

#include <stdint.h>

#include "ev_clamp.h"

#if defined(__ARM_ARCH_6M__)

/* (acc * multiplier + 2^31) >> 32 where no instruction multiplies to 64 bits: in halves, each sum of which has room. */
static inline int32_t ev_scale(int32_t acc, int32_t multiplier)
{
    const uint32_t low = (uint32_t)acc & 0xffff, m_low = (uint32_t)multiplier & 0xffff;
    const int32_t high = acc >> 16, m_high = multiplier >> 16;
    const int32_t one = high * (int32_t)m_low + (int32_t)(low * m_low >> 16);
    const int32_t other = (int32_t)low * m_high + (int32_t)((uint32_t)one & 0xffff);
    return high * m_high + (one >> 16) + ((other + 0x8000) >> 16);
}

#else

/* (acc * multiplier + 2^31) >> 32: the high word, and the highest bit of the low one. */
static inline int32_t ev_scale(int32_t acc, int32_t multiplier)
{
    const int64_t product = (int64_t)acc * multiplier;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
}

#endif

static inline int8_t ev_requantize(int32_t acc, int32_t multiplier)
{
    return (int8_t)ev_clamp_s8(ev_scale(acc, multiplier));
}

static inline int16_t ev_requantize_s16(int32_t acc, int32_t multiplier)
{
    return (int16_t)ev_clamp_s16(ev_scale(acc, multiplier));
}

#endif
