/* The one rounding rule, mirrored by edgevit/integer/rounding.py. */
#ifndef EV_ROUND_H
#define EV_ROUND_H

#include <stdint.h>

static inline int8_t ev_requantize(int32_t acc, int32_t multiplier)
{
    int32_t y = (int32_t)(((int64_t)acc * multiplier + ((int64_t)1 << 31)) >> 32);
    return (int8_t)(y < -128 ? -128 : y > 127 ? 127 : y);
}

#endif
