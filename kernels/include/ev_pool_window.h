/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the output pixels of a pool, and says for each which part of its window lies inside the image. */
#ifndef EV_POOL_WINDOW_H
#define EV_POOL_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"

/* The taps of one output pixel that are inside the image. */
struct ev_pool_taps {
    const int8_t *x;        /* the pixel of the first column, in row 0 of the ring */
    uint32_t first_row;     /* index in the ring */
    uint32_t rows;          /* count */
    uint32_t columns;       /* count */
    uint32_t row_stride;    /* bytes from row to row of the ring */
    uint32_t column_stride; /* bytes from tap to tap of a row */
};

struct ev_span {
    int32_t first;
    int32_t count;
};

/* Those of `count` positions, `step` apart from `first` on, that are in 0 to size - 1. */
static inline struct ev_span ev_span_inside(int32_t first, int32_t step, int32_t count, int32_t size)
{
    int32_t last = first + (count - 1) * step;
    EV_NO_UNROLL
    for (; first < 0; first += step)
        count--;
    EV_NO_UNROLL
    for (; last >= size; last -= step)
        count--;
    const struct ev_span span = {.first = count > 0 ? first : 0, .count = count > 0 ? count : 0};
    return span;
}

/* The ring index of the row that is `dilation_y` below. */
static inline uint32_t ev_next_row(const struct ev_window *w, uint32_t row)
{
    row += w->dilation_y;
    EV_NO_UNROLL
    while (row >= w->in_ring)
        row -= w->in_ring;
    return row;
}

/* The initial sum of an average: the bias, and the taps outside the image. */
static inline int32_t ev_pool_initial_sum(const struct ev_pool *p, const struct ev_pool_taps *taps)
{
    const struct ev_window *w = &p->window;
    return p->bias + (w->kernel_h * w->kernel_w - (int32_t)(taps->rows * taps->columns)) * w->pad_value;
}

/* `sum` and the taps of one channel. */
static inline int32_t ev_pool_sum(const struct ev_window *w, const struct ev_pool_taps *taps, uint32_t channel,
                                  int32_t sum)
{
    uint32_t row = taps->first_row;
    for (uint32_t i = taps->rows; i; i--, row = ev_next_row(w, row)) {
        const int8_t *x = taps->x + row * taps->row_stride + channel;
        EV_NO_UNROLL
        for (uint32_t j = taps->columns; j; j--, x += taps->column_stride)
            sum += *x;
    }
    return sum;
}

/* The largest tap of one channel. */
static inline int32_t ev_pool_max(const struct ev_window *w, const struct ev_pool_taps *taps, uint32_t channel)
{
    int32_t largest = -128;
    uint32_t row = taps->first_row;
    for (uint32_t i = taps->rows; i; i--, row = ev_next_row(w, row)) {
        const int8_t *x = taps->x + row * taps->row_stride + channel;
        EV_NO_UNROLL
        for (uint32_t j = taps->columns; j; j--, x += taps->column_stride)
            largest = *x > largest ? *x : largest;
    }
    return largest;
}

/* All channels of one output pixel. */
typedef void ev_pool_pixel(const struct ev_pool *p, const struct ev_pool_taps *taps, int8_t *y);

EV_INLINE void ev_pool_rows(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                            ev_pool_pixel *pixel)
{
    const struct ev_window *w = &p->window;
    const uint32_t channels = w->channels;
    EV_ASSERT_WINDOW(w, x, y, channels, first, rows);
    struct ev_pool_taps taps = {
        .x = x, .row_stride = w->in_width * channels, .column_stride = w->dilation_x * channels,
    };
    for (uint32_t row = first; row < first + rows; row++) {
        const int32_t top = (int32_t)(row * w->stride_y) - w->pad_top;
        const struct ev_span y_span = ev_span_inside(top, w->dilation_y, w->kernel_h, w->in_height);
        int8_t *out = y + (size_t)(row % w->out_ring) * w->out_width * channels;
        taps.first_row = (uint32_t)y_span.first % w->in_ring;
        taps.rows = (uint32_t)y_span.count;
        int32_t left = -w->pad_left;
        EV_NO_UNROLL
        for (uint32_t i = w->out_width; i; i--, left += w->stride_x, out += channels) {
            const struct ev_span x_span = ev_span_inside(left, w->dilation_x, w->kernel_w, w->in_width);
            taps.x = x + (uint32_t)x_span.first * channels;
            taps.columns = (uint32_t)x_span.count;
            pixel(p, &taps, out);
        }
    }
}

#endif
