/* SPDX-License-Identifier: Apache-2.0 */
/* A depthwise convolution by strips of pixels, of 8 or 16 bits. A kernel's file defines before it includes this: `ev_value`,
   the type of what is read and stored; `ev_pixel`, four channels of a pixel as they are loaded; CHANNELS; and what is done
   with them: `load_four`, `load_some` and `fill_four` of a pixel, `store_pair` to the tile, `requantize_value`. */
#ifndef EV_DEPTHWISE_DSP_H
#define EV_DEPTHWISE_DSP_H

#include <stdbool.h>
#include <stddef.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

/* Four channels at a time, a strip of pixels of each output row. The image rows under the strip are unpacked to a tile:
   of every two columns a word a channel, with their values as halves. An output whose window begins with the first
   column of a word multiplies the words by `even` weights (w0 w1) (w2 0), one whose window begins with the second by
   `odd` ones (0 w0) (w1 w2). Unpacked rows are reused by the output rows below. */
enum { STRIP = 16, OUTPUTS = 4 };

/* Kernel widths with a loop of their own, and their stride where it is 2. */
enum shape { ANY, WIDTH_3, WIDTH_5, WIDTH_7, WIDTH_3_STRIDE_2, WIDTH_5_STRIDE_2 };

struct taps {
    uint32_t even, odd;
};

struct strip {
    const struct ev_depthwise *p;
    enum shape shape;
    uint32_t words;        /* of a tap row of one channel */
    uint32_t row_stride;   /* words from one row of the tile to the next */
    uint32_t pairs;        /* of columns under the strip */
    struct taps *taps;     /* channel by channel, row by row */
    const uint32_t **rows; /* of the window, in the tile */
    int32_t *tile_rows;    /* the image row in each row of the tile, counted from the first of the padding; or -1 */
    uint32_t *tile;
    const int32_t *bias, *multiplier;
    uint32_t channels;      /* 4, or fewer at the end */
    int32_t left;           /* the first column */
    uint32_t pairs_at_left; /* not all inside the image */
    uint32_t pairs_inside;
};

/* Packed weights: taps 0, 2, 1, 3 are four bytes, for two words of `even` weights. Returns the next channels'. */
static const int8_t *unpack_taps(const struct strip *s, const int8_t *packed)
{
    struct taps *to = s->taps;
    for (uint32_t row = 0; row < CHANNELS * s->p->window.kernel_h; row++) {
        uint32_t previous = 0;
        for (uint32_t i = 0; i < s->words; i += 2, packed += 4) {
            const uint32_t bytes = ev_load4(packed);
            const uint32_t first = (uint32_t)ev_even_bytes(bytes), second = (uint32_t)ev_odd_bytes(bytes);
            *to++ = (struct taps){.even = first, .odd = previous >> 16 | first << 16};
            if (i + 1 < s->words)
                *to++ = (struct taps){.even = second, .odd = first >> 16 | second << 16};
            previous = second;
        }
    }
    return packed;
}

/* Loads the channels of one pixel. `x` is the image row, or null outside the image. */
static ev_pixel load_pixel(const struct strip *s, const ev_value *x, int32_t column)
{
    const struct ev_window *window = &s->p->window;
    if (x == NULL || column < 0 || column >= window->in_width)
        return fill_four(window->pad_value);
    x += (uint32_t)column * window->channels;
    return s->channels == CHANNELS ? load_four(x) : load_some(x, s->channels);
}

static uint32_t *unpack_edge(const struct strip *s, const ev_value *x, int32_t column, uint32_t *to, uint32_t count)
{
    for (; count > 0; count--, to += CHANNELS, column += 2)
        store_pair(to, load_pixel(s, x, column), load_pixel(s, x, column + 1));
    return to;
}

/* Unpacks the part of an image row that is under the strip. `x` is the image row, or null outside the image. */
static void unpack_row(const struct strip *s, const ev_value *x, uint32_t *to)
{
    const uint32_t pixel_stride = s->p->window.channels;
    if (x == NULL || s->channels < CHANNELS) {
        unpack_edge(s, x, s->left, to, s->pairs);
        return;
    }
    to = unpack_edge(s, x, s->left, to, s->pairs_at_left);
    const int32_t column = s->left + 2 * (int32_t)s->pairs_at_left;
    const ev_value *from = x + column * (int32_t)pixel_stride;
    EV_NO_UNROLL
    for (uint32_t i = s->pairs_inside; i > 0; i--, to += CHANNELS, from += 2 * pixel_stride)
        store_pair(to, load_four(from), load_four(from + pixel_stride));
    unpack_edge(s, x, column + 2 * (int32_t)s->pairs_inside, to, s->pairs - s->pairs_at_left - s->pairs_inside);
}

/* Points `rows` at the window's rows. The first is `first`, counted from the first of the padding. Rows that the tile
   lacks are unpacked over rows that are not needed any more. */
