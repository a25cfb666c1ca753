/* SPDX-License-Identifier: Apache-2.0 */
/* Saturation to 8 and 16 bits: an instruction where there is one, else a test that mostly passes. */
#ifndef EV_CLAMP_H
#define EV_CLAMP_H

#include <stdint.h>

#if defined(__ARM_FEATURE_SAT)

#include <arm_acle.h>

/* gcc 12 converts in its own macro. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"

static inline int32_t ev_clamp_s8(int32_t x)
{
    return __ssat(x, 8);
}

static inline int32_t ev_clamp_s16(int32_t x)
{
    return __ssat(x, 16);
}

#pragma GCC diagnostic pop

#else

static inline int32_t ev_clamp_s8(int32_t x)
{
    if ((uint32_t)x + 128 > 255)
        return x < 0 ? -128 : 127;
    return x;
}

static inline int32_t ev_clamp_s16(int32_t x)
{
    if ((uint32_t)x + 32768 > 65535)
        return x < 0 ? -32768 : 32767;
    return x;
}

#endif

#endif
