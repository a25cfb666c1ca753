#include <stdbool.h>
#include <string.h>

#include "ev_kernels_dsp.h"
#include "ev_products_dsp.h"

static inline const int8_t *image_row(const struct ev_window *window, const int8_t *x, int32_t row)
{
    const uint32_t at = (uint32_t)row < window->in_ring ? (uint32_t)row : (uint32_t)row % window->in_ring;
    return x + at * window->in_width * window->channels;
}

/* One row of a window that is not all inside the image, or has gaps. */
static void gather(const struct ev_window *window, const int8_t *x, int32_t row, int32_t left, int8_t *line)
{
    const uint32_t channels = window->channels;
    memset(line, window->pad_value, window->wide * channels);
    if (row < 0 || row >= window->in_height)
        return;
    const int8_t *from = image_row(window, x, row);
    for (uint32_t k = 0; k < window->wide; k++, left += window->dilation_x, line += channels)
        if (left >= 0 && left < window->in_width)
            memcpy(line, from + (uint32_t)left * channels, channels);
}

/* A window as a row of the tile. */
static void put_window(const struct ev_window *window, const int8_t *x, int32_t top, int32_t left, uint32_t *tile,
                       uint32_t row, int8_t *line)
{
    const uint32_t taps = window->wide * window->channels, words = ev_tile_words(taps) * EV_TILE_ROWS;
    const bool along = window->dilation_x == 1 && left >= 0 && left + window->wide <= window->in_width;
    uint32_t *to = tile + EV_TILE_HEAD + row;
    int32_t start = 0;
    for (uint32_t k = 0; k < window->high; k++, top += window->dilation_y, to += words) {
        const int8_t *from = line;
        if (along && top >= 0 && top < window->in_height)
            from = image_row(window, x, top) + (uint32_t)left * window->channels;
        else
            gather(window, x, top, left, line);
        start += ev_tile_row_dsp(to, from, taps, 0);
    }
    ev_set_tile_head(tile, row, start);
}

/* Scratch is a tile, then a row of a window. `bias` holds the constants of all blocks of columns; there are no groups. */
void ev_conv2d_s8_dsp(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch)
{
    const struct ev_window *window = &p->window;
    const uint32_t words = window->high * ev_tile_words(window->wide * window->channels);
    const struct ev_products products = {p->weight, p->bias, 32, words, p->columns};
    uint32_t *tile = scratch;
    int8_t *line = (int8_t *)(tile + EV_TILE_HEAD + words * EV_TILE_ROWS);
    for (uint32_t row = first; row < first + rows; row++) {
        int8_t *out = y + row % window->out_ring * window->out_width * p->columns;
        const int32_t top = (int32_t)(row * window->stride_y) - window->top;
        int32_t left = -window->left;
        for (uint32_t done = 0; done < window->out_width; done += EV_TILE_ROWS) {
            const uint32_t over = window->out_width - done, count = over < EV_TILE_ROWS ? over : EV_TILE_ROWS;
            for (uint32_t r = 0; r < count; r++, left += window->stride_x)
                put_window(window, x, top, left, tile, r, line);
            ev_products_tile_dsp(&products, tile, count, out, p->columns);
            out += count * p->columns;
        }
    }
}
