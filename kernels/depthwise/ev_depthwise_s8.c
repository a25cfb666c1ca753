#include <stdbool.h>
#include <stddef.h>

#include "ev_kernels.h"
#include "ev_products.h"

enum { CHANNELS = 4 }; /* at once */

struct place { /* of the window of an output pixel, in the input */
    int32_t top, left;
    bool inside; /* all of it */
};

static inline uint32_t ring_row(int32_t row, uint32_t ring)
{
    return (uint32_t)row < ring ? (uint32_t)row : (uint32_t)row % ring;
}

EV_INLINE void add_tap(int32_t acc[CHANNELS], const int8_t *x, const int8_t *w, int width)
{
#pragma GCC unroll 4
    for (int c = 0; c < width; c++) {
        acc[c] += x[c] * w[c];
        EV_KEEP(acc[c]);
    }
}

/* One row of a window that is inside. */
EV_INLINE void add_row(int32_t acc[CHANNELS], const int8_t *x, uint32_t step, const int8_t *w, uint32_t channels,
                       uint32_t wide, int width)
{
    EV_AS_WRITTEN
    for (; wide > 0; wide--, x += step, w += channels)
        add_tap(acc, x, w, width);
}

/* One row of a window at the edge. */
EV_INLINE void add_edge_row(const struct ev_window *window, int32_t acc[CHANNELS], const int8_t *x, int32_t left,
                            const int8_t *w, int width)
{
    const int8_t pad[CHANNELS] = {window->pad_value, window->pad_value, window->pad_value, window->pad_value};
    EV_AS_WRITTEN
    for (uint32_t i = 0; i < window->wide; i++, left += window->dilation_x, w += window->channels)
        add_tap(acc, x && left >= 0 && left < window->in_width ? x + left * window->channels : pad, w, width);
}

/* `width` channels of one pixel from `first` on. */
EV_INLINE void convolve(const struct ev_depthwise *p, const struct place *place, const int8_t *x, int8_t *y,
                        uint32_t first, int width)
{
    const struct ev_window *window = &p->window;
    const uint32_t channels = window->channels, row_bytes = window->in_width * channels;
    const uint32_t step = window->dilation_x * channels, wide = window->wide;
    const int8_t *w = p->weight + first;
    int32_t acc[CHANNELS];
    int32_t row = place->top;
#pragma GCC unroll 4
    for (int c = 0; c < width; c++)
        acc[c] = p->bias[first + c];
    x += first;
    for (uint32_t i = window->high; i > 0; i--, row += window->dilation_y, w += wide * channels) {
        if (place->inside)
            add_row(acc, x + ring_row(row, window->in_ring) * row_bytes + place->left * channels, step, w, channels, wide,
                    width);
        else if (row < 0 || row >= window->in_height)
            add_edge_row(window, acc, NULL, 0, w, width);
        else
            add_edge_row(window, acc, x + ring_row(row, window->in_ring) * row_bytes, place->left, w, width);
    }
#pragma GCC unroll 4
    for (int c = 0; c < width; c++)
        y[first + c] = ev_requantize(acc[c], p->multiplier[first + c]);
}

static struct place place_of(const struct ev_window *window, uint32_t row, uint32_t column)
{
    const int32_t top = (int32_t)(row * window->stride_y) - window->top;
    const int32_t left = (int32_t)(column * window->stride_x) - window->left;
    const bool down = top >= 0 && top + window->dilation_y * (window->high - 1) < window->in_height;
    const bool along = left >= 0 && left + window->dilation_x * (window->wide - 1) < window->in_width;
    return (struct place){top, left, down && along};
}

void ev_depthwise_s8(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch)
{
    (void)scratch;
    const struct ev_window *window = &p->window;
    const uint32_t channels = window->channels;
    for (uint32_t row = first; row < first + rows; row++) {
        int8_t *out = y + ring_row((int32_t)row, window->out_ring) * window->out_width * channels;
        for (uint32_t column = 0; column < window->out_width; column++, out += channels) {
            const struct place place = place_of(window, row, column);
            uint32_t channel = 0;
            for (; channel + CHANNELS <= channels; channel += CHANNELS)
                convolve(p, &place, x, out, channel, CHANNELS);
            for (; channel < channels; channel++)
                convolve(p, &place, x, out, channel, 1);
        }
    }
}
