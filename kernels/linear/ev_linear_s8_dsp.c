/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_products_dsp.h"

/* Scratch is a tile. `bias` holds the constants of all blocks of columns. */
void ev_linear_s8_dsp(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const struct ev_products products = {
        .weight = p->weight,
        .constants = p->bias,
        .constants_step = 32,
        .words = ev_tile_words(p->depth),
        .columns = p->columns,
    };
    EV_ASSERT(ev_valid_strides(p->depth, p->x_stride, p->columns, p->y_stride));
    EV_ASSERT(ev_disjoint(x, ev_extent(rows, p->x_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns)));
    EV_ASSERT(ev_aligned(p->weight, 4) && ev_aligned(p->bias, 4) && ev_aligned(scratch, 16));
    uint32_t *tile = scratch;
    while (rows > 0) {
        const uint32_t count = rows < EV_TILE_ROWS ? rows : EV_TILE_ROWS;
        for (uint32_t r = 0; r < count; r++, x += p->x_stride)
            ev_set_tile_head(tile, r, ev_tile_row_dsp(tile + EV_TILE_HEAD + r, x, p->depth, 0));
        ev_products_tile_dsp(&products, tile, count, y, p->y_stride);
        y += count * p->y_stride;
        rows -= count;
    }
}
