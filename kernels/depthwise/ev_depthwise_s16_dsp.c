/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "ev_lanes_dsp.h"
#include "ev_round_dsp.h"

enum { CHANNELS = 4 };
typedef int16_t ev_value;
typedef struct {
    uint32_t low, high; /* two channels each */
} ev_pixel;

static inline ev_pixel fill_four(int8_t value)
{
    const uint32_t halves = (uint16_t)value * 0x00010001u;
    return (ev_pixel){.low = halves, .high = halves};
}

static inline ev_pixel load_four(const int16_t *x)
{
    return (ev_pixel){.low = ev_load4(x), .high = ev_load4(x + 2)};
}

static inline ev_pixel load_some(const int16_t *x, uint32_t count)
{
    int16_t four[CHANNELS] = {0};
    memcpy(four, x, count * sizeof *four);
    return load_four(four);
}

/* Interleaves two pixels: a word a channel. */
static inline void store_pair(uint32_t *to, uint32_t stride, ev_pixel left, ev_pixel right)
{
    to[0] = ev_low_halves((int32_t)left.low, (int32_t)right.low);
    to[stride] = ev_high_halves((int32_t)left.low, (int32_t)right.low);
    to[2 * stride] = ev_low_halves((int32_t)left.high, (int32_t)right.high);
    to[3 * stride] = ev_high_halves((int32_t)left.high, (int32_t)right.high);
}

static inline int16_t requantize_value(int32_t acc, int32_t multiplier)
{
    return ev_requantize_s16_dsp(acc, multiplier);
}

#define ev_depthwise_row ev_depthwise_row_s16_dsp
#define ev_depthwise_unpack ev_depthwise_unpack_s16_dsp
#include "ev_depthwise_dsp.h"

void ev_depthwise_s16_dsp(const struct ev_depthwise *p, const int16_t *x, int16_t *y, uint32_t first, uint32_t rows,
                          void *scratch)
{
    ev_depthwise_strips(p, x, y, first, rows, scratch);
}
