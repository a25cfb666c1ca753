/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer by tiles of rows, stored by `tile_products` in elements of 1 or 2 bytes. Scratch is a tile. `bias` holds
   the constants of all blocks of columns. */
#ifndef EV_LINEAR_DSP_H
#define EV_LINEAR_DSP_H

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_products_dsp.h"

EV_INLINE void ev_linear_tiles(const struct ev_linear *p, const int8_t *x, uint8_t *y, uint32_t bytes, uint32_t rows,
                               void *scratch, ev_tile_products *tile_products)
{
    const struct ev_products products = {
        .weight = p->weight,
        .constants = p->bias,
        .constants_step = 32,
        .words = ev_tile_words(p->depth),
        .columns = p->columns,
    };
    EV_ASSERT(ev_valid_strides(p->depth, p->x_stride, p->columns, p->y_stride));
    EV_ASSERT(ev_disjoint(x, ev_extent(rows, p->x_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns) * bytes));
    EV_ASSERT(ev_aligned(y, bytes));
    EV_ASSERT(ev_aligned(p->weight, 4) && ev_aligned(p->bias, 4) && ev_aligned(scratch, 16));
    uint32_t *tile = scratch;
    while (rows > 0) {
        const uint32_t count = rows < EV_TILE_ROWS ? rows : EV_TILE_ROWS;
        for (uint32_t r = 0; r < count; r++, x += p->x_stride)
            ev_set_tile_head(tile, r, ev_tile_row_dsp(tile + EV_TILE_HEAD + r, x, p->depth, 0));
        tile_products(&products, tile, count, y, p->y_stride);
        y += count * p->y_stride * bytes;
        rows -= count;
    }
}

#endif
