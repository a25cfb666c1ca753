/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution by tiles of windows. Scratch is a tile, then a row of a window. `bias` holds the constants of all pairs of
   columns. */
#ifndef EV_CONV2D_DSP_H
#define EV_CONV2D_DSP_H

#include <stdbool.h>
#include <string.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_products_dsp.h"

static inline const int8_t *image_row(const struct ev_window *window, const int8_t *x, int32_t row)
{
    const uint32_t at = (uint32_t)row < window->in_ring ? (uint32_t)row : (uint32_t)row % window->in_ring;
    return x + at * window->in_width * window->channels;
}

/* Copies a tap row that is not all inside the image, or dilated, with its padding. */
static void gather_row(const struct ev_window *window, const int8_t *x, int32_t row, int32_t left, int8_t *row_buffer)
{
    const uint32_t channels = window->channels;
    memset(row_buffer, window->pad_value, window->kernel_w * channels);
    if (row < 0 || row >= window->in_height)
        return;
    const int8_t *x_row = image_row(window, x, row);
    for (uint32_t k = 0; k < window->kernel_w; k++, left += window->dilation_x, row_buffer += channels)
        if (left >= 0 && left < window->in_width)
            memcpy(row_buffer, x_row + (uint32_t)left * channels, channels);
}

/* Whether a tap row is all inside the image, and without gaps. */
static inline bool is_contiguous(const struct ev_window *window, int32_t left)
{
    return window->dilation_x == 1 && left >= 0 && left + window->kernel_w <= window->in_width;
}

/* Unpacks tap row `row` of the windows of `count` neighbours, row by row of the tile. */
static void store_taps(const struct ev_window *window, const int8_t *x, int32_t row, int32_t left, uint32_t *words,
                       uint32_t count, int8_t *row_buffer)
{
    const uint32_t taps = window->kernel_w * window->channels;
    for (uint32_t r = 0; r < count; r++, left += window->stride_x) {
        const int8_t *taps_in = row_buffer;
        if (is_contiguous(window, left) && row >= 0 && row < window->in_height)
            taps_in = image_row(window, x, row) + (uint32_t)left * window->channels;
        else
            gather_row(window, x, row, left, row_buffer);
        ev_tile_row_dsp(words + r, count, taps_in, taps, 0);
    }
}

/* Unpacks the windows of `count` neighbours, the first at column `left`, to a tile of that many rows. */
static void store_windows(const struct ev_window *window, const int8_t *x, int32_t top, int32_t left, uint32_t *tile,
                          uint32_t count, int8_t *row_buffer)
{
    const uint32_t taps = window->kernel_w * window->channels, words = ev_tile_words(taps) * count;
    const int32_t last = left + (int32_t)((count - 1) * window->stride_x);
    const bool contiguous = is_contiguous(window, left) && is_contiguous(window, last);
    uint32_t *words_out = tile + EV_TILE_HEAD;
    for (uint32_t k = 0; k < window->kernel_h; k++, top += window->dilation_y, words_out += words)
        if (contiguous && top >= 0 && top < window->in_height)
            ev_tile_rows_dsp(words_out, count, image_row(window, x, top) + (uint32_t)left * window->channels,
                             window->stride_x * window->channels, taps, 0);
        else
            store_taps(window, x, top, left, words_out, count, row_buffer);
}

EV_INLINE void ev_conv2d_tiles(const struct ev_conv2d *p, const int8_t *x, uint8_t *y, uint32_t first, uint32_t rows,
                               uint32_t *tile, const struct ev_products_by_rows *by_rows)
{
    const struct ev_window *window = &p->window;
    EV_ASSERT(p->groups == 1 && ev_between(2, p->tile_rows, EV_TILE_ROWS));
    EV_ASSERT(ev_aligned(p->weight, 4) && ev_aligned(p->bias, 4) && ev_aligned(tile, 16));
    const uint32_t words = window->kernel_h * ev_tile_words(window->kernel_w * window->channels);
    const struct ev_products products = {
        .weight = p->weight, .constants = p->bias, .words = words, .columns = p->columns,
    };
    const uint32_t out_bytes = p->columns * by_rows->bytes;
    int8_t *row_buffer = (int8_t *)(tile + EV_TILE_HEAD + words * p->tile_rows);
    memset(tile, 0, EV_TILE_HEAD * sizeof *tile);
    for (uint32_t row = first; row < first + rows; row++) {
        uint8_t *out = y + row % window->out_ring * window->out_width * out_bytes;
        const int32_t top = (int32_t)(row * window->stride_y) - window->pad_top;
        int32_t left = -window->pad_left;
        for (uint32_t over = window->out_width, count; over > 0; over -= count) {
            count = ev_next_rows(over, p->tile_rows);
            store_windows(window, x, top, left, tile, count, row_buffer);
            ev_products_tile_dsp(&products, by_rows, tile, count, out, p->columns);
            left += (int32_t)(count * window->stride_x);
            out += count * out_bytes;
        }
    }
}

#endif
