/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution in portable C, stored in elements of 1 or 2 bytes. */
#ifndef EV_CONV2D_PLAIN_H
#define EV_CONV2D_PLAIN_H

#include <stdbool.h>

#include "ev_contract.h"
#include "ev_kernels.h"
#include "ev_products.h"

/* Channels of one group. */
struct group {
    uint32_t depth;   /* of the input */
    uint32_t columns; /* of the output */
};

/* The window of an output pixel: its top left tap in pixels of the input, and the tap columns inside the image. */
struct span {
    int32_t top, left;
    uint32_t first, end;
};

/* The comparison mostly saves a division, which is slow or a call. */
static inline uint32_t ring_index(int32_t row, uint32_t ring)
{
    return (uint32_t)row < ring ? (uint32_t)row : (uint32_t)row % ring;
}

EV_INLINE void add_padding(ev_sums sums, const int8_t *const w[EV_COLUMNS], uint32_t first, uint32_t end, int32_t pad,
                           int pixels)
{
    for (uint32_t k = first; k < end; k++)
#pragma GCC unroll 8
        for (int c = 0; c < EV_COLUMNS; c++)
#pragma GCC unroll 8
            for (int r = 0; r < pixels; r++)
                sums[r][c] += pad * w[c][k];
}

/* One tap row of the windows of `pixels` neighbours. x is the image row, from the channels of the group on. */
EV_INLINE void add_row(const struct ev_conv2d *p, ev_sums sums, const struct span *span, const int8_t *x,
                       const int8_t *const w[EV_COLUMNS], uint32_t depth, int pixels)
{
    const struct ev_window *window = &p->window;
    const uint32_t channels = window->channels, stride = window->stride_x * channels;
    const uint32_t taps_per_run = window->dilation_x == 1 && p->groups == 1 ? span->end - span->first : 1;
    add_padding(sums, w, 0, span->first * depth, window->pad_value, pixels);
    for (uint32_t k = span->first; k < span->end; k += taps_per_run) {
        const int8_t *taps[EV_COLUMNS];
#pragma GCC unroll 8
        for (int c = 0; c < EV_COLUMNS; c++)
            taps[c] = w[c] + k * depth;
        const uint32_t column = (uint32_t)(span->left + (int32_t)(k * window->dilation_x));
        ev_add_products(sums, x + column * channels, stride, taps, taps_per_run * depth, pixels);
    }
    add_padding(sums, w, span->end * depth, window->kernel_w * depth, window->pad_value, pixels);
}

EV_INLINE void add_window(const struct ev_conv2d *p, ev_sums sums, const struct span *span, const int8_t *x,
                          const int8_t *w[EV_COLUMNS], uint32_t depth, int pixels)
{
    const struct ev_window *window = &p->window;
    const uint32_t taps = window->kernel_w * depth;
    int32_t row = span->top;
    for (uint32_t i = 0; i < window->kernel_h; i++, row += window->dilation_y) {
        if (row < 0 || row >= window->in_height)
            add_padding(sums, w, 0, taps, window->pad_value, pixels);
        else
            add_row(p, sums, span, x + ring_index(row, window->in_ring) * window->in_width * window->channels, w,
                    depth, pixels);
#pragma GCC unroll 8
        for (int c = 0; c < EV_COLUMNS; c++)
            w[c] += taps;
    }
}

/* All output channels of one pixel, or of EV_ROWS neighbours, which share the weights that are loaded. */
EV_INLINE void convolve_pixels(const struct ev_conv2d *p, const struct group *group_size, const struct span *span,
                               const int8_t *x, void *y, uint32_t bytes, int pixels)
{
    const uint32_t depth = group_size->depth, taps = p->window.kernel_h * p->window.kernel_w * depth;
    for (uint32_t group = 0; group < p->groups; group++) {
        const uint32_t end = (group + 1) * group_size->columns;
        for (uint32_t n = end - group_size->columns; n < end; n += EV_COLUMNS) {
            const int8_t *w[EV_COLUMNS];
            uint32_t column[EV_COLUMNS];
            ev_sums sums;
            ev_columns(w, column, p->weight, taps, n, end);
            ev_start_sums(sums, column, p->bias, pixels);
            add_window(p, sums, span, x + group * depth, w, depth, pixels);
            ev_store_sums(sums, column, p->multiplier, 1, y, bytes, p->columns, pixels);
        }
    }
}

static struct span span_of(const struct ev_window *window, uint32_t row, uint32_t column)
{
    struct span span = {
        .top = (int32_t)(row * window->stride_y) - window->pad_top,
        .left = (int32_t)(column * window->stride_x) - window->pad_left,
        .first = 0,
        .end = window->kernel_w,
    };
    while (span.first < span.end && span.left + (int32_t)(span.first * window->dilation_x) < 0)
        span.first++;
    while (span.first < span.end && span.left + (int32_t)((span.end - 1) * window->dilation_x) >= window->in_width)
        span.end--;
    return span;
}

