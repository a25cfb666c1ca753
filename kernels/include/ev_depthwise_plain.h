/* SPDX-License-Identifier: Apache-2.0 */
/* A depthwise convolution in portable C. A kernel's file defines `ev_value`, the type of what is read
   and stored, and `requantize_value` before it includes this. */
#ifndef EV_DEPTHWISE_PLAIN_H
#define EV_DEPTHWISE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"
#include "ev_round.h"

enum { CHANNELS = 4 }; /* accumulated at once: as many as the registers hold */

/* The window's top left tap, in pixels of the input. */
struct origin {
    int32_t top, left;
    bool inside; /* all of the window is in the image */
};

static inline uint32_t ring_index(const struct ev_window *window, int32_t row)
{
    return (uint32_t)row < window->in_ring ? (uint32_t)row : (uint32_t)row % window->in_ring;
}

EV_INLINE void start_sums(int32_t acc[CHANNELS], const int32_t *bias, int count)
{
#pragma GCC unroll 4
    for (int c = 0; c < count; c++)
        acc[c] = bias[c];
}

EV_INLINE void add_tap(int32_t acc[CHANNELS], const ev_value *x, const int8_t *w, int count)
{
#pragma GCC unroll 4
    for (int c = 0; c < count; c++) {
        acc[c] += x[c] * w[c];
        EV_OPAQUE(acc[c]);
    }
}

EV_INLINE void store_sums(const int32_t acc[CHANNELS], const int32_t *multiplier, ev_value *y, int count)
{
#pragma GCC unroll 4
    for (int c = 0; c < count; c++)
        y[c] = requantize_value(acc[c], multiplier[c]);
}

/* `count` channels from `first` on of one output pixel whose window is inside the image. */
EV_INLINE void convolve_inside(const struct ev_depthwise *p, const struct origin *origin, const ev_value *x,
                               ev_value *y, uint32_t first, int count)
{
    const struct ev_window *window = &p->window;
    const uint32_t channels = window->channels, tap_stride = window->dilation_x * channels;
    const uint32_t row_values = window->in_width * channels, row_step = window->dilation_y * row_values;
    const uint32_t ring_values = window->in_ring * row_values;
    const int8_t *w = p->weight + first;
    int32_t acc[CHANNELS];
    uint32_t offset = ring_index(window, origin->top) * row_values;
    x += (uint32_t)origin->left * channels + first;
    start_sums(acc, p->bias + first, count);
    EV_NO_UNROLL
    for (uint32_t i = window->kernel_h; i > 0; i--) {
        const ev_value *tap = x + offset;
        EV_NO_UNROLL
        for (uint32_t k = window->kernel_w; k > 0; k--, tap += tap_stride, w += channels)
            add_tap(acc, tap, w, count);
        offset += row_step;
        while (offset >= ring_values)
            offset -= ring_values;
    }
    store_sums(acc, p->multiplier + first, y + first, count);
}

/* The same, with taps outside the image read from the padding. */
EV_INLINE void convolve_edge(const struct ev_depthwise *p, const struct origin *origin, const ev_value *x,
                             ev_value *y, uint32_t first, int count)
{
    const struct ev_window *window = &p->window;
    const ev_value pad[CHANNELS] = {window->pad_value, window->pad_value, window->pad_value, window->pad_value};
    const int8_t *w = p->weight + first;
    int32_t acc[CHANNELS];
    int32_t row = origin->top;
    start_sums(acc, p->bias + first, count);
    for (uint32_t i = window->kernel_h; i > 0; i--, row += window->dilation_y) {
        const ev_value *x_row = NULL;
        if (row >= 0 && row < window->in_height)
            x_row = x + ring_index(window, row) * window->in_width * window->channels + first;
        int32_t column = origin->left;
        EV_NO_UNROLL
        for (uint32_t k = window->kernel_w; k > 0; k--, column += window->dilation_x, w += window->channels) {
            const bool inside = x_row && column >= 0 && column < window->in_width;
            add_tap(acc, inside ? x_row + (uint32_t)column * window->channels : pad, w, count);
        }
    }
    store_sums(acc, p->multiplier + first, y + first, count);
}

static struct origin origin_of(const struct ev_window *window, uint32_t row, uint32_t column)
{
    const int32_t top = (int32_t)(row * window->stride_y) - window->pad_top;
    const int32_t left = (int32_t)(column * window->stride_x) - window->pad_left;
    const bool rows_inside = top >= 0 && top + window->dilation_y * (window->kernel_h - 1) < window->in_height;
    const bool columns_inside = left >= 0 && left + window->dilation_x * (window->kernel_w - 1) < window->in_width;
    return (struct origin){.top = top, .left = left, .inside = rows_inside && columns_inside};
}

/* noinline: both in one loop they spill. */
EV_NOINLINE static void convolve_four_channels(const struct ev_depthwise *p, const struct origin *origin,
                                               const ev_value *x, ev_value *y, uint32_t first)
{
    if (origin->inside)
        convolve_inside(p, origin, x, y, first, CHANNELS);
    else
        convolve_edge(p, origin, x, y, first, CHANNELS);
}

EV_NOINLINE static void convolve_one_channel(const struct ev_depthwise *p, const struct origin *origin,
                                             const ev_value *x, ev_value *y, uint32_t first)
{
    if (origin->inside)
        convolve_inside(p, origin, x, y, first, 1);
    else
        convolve_edge(p, origin, x, y, first, 1);
}

static void convolve_pixel(const struct ev_depthwise *p, const struct origin *origin, const ev_value *x, ev_value *y)
{
    const uint32_t channels = p->window.channels;
    uint32_t c = 0;
    for (; c + CHANNELS <= channels; c += CHANNELS)
        convolve_four_channels(p, origin, x, y, c);
    for (; c < channels; c++)
        convolve_one_channel(p, origin, x, y, c);
}

EV_INLINE void ev_depthwise_plain(const struct ev_depthwise *p, const ev_value *x, ev_value *y,
                                  uint32_t first, uint32_t rows)
{
    const struct ev_window *window = &p->window;
    EV_ASSERT_WINDOW(window, x, y, window->channels, first, rows);
    EV_ASSERT(ev_all_positive(p->multiplier, window->channels));
    for (uint32_t row = first; row < first + rows; row++) {
        ev_value *out = y + row % window->out_ring * window->out_width * window->channels;
        for (uint32_t column = 0; column < window->out_width; column++, out += window->channels) {
            const struct origin origin = origin_of(window, row, column);
            convolve_pixel(p, &origin, x, out);
        }
    }
}

#endif
