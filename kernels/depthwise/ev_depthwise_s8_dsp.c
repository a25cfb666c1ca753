/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "ev_lanes_dsp.h"
#include "ev_round_dsp.h"

enum { CHANNELS = 4 };
typedef int8_t ev_value;
typedef uint32_t ev_pixel;

static inline ev_pixel fill_four(int8_t value)
{
    return (uint8_t)value * 0x01010101u;
}

static inline ev_pixel load_some(const int8_t *x, uint32_t count)
{
    ev_pixel pixel = 0;
    for (; count > 0; count--)
        pixel = pixel << 8 | (uint8_t)x[count - 1];
    return pixel;
}

/* Interleaves two pixels: a word a channel. */
static inline void store_pair(uint32_t *to, uint32_t stride, ev_pixel left, ev_pixel right)
{
    const uint32_t low = ev_low_halves((int32_t)left, (int32_t)right);
    const uint32_t high = ev_high_halves((int32_t)left, (int32_t)right);
    to[0] = (uint32_t)ev_even_bytes(low);
    to[stride] = (uint32_t)ev_odd_bytes(low);
    to[2 * stride] = (uint32_t)ev_even_bytes(high);
    to[3 * stride] = (uint32_t)ev_odd_bytes(high);
}

static inline int8_t requantize_value(int32_t acc, int32_t multiplier)
{
    return ev_requantize_dsp(acc, multiplier);
}

#define ev_depthwise_row ev_depthwise_row_s8_dsp
#define ev_depthwise_unpack ev_depthwise_unpack_s8_dsp
#include "ev_depthwise_dsp.h"

void ev_depthwise_s8_dsp(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                         void *scratch)
{
    ev_depthwise_strips(p, x, y, first, rows, scratch);
}