static bool has_neighbours(const struct ev_window *window, const struct span *span, uint32_t column)
{
    const int32_t reach = window->dilation_x * (window->kernel_w - 1) + window->stride_x * (EV_ROWS - 1);
    return span->left >= 0 && span->left + reach < window->in_width && column + EV_ROWS <= window->out_width;
}

/* Windows of at most so many bytes are gathered in scratch, EV_ROWS neighbours at a time: short tap rows cost more than
   their products. Scratch is for 192 bytes of four. */
#if defined(__riscv)
enum { EV_GATHERED_BYTES = 64 };
#else
enum { EV_GATHERED_BYTES = 192 };
#endif

/* Copies a tap row of a window, with its padding. Returns the place of the next. */
static inline int8_t *gather_taps(const struct ev_window *window, const int8_t *x, int32_t row, int32_t left, int8_t *to)
{
    const uint32_t channels = window->channels, count = window->kernel_w * channels;
    if (row < 0 || row >= window->in_height) {
        for (uint32_t i = 0; i < count; i++)
            *to++ = window->pad_value;
        return to;
    }
    x += ring_index(row, window->in_ring) * window->in_width * channels;
    if (window->dilation_x == 1 && left >= 0 && left + window->kernel_w <= window->in_width) {
        x += (uint32_t)left * channels;
        EV_UNROLL_4
        for (uint32_t i = 0; i < count; i++)
            *to++ = *x++;
        return to;
    }
    for (uint32_t k = 0; k < window->kernel_w; k++, left += window->dilation_x) {
        const bool inside = left >= 0 && left < window->in_width;
        const int8_t *pixel = x + (uint32_t)(inside ? left : 0) * channels;
        for (uint32_t i = 0; i < channels; i++)
            *to++ = inside ? pixel[i] : window->pad_value;
    }
    return to;
}

static void gather_windows(const struct ev_window *window, const int8_t *x, int32_t top, int32_t left, int8_t *to,
                           uint32_t pixels)
{
    for (; pixels > 0; pixels--, left += window->stride_x) {
        int32_t row = top;
        for (uint32_t i = 0; i < window->kernel_h; i++, row += window->dilation_y)
            to = gather_taps(window, x, row, left, to);
    }
}

EV_INLINE void convolve_gathered(const struct ev_conv2d *p, uint32_t taps, const int8_t *x, uint8_t *y, uint32_t bytes,
                                 uint32_t first, uint32_t rows, int8_t *windows)
{
    const struct ev_window *window = &p->window;
    const struct ev_product product = {
        .depth = taps,
        .columns = p->columns,
        .x_stride = taps,
        .y_stride = p->columns,
        .multiplier_step = 1,
        .weight = p->weight,
        .bias = p->bias,
        .multiplier = p->multiplier,
    };
    for (uint32_t row = first; row < first + rows; row++) {
        uint8_t *out = y + ring_index((int32_t)row, window->out_ring) * window->out_width * p->columns * bytes;
        const int32_t top = (int32_t)(row * window->stride_y) - window->pad_top;
        int32_t left = -window->pad_left;
        for (uint32_t over = window->out_width, count; over > 0; over -= count) {
            count = over < EV_ROWS ? over : EV_ROWS;
            gather_windows(window, x, top, left, windows, count);
            ev_product(&product, windows, out, bytes, count);
            left += (int32_t)(count * window->stride_x);
            out += count * p->columns * bytes;
        }
    }
}

EV_INLINE void ev_conv2d_plain(const struct ev_conv2d *p, const int8_t *x, void *y, uint32_t bytes, uint32_t first,
                               uint32_t rows, void *scratch)
{
    const struct ev_window *window = &p->window;
    const uint32_t taps_of_all = (uint32_t)window->kernel_h * window->kernel_w * window->channels;
    EV_ASSERT(p->groups > 0 && window->channels % p->groups == 0 && p->columns % p->groups == 0);
    EV_ASSERT(ev_all_positive(p->multiplier, p->columns));
    if (p->groups == 1 && taps_of_all <= EV_GATHERED_BYTES) {
        convolve_gathered(p, taps_of_all, x, y, bytes, first, rows, scratch);
        return;
    }
    const struct group group_size = {.depth = window->channels / p->groups, .columns = p->columns / p->groups};
    for (uint32_t row = first; row < first + rows; row++) {
        uint8_t *out = (uint8_t *)y + ring_index((int32_t)row, window->out_ring) * window->out_width * p->columns * bytes;
        uint32_t column = 0;
        while (column < window->out_width) {
            const struct span span = span_of(window, row, column);
            const int count = EV_ROWS > 1 && has_neighbours(window, &span, column) ? EV_ROWS : 1;
            if (count > 1)
                convolve_pixels(p, &group_size, &span, x, out, bytes, EV_ROWS);
            else
                convolve_pixels(p, &group_size, &span, x, out, bytes, 1);
            column += (uint32_t)count;
            out += (uint32_t)count * p->columns * (uint32_t)bytes;
        }
    }
}

#endif
