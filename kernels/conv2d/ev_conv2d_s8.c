#include <stdbool.h>

#include "ev_kernels.h"
#include "ev_products.h"

struct group { /* channels of the input, and of the output */
    uint32_t depth, columns;
};

struct place { /* of the window of an output pixel, in the input */
    int32_t top, left;
    uint32_t from, upto; /* its columns that are inside the image */
};

/* Divisions are slow, or a call. */
static inline uint32_t ring_row(int32_t row, uint32_t ring)
{
    return (uint32_t)row < ring ? (uint32_t)row : (uint32_t)row % ring;
}

EV_INLINE void add_pad(ev_sums sums, const int8_t *const w[EV_COLUMNS], uint32_t from, uint32_t upto, int32_t pad,
                       int pixels)
{
    for (uint32_t k = from; k < upto; k++)
#pragma GCC unroll 8
        for (int c = 0; c < EV_COLUMNS; c++)
#pragma GCC unroll 8
            for (int r = 0; r < pixels; r++)
                sums[r][c] += pad * w[c][k];
}

/* One row of the windows of neighbours; x is its image row, at the group's channels. */
EV_INLINE void add_row(const struct ev_conv2d *p, ev_sums sums, const struct place *place, const int8_t *x,
                       const int8_t *const w[EV_COLUMNS], uint32_t depth, int pixels)
{
    const struct ev_window *window = &p->window;
    const uint32_t channels = window->channels, stride = window->stride_x * channels;
    const uint32_t together = window->dilation_x == 1 && p->groups == 1 ? place->upto - place->from : 1;
    add_pad(sums, w, 0, place->from * depth, window->pad_value, pixels);
    for (uint32_t k = place->from; k < place->upto; k += together) {
        const int8_t *taps[EV_COLUMNS];
#pragma GCC unroll 8
        for (int c = 0; c < EV_COLUMNS; c++)
            taps[c] = w[c] + k * depth;
        const uint32_t column = (uint32_t)(place->left + (int32_t)(k * window->dilation_x));
        ev_add_products(sums, x + column * channels, stride, taps, together * depth, pixels);
    }
    add_pad(sums, w, place->upto * depth, window->wide * depth, window->pad_value, pixels);
}

EV_INLINE void add_window(const struct ev_conv2d *p, ev_sums sums, const struct place *place, const int8_t *x,
                          const int8_t *w[EV_COLUMNS], uint32_t depth, int pixels)
{
    const struct ev_window *window = &p->window;
    const uint32_t taps = window->wide * depth;
    int32_t row = place->top;
    for (uint32_t i = 0; i < window->high; i++, row += window->dilation_y) {
        if (row < 0 || row >= window->in_height)
            add_pad(sums, w, 0, taps, window->pad_value, pixels);
        else
            add_row(p, sums, place, x + ring_row(row, window->in_ring) * window->in_width * window->channels, w,
                    depth, pixels);
#pragma GCC unroll 8
        for (int c = 0; c < EV_COLUMNS; c++)
            w[c] += taps;
    }
}

/* All output channels of one pixel, or of EV_ROWS neighbours. */
EV_INLINE void convolve(const struct ev_conv2d *p, const struct group *size, const struct place *place, const int8_t *x,
                        int8_t *y, int pixels)
{
    const uint32_t depth = size->depth, taps = p->window.high * p->window.wide * depth;
    for (uint32_t group = 0; group < p->groups; group++) {
        const uint32_t end = (group + 1) * size->columns;
        for (uint32_t n = end - size->columns; n < end; n += EV_COLUMNS) {
            const int8_t *w[EV_COLUMNS];
            uint32_t column[EV_COLUMNS];
            ev_sums sums;
            ev_columns(w, column, p->weight, taps, n, end);
            ev_start_sums(sums, column, p->bias, pixels);
            add_window(p, sums, place, x + group * depth, w, depth, pixels);
            ev_finish_sums(sums, column, p->multiplier, 1, y, p->columns, pixels);
        }
    }
}

static struct place place_of(const struct ev_window *window, uint32_t row, uint32_t column)
{
    struct place place = {
        (int32_t)(row * window->stride_y) - window->top,
        (int32_t)(column * window->stride_x) - window->left,
        0,
        window->wide,
    };
    while (place.from < place.upto && place.left + (int32_t)(place.from * window->dilation_x) < 0)
        place.from++;
    while (place.from < place.upto && place.left + (int32_t)((place.upto - 1) * window->dilation_x) >= window->in_width)
        place.upto--;
    return place;
}

static bool neighbours(const struct ev_window *window, const struct place *place, uint32_t column)
{
    const int32_t reach = window->dilation_x * (window->wide - 1) + window->stride_x * (EV_ROWS - 1);
    return place->left >= 0 && place->left + reach < window->in_width && column + EV_ROWS <= window->out_width;
}

void ev_conv2d_s8(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch)
{
    (void)scratch;
    const struct ev_window *window = &p->window;
    const struct group size = {window->channels / p->groups, p->columns / p->groups};
    for (uint32_t row = first; row < first + rows; row++) {
        int8_t *out = y + ring_row((int32_t)row, window->out_ring) * window->out_width * p->columns;
        uint32_t column = 0;
        while (column < window->out_width) {
            const struct place place = place_of(window, row, column);
            const int count = EV_ROWS > 1 && neighbours(window, &place, column) ? EV_ROWS : 1;
            if (count > 1)
                convolve(p, &size, &place, x, out, EV_ROWS);
            else
                convolve(p, &size, &place, x, out, 1);
            column += count;
            out += count * p->columns;
        }
    }
}