static void update_tile(const struct strip *s, const ev_value *x, uint32_t first)
{
    const struct ev_window *window = &s->p->window;
    for (uint32_t k = 0; k < window->kernel_h; k++) {
        const int32_t row = (int32_t)(first + k * window->dilation_y), image_row = row - window->pad_top;
        const uint32_t slot = window->dilation_y == 1 ? (uint32_t)row % window->kernel_h : k;
        uint32_t *tile = s->tile + slot * s->row_stride;
        s->rows[k] = tile;
        if (s->tile_rows[slot] == row)
            continue;
        s->tile_rows[slot] = row;
        const bool inside = image_row >= 0 && image_row < window->in_height;
        const uint32_t pixels = inside ? (uint32_t)image_row % window->in_ring * window->in_width : 0;
        unpack_row(s, inside ? x + pixels * window->channels : NULL, tile);
    }
}

/* Adds one tap row of the windows of four outputs; the first begins at `from`. `words` and `stride` are constants. */
EV_INLINE void add_row(int32_t acc[OUTPUTS], const uint32_t *from, const struct taps *w, uint32_t words,
                       uint32_t stride)
{
    const uint32_t last = (OUTPUTS - 1) * stride / 2;
    uint32_t x[OUTPUTS];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < last; i++)
        x[i] = from[i * CHANNELS];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < words; i++) {
        x[last] = from[(i + last) * CHANNELS];
#pragma GCC unroll 4
        for (uint32_t o = 0; o < OUTPUTS; o++)
            acc[o] = __smlad((int16x2_t)x[o * stride / 2], (int16x2_t)(o * stride % 2 ? w[i].odd : w[i].even), acc[o]);
#pragma GCC unroll 4
        for (uint32_t o = 0; o < last; o++)
            x[o] = x[o + 1];
    }
#pragma GCC unroll 4
    for (uint32_t o = 0; o < OUTPUTS; o++)
        EV_OPAQUE(acc[o]);
}

/* Stores four outputs, or the first `count`. Returns the place of the next four. */
EV_INLINE ev_value *store_outputs(const int32_t acc[OUTPUTS], int32_t multiplier, ev_value *y, uint32_t pixel_stride,
                                int32_t count)
{
    y[0] = requantize_value(acc[0], multiplier);
    if (count >= OUTPUTS) {
        y[pixel_stride] = requantize_value(acc[1], multiplier);
        y[2 * pixel_stride] = requantize_value(acc[2], multiplier);
        y[3 * pixel_stride] = requantize_value(acc[3], multiplier);
    } else if (count > 1) {
        y[pixel_stride] = requantize_value(acc[1], multiplier);
        if (count > 2)
            y[2 * pixel_stride] = requantize_value(acc[2], multiplier);
    }
    return y + OUTPUTS * pixel_stride;
}

/* `count` outputs of all channels, four by four. The loop over three tap rows is unrolled. */
EV_INLINE void convolve_fours(const struct strip *s, ev_value *y, uint32_t count, uint32_t words, uint32_t stride)
{
    const uint32_t *const *const rows = s->rows;
    const uint32_t kernel_h = s->p->window.kernel_h, pixel_stride = s->p->window.channels;
    const struct taps *w = s->taps;
    for (uint32_t c = 0; c < s->channels; c++, w += kernel_h * words) {
        const int32_t bias = s->bias[c], multiplier = s->multiplier[c];
        uint32_t x = c;
        ev_value *to = y + c;
        EV_NO_UNROLL
        for (int32_t left = (int32_t)count; left > 0; left -= OUTPUTS, x += OUTPUTS / 2 * stride * CHANNELS) {
            int32_t acc[OUTPUTS] = {bias, bias, bias, bias};
            if (words == 2) {
                add_row(acc, rows[0] + x, w, words, stride);
                add_row(acc, rows[1] + x, w + words, words, stride);
                add_row(acc, rows[2] + x, w + 2 * words, words, stride);
            } else {
                const struct taps *from = w;
                EV_NO_UNROLL
                for (uint32_t k = 0; k < kernel_h; k++, from += words)
                    add_row(acc, rows[k] + x, from, words, stride);
            }
            to = store_outputs(acc, multiplier, to, pixel_stride, left);
        }
    }
}

/* Outputs one by one, of windows of any size and stride. */
static void convolve_any(const struct strip *s, ev_value *y, uint32_t count)
{
    const struct ev_window *window = &s->p->window;
    const uint32_t kernel_h = window->kernel_h, stride = window->stride_x;
    const struct taps *taps = s->taps;
    for (uint32_t c = 0; c < s->channels; c++, taps += kernel_h * s->words)
        for (uint32_t o = 0; o < count; o++) {
            const struct taps *w = taps;
            int32_t acc = s->bias[c];
            for (uint32_t k = 0; k < kernel_h; k++) {
                const uint32_t *x = s->rows[k] + o * stride / 2 * CHANNELS + c;
                for (uint32_t i = 0; i < s->words; i++, w++, x += CHANNELS)
                    acc = __smlad((int16x2_t)*x, (int16x2_t)(o * stride % 2 ? w->odd : w->even), acc);
            }
            y[o * window->channels + c] = requantize_value(acc, s->multiplier[c]);
        }
}

