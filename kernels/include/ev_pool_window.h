/* Walks the output pixels of a pool, and says for each which part of its window lies inside the image. */
#ifndef EV_POOL_WINDOW_H
#define EV_POOL_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "ev_kernels.h"
#include "ev_loops.h"

struct ev_view { /* the inside of one pixel's window */
    const int8_t *x;        /* the first column's pixel, in row 0 of the ring */
    uint32_t row, rows;     /* the first row as the ring counts, and how many */
    uint32_t columns;       /* how many */
    uint32_t row_bytes;     /* from row to row of the ring */
    uint32_t column_bytes;  /* from column to column of the window */
};

struct ev_span {
    int32_t first;
    int32_t count;
};

/* Of `count` places, `step` apart, those from 0 up to `size`. */
static inline struct ev_span ev_span_inside(int32_t first, int32_t step, int32_t count, int32_t size)
{
    int32_t last = first + (count - 1) * step;
    EV_AS_WRITTEN
    for (; first < 0; first += step)
        count--;
    EV_AS_WRITTEN
    for (; last >= size; last -= step)
        count--;
    const struct ev_span span = {count > 0 ? first : 0, count > 0 ? count : 0};
    return span;
}

/* The ring's row that is `dilation_y` further. */
static inline uint32_t ev_next_row(const struct ev_window *w, uint32_t row)
{
    row += w->dilation_y;
    EV_AS_WRITTEN
    while (row >= w->in_ring)
        row -= w->in_ring;
    return row;
}

/* What an average's sum starts from: the bias, and what lies outside the image. */
static inline int32_t ev_pool_start(const struct ev_pool *p, const struct ev_view *view)
{
    const struct ev_window *w = &p->window;
    return p->bias + (w->high * w->wide - (int32_t)(view->rows * view->columns)) * w->pad_value;
}

typedef void ev_pool_pixel(const struct ev_pool *p, const struct ev_view *view, int8_t *y);

EV_INLINE void ev_pool_walk(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                            ev_pool_pixel *pixel)
{
    const struct ev_window *w = &p->window;
    const uint32_t channels = w->channels;
    struct ev_view view = {x, 0, 0, 0, w->in_width * channels, w->dilation_x * channels};
    for (uint32_t row = first; row < first + rows; row++) {
        const int32_t top = (int32_t)(row * w->stride_y) - w->top;
        const struct ev_span down = ev_span_inside(top, w->dilation_y, w->high, w->in_height);
        int8_t *out = y + (size_t)(row % w->out_ring) * w->out_width * channels;
        view.row = (uint32_t)down.first % w->in_ring;
        view.rows = (uint32_t)down.count;
        int32_t left = -w->left;
        EV_AS_WRITTEN
        for (uint32_t i = w->out_width; i; i--, left += w->stride_x, out += channels) {
            const struct ev_span along = ev_span_inside(left, w->dilation_x, w->wide, w->in_width);
            view.x = x + (uint32_t)along.first * channels;
            view.columns = (uint32_t)along.count;
            pixel(p, &view, out);
        }
    }
}

#endif
