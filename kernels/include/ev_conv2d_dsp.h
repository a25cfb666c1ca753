/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution by tiles of windows, stored by `tile_products` in elements of 1 or 2 bytes. Scratch is a tile, then a row
   of a window. `bias` holds the constants of all blocks of columns. */
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

/* Unpacks the window of one output pixel into row `row` of the tile. */
static void store_window(const struct ev_window *window, const int8_t *x, int32_t top, int32_t left, uint32_t *tile,
                         uint32_t row, int8_t *row_buffer)
{
    const uint32_t taps = window->kernel_w * window->channels, words = ev_tile_words(taps) * EV_TILE_ROWS;
    const bool contiguous = window->dilation_x == 1 && left >= 0 && left + window->kernel_w <= window->in_width;
    uint32_t *words_out = tile + EV_TILE_HEAD + row;
    int32_t initial_sum = 0;
    for (uint32_t k = 0; k < window->kernel_h; k++, top += window->dilation_y, words_out += words) {
        const int8_t *taps_in = row_buffer;
        if (contiguous && top >= 0 && top < window->in_height)
            taps_in = image_row(window, x, top) + (uint32_t)left * window->channels;
        else
            gather_row(window, x, top, left, row_buffer);
        initial_sum += ev_tile_row_dsp(words_out, taps_in, taps, 0);
    }
    ev_set_tile_head(tile, row, initial_sum);
}

EV_INLINE void ev_conv2d_tiles(const struct ev_conv2d *p, const int8_t *x, uint8_t *y, uint32_t bytes, uint32_t first,
                               uint32_t rows, void *scratch, ev_tile_products *tile_products)
{
    const struct ev_window *window = &p->window;
    EV_ASSERT(p->groups == 1);
    EV_ASSERT(ev_aligned(p->weight, 4) && ev_aligned(p->bias, 4) && ev_aligned(scratch, 16));
    const uint32_t words = window->kernel_h * ev_tile_words(window->kernel_w * window->channels);
    const struct ev_products products = {
        .weight = p->weight, .constants = p->bias, .constants_step = 32, .words = words, .columns = p->columns,
    };
    uint32_t *tile = scratch;
    int8_t *row_buffer = (int8_t *)(tile + EV_TILE_HEAD + words * EV_TILE_ROWS);
    for (uint32_t row = first; row < first + rows; row++) {
        uint8_t *out = y + row % window->out_ring * window->out_width * p->columns * bytes;
        const int32_t top = (int32_t)(row * window->stride_y) - window->pad_top;
        int32_t left = -window->pad_left;
        for (uint32_t done = 0; done < window->out_width; done += EV_TILE_ROWS) {
            const uint32_t over = window->out_width - done, count = over < EV_TILE_ROWS ? over : EV_TILE_ROWS;
            for (uint32_t r = 0; r < count; r++, left += window->stride_x)
                store_window(window, x, top, left, tile, r, row_buffer);
            tile_products(&products, tile, count, out, p->columns);
            out += count * p->columns * bytes;
        }
    }
}

#endif