/* noinline: its loops need all registers. */
EV_NOINLINE static void convolve_row(const struct strip *s, ev_value *y, uint32_t count)
{
    switch (s->shape) {
    case WIDTH_3:
        convolve_fours(s, y, count, 2, 1);
        break;
    case WIDTH_5:
        convolve_fours(s, y, count, 3, 1);
        break;
    case WIDTH_7:
        convolve_fours(s, y, count, 4, 1);
        break;
    case WIDTH_3_STRIDE_2:
        convolve_fours(s, y, count, 2, 2);
        break;
    case WIDTH_5_STRIDE_2:
        convolve_fours(s, y, count, 3, 2);
        break;
    default:
        convolve_any(s, y, count);
    }
}

/* Moves the strip to `count` outputs; the window of the first begins at column `left`. */
static void move_strip(struct strip *s, int32_t left, uint32_t count)
{
    const struct ev_window *window = &s->p->window;
    const uint32_t columns = (count - 1) * window->stride_x + window->dilation_x * (window->kernel_w - 1u) + 1;
    const int32_t width = window->in_width, right = left + (int32_t)columns;
    s->left = left;
    s->pairs = (columns + 1) / 2;
    s->pairs_at_left = left < 0 ? (uint32_t)(1 - left) / 2 : 0;
    const int32_t from = left + 2 * (int32_t)s->pairs_at_left, end = right < width ? right : width;
    s->pairs_inside = end > from ? (uint32_t)(end - from) / 2 : 0;
    memset(s->tile_rows, -1, s->p->window.kernel_h * sizeof *s->tile_rows);
}

/* By the words of a tap row. Of width 3 only square windows have a loop. */
static enum shape shape_of(const struct ev_window *window, uint32_t words)
{
    if (window->stride_x > 2 || words > 4 || words < 2 || (words == 2 && window->kernel_h != 3))
        return ANY;
    if (window->stride_x == 1)
        return words == 2 ? WIDTH_3 : words == 3 ? WIDTH_5 : WIDTH_7;
    return words == 2 ? WIDTH_3_STRIDE_2 : words == 3 ? WIDTH_5_STRIDE_2 : ANY;
}

static struct strip strip_of(const struct ev_depthwise *p, uint32_t outputs, void *scratch)
{
    const struct ev_window *window = &p->window;
    const uint32_t words = (window->dilation_x * (window->kernel_w - 1u) + 1) / 2 + 1;
    const uint32_t row_stride = ((outputs - 1) * window->stride_x / 2 + words) * CHANNELS;
    struct strip s = {
        .p = p, .shape = shape_of(window, words), .words = words, .row_stride = row_stride, .tile = scratch,
    };
    s.taps = (struct taps *)(s.tile + window->kernel_h * row_stride);
    s.tile_rows = (int32_t *)(s.taps + CHANNELS * window->kernel_h * words);
    s.rows = (const uint32_t **)(s.tile_rows + window->kernel_h);
    return s;
}

EV_INLINE void ev_depthwise_strips(const struct ev_depthwise *p, const ev_value *x, ev_value *y, uint32_t first,
                                   uint32_t rows, void *scratch)
{
    const struct ev_window *window = &p->window;
    EV_ASSERT_WINDOW(window, x, y, window->channels, first, rows);
    EV_ASSERT(ev_all_positive(p->multiplier, window->channels));
    EV_ASSERT(ev_aligned(scratch, 16));
    const uint32_t width = window->out_width, channels = window->channels;
    const uint32_t outputs = width < STRIP ? (width + OUTPUTS - 1) / OUTPUTS * OUTPUTS : STRIP;
    struct strip s = strip_of(p, outputs, scratch);
    const int8_t *weight = p->weight;
    for (uint32_t c = 0; c < channels; c += CHANNELS) {
        s.channels = channels - c < CHANNELS ? channels - c : CHANNELS;
        s.bias = p->bias + c;
        s.multiplier = p->multiplier + c;
        weight = unpack_taps(&s, weight);
        for (uint32_t column = 0; column < width; column += outputs) {
            const uint32_t count = width - column < outputs ? width - column : outputs;
            move_strip(&s, (int32_t)(column * window->stride_x) - window->pad_left, count);
            for (uint32_t row = first; row < first + rows; row++) {
                ev_value *out = y + (row % window->out_ring * width + column) * channels + c;
                update_tile(&s, x + c, row * window->stride_y);
                convolve_row(&s, out, count);
            }
        }
    }
}

#endif
