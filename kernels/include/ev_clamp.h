/* Saturation to 8 and 16 bits. */
#ifndef EV_CLAMP_H
#define EV_CLAMP_H

#include <stdint.h>

static inline int8_t ev_clamp_s8(int32_t x)
{
    return (int8_t)(x < -128 ? -128 : x > 127 ? 127 : x);
}

static inline int16_t ev_clamp_s16(int32_t x)
{
    return (int16_t)(x < -32768 ? -32768 : x > 32767 ? 32767 : x);
}

#endif
