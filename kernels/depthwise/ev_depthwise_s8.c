#include <stdbool.h>
#include <stddef.h>

#include "ev_keep.h"
#include "ev_kernels.h"
#include "ev_loops.h"
#include "ev_round.h"

enum { CHANNELS = 4 }; /* at once */

struct place { /* of the window of an output pixel, in the input */
    int32_t top, left;
    bool inside; /* all of it */
};

static inline uint32_t ring_row(const struct ev_window *window, int32_t row)
{
    return (uint32_t)row < window->in_ring ? (uint32_t)row : (uint32_t)row % window->in_ring;
}

EV_INLINE void start(int32_t acc[CHANNELS], const int32_t *bias, int width)
{
#pragma GCC unroll 4
    for (int c = 0; c < width; c++)
        acc[c] = bias[c];
}

EV_INLINE void add_tap(int32_t acc[CHANNELS], const int8_t *x, const int8_t *w, int width)
{
#pragma GCC unroll 4
    for (int c = 0; c < width; c++) {
        acc[c] += x[c] * w[c];
        EV_KEEP(acc[c]);
    }
}

EV_INLINE void finish(const int32_t acc[CHANNELS], const int32_t *multiplier, int8_t *y, int width)
{
#pragma GCC unroll 4
    for (int c = 0; c < width; c++)
        y[c] = ev_requantize(acc[c], multiplier[c]);
}

/* `width` channels of one pixel, `first` and after; its window is inside the image. */
EV_INLINE void convolve_inside(const struct ev_depthwise *p, const struct place *place, const int8_t *x, int8_t *y,
                               uint32_t first, int width)
{
    const struct ev_window *window = &p->window;
    const uint32_t channels = window->channels, step = window->dilation_x * channels;
    const uint32_t row_bytes = window->in_width * channels, down = window->dilation_y * row_bytes;
    const uint32_t ring_bytes = window->in_ring * row_bytes;
    const int8_t *w = p->weight + first;
    int32_t acc[CHANNELS];
    uint32_t at = ring_row(window, place->top) * row_bytes;
    x += (uint32_t)place->left * channels + first;
    start(acc, p->bias + first, width);
    EV_AS_WRITTEN
    for (uint32_t i = window->high; i > 0; i--) {
        const int8_t *tap = x + at;
        EV_AS_WRITTEN
        for (uint32_t k = window->wide; k > 0; k--, tap += step, w += channels)
            add_tap(acc, tap, w, width);
        at += down;
        while (at >= ring_bytes)
            at -= ring_bytes;
    }
    finish(acc, p->multiplier + first, y + first, width);
}

/* The same with any part of the window outside. */
EV_INLINE void convolve_edge(const struct ev_depthwise *p, const struct place *place, const int8_t *x, int8_t *y,
                             uint32_t first, int width)
{
    const struct ev_window *window = &p->window;
    const int8_t pad[CHANNELS] = {window->pad_value, window->pad_value, window->pad_value, window->pad_value};
    const int8_t *w = p->weight + first;
    int32_t acc[CHANNELS];
    int32_t row = place->top;
    start(acc, p->bias + first, width);
    for (uint32_t i = window->high; i > 0; i--, row += window->dilation_y) {
        const int8_t *from = NULL;
        if (row >= 0 && row < window->in_height)
            from = x + ring_row(window, row) * window->in_width * window->channels + first;
        int32_t column = place->left;
        EV_AS_WRITTEN
        for (uint32_t k = window->wide; k > 0; k--, column += window->dilation_x, w += window->channels) {
            const bool inside = from && column >= 0 && column < window->in_width;
            add_tap(acc, inside ? from + (uint32_t)column * window->channels : pad, w, width);
        }
    }
    finish(acc, p->multiplier + first, y + first, width);
}

static struct place place_of(const struct ev_window *window, uint32_t row, uint32_t column)
{
    const int32_t top = (int32_t)(row * window->stride_y) - window->top;
    const int32_t left = (int32_t)(column * window->stride_x) - window->left;
    const bool down = top >= 0 && top + window->dilation_y * (window->high - 1) < window->in_height;
    const bool along = left >= 0 && left + window->dilation_x * (window->wide - 1) < window->in_width;
    return (struct place){top, left, down && along};
}

EV_APART static void convolve_four(const struct ev_depthwise *p, const struct place *place, const int8_t *x, int8_t *y,
                                   uint32_t first)
{
    if (place->inside)
        convolve_inside(p, place, x, y, first, CHANNELS);
    else
        convolve_edge(p, place, x, y, first, CHANNELS);
}

EV_APART static void convolve_one(const struct ev_depthwise *p, const struct place *place, const int8_t *x, int8_t *y,
                                  uint32_t first)
{
    if (place->inside)
        convolve_inside(p, place, x, y, first, 1);
    else
        convolve_edge(p, place, x, y, first, 1);
}

static void convolve(const struct ev_depthwise *p, const struct place *place, const int8_t *x, int8_t *y)
{
    const uint32_t channels = p->window.channels;
    uint32_t c = 0;
    for (; c + CHANNELS <= channels; c += CHANNELS)
        convolve_four(p, place, x, y, c);
    for (; c < channels; c++)
        convolve_one(p, place, x, y, c);
}

void ev_depthwise_s8(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch)
{
    (void)scratch;
    const struct ev_window *window = &p->window;
    for (uint32_t row = first; row < first + rows; row++) {
        int8_t *out = y + row % window->out_ring * window->out_width * window->channels;
        for (uint32_t column = 0; column < window->out_width; column++, out += window->channels) {
            const struct place place = place_of(window, row, column);
            convolve(p, &place, x, out);
        }
    }
}
