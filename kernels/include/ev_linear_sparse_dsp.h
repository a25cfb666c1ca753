/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer with blocks of zeros by tiles of two rows, stored in elements of 1 or 2 bytes. */
#ifndef EV_LINEAR_SPARSE_DSP_H
#define EV_LINEAR_SPARSE_DSP_H

#include <string.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_sparse_contract.h"
#include "ev_sparse_products_dsp.h"

EV_INLINE void ev_linear_sparse_tiles(const struct ev_linear_sparse *p, const int8_t *x, uint8_t *y, uint32_t bytes,
                                      uint32_t rows, void *scratch, ev_sparse_both *both_rows,
                                      ev_sparse_one *one_row)
{
    const struct ev_sparse_products products = {.weight = p->weight, .constants = p->bias, .columns = p->columns};
    EV_ASSERT(ev_valid_strides(p->depth, p->x_stride, p->columns, p->y_stride) && p->columns >= EV_SPARSE_COLUMNS);
    EV_ASSERT(ev_disjoint(x, ev_extent(rows, p->x_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns) * bytes));
    EV_ASSERT(ev_aligned(y, bytes));
    EV_ASSERT(ev_aligned(p->weight, 4) && ev_aligned(p->bias, 4) && ev_aligned(scratch, 16));
    EV_ASSERT(ev_valid_block_stream(p));
    uint32_t *tile = scratch;
    memset(tile, 0, EV_SPARSE_HEAD * sizeof *tile);
    for (uint32_t count; rows > 0; rows -= count) {
        count = rows < EV_SPARSE_ROWS ? rows : EV_SPARSE_ROWS;
        if (count == EV_SPARSE_ROWS) {
            ev_tile_rows_dsp(tile + EV_SPARSE_HEAD, EV_SPARSE_ROWS, x, p->x_stride, p->depth, 0);
            both_rows(&products, tile, y, p->y_stride);
        } else {
            ev_tile_row_dsp(tile + EV_SPARSE_HEAD, 1, x, p->depth, 0);
            one_row(&products, tile + EV_SPARSE_HEAD, y);
        }
        x += count * p->x_stride;
        y += count * p->y_stride * bytes;
    }
}

#endif
