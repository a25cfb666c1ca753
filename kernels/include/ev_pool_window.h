/* Walks the output pixels of a pool, and says for each which part of its window lies inside the image. */
#ifndef EV_POOL_WINDOW_H
#define EV_POOL_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "ev_kernels.h"

struct ev_view { /* the inside of one pixel's window */
    const int8_t *x;          /* the first column's pixel, in row 0 of the ring */
    uint32_t row, rows;       /* the first row as the ring counts, and how many */
    uint32_t columns;         /* how many */
    uint32_t row_bytes, step; /* from row to row of the ring, from column to column of the window */
};

struct ev_span {
    int32_t first;
    int32_t count;
};

static inline struct ev_span ev_span_inside(int32_t first, int32_t step, int32_t count, int32_t size)
{
    for (; count > 0 && first < 0; first += step)
        count--;
    while (count > 0 && first + (count - 1) * step >= size)
        count--;
    struct ev_span span = {first, count};
    return span;
}

/* The ring's row that is `dilation_y` further. */
static inline uint32_t ev_next_row(const struct ev_window *w, uint32_t row)
{
    row += w->dilation_y;
    while (row >= w->in_ring)
        row -= w->in_ring;
    return row;
}

typedef void ev_pool_pixel(const struct ev_pool *p, const struct ev_view *view, int8_t *y);

static inline void ev_pool_walk(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                                ev_pool_pixel *pixel)
{
    const struct ev_window *w = &p->window;
    const uint32_t channels = w->channels;
    for (uint32_t row = first; row < first + rows; row++) {
        const struct ev_span down =
            ev_span_inside((int32_t)(row * w->stride_y) - w->top, w->dilation_y, w->high, w->in_height);
        int8_t *out = y + (size_t)(row % w->out_ring) * w->out_width * channels;
        int32_t left = -w->left;
        for (uint32_t i = 0; i < w->out_width; i++, left += w->stride_x, out += channels) {
            const struct ev_span along = ev_span_inside(left, w->dilation_x, w->wide, w->in_width);
            const struct ev_view view = {
                x + (along.count ? (uint32_t)along.first * channels : 0),
                down.count ? (uint32_t)down.first % w->in_ring : 0,
                (uint32_t)down.count,
                (uint32_t)along.count,
                w->in_width * channels,
                w->dilation_x * channels,
            };
            pixel(p, &view, out);
        }
    }
}

#endif
