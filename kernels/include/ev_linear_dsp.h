/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer by tiles of rows. Scratch is a tile. `bias` holds the constants of all pairs of columns. */
#ifndef EV_LINEAR_DSP_H
#define EV_LINEAR_DSP_H

#include <string.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_products_dsp.h"

EV_INLINE void ev_linear_tiles(const struct ev_linear *p, const int8_t *x, uint8_t *y, uint32_t rows, uint32_t *tile,
                               const struct ev_products_by_rows *by_rows)
{
    const struct ev_products products = {
        .weight = p->weight,
        .constants = p->bias,
        .words = ev_tile_words(p->depth),
        .columns = p->columns,
    };
    const uint32_t bytes = by_rows->bytes;
    EV_ASSERT(ev_valid_strides(p->depth, p->x_stride, p->columns, p->y_stride));
    EV_ASSERT(((const uint8_t *)x == y && p->depth == p->columns && p->x_stride == p->y_stride * bytes) ||
              ev_disjoint(x, ev_extent(rows, p->x_stride, p->depth), y,
                          ev_extent(rows, p->y_stride, p->columns) * bytes));
    EV_ASSERT(ev_aligned(y, bytes));
    EV_ASSERT(ev_aligned(p->weight, 4) && ev_aligned(p->bias, 4) && ev_aligned(tile, 16));
    EV_ASSERT(ev_between(2, p->tile_rows, EV_TILE_ROWS));
    memset(tile, 0, EV_TILE_HEAD * sizeof *tile);
    while (rows > 0) {
        const uint32_t count = ev_next_rows(rows, p->tile_rows);
        ev_tile_rows_dsp(tile + EV_TILE_HEAD, count, x, p->x_stride, p->depth, 0);
        ev_products_tile_dsp(&products, by_rows, tile, count, y, p->y_stride);
        x += count * p->x_stride;
        y += count * p->y_stride * bytes;
        rows -= count;
    }
}

#endif
