/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer with blocks of zeros by tiles of two rows, stored in elements of 1 or 2 bytes. */
#ifndef EV_LINEAR_SPARSE_DSP_H
#define EV_LINEAR_SPARSE_DSP_H

#include <string.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_round_dsp.h"
#include "ev_sparse_contract.h"
#include "ev_sparse_products_dsp.h"

/* The sums of a pair of columns: B and A of ev_sparse_products_dsp.h. */
struct ev_sparse_pair {
    int32_t low, all;
};

static inline void ev_add_sparse_word(struct ev_sparse_pair *pair, uint32_t x, uint32_t w)
{
    pair->all = __smlad((int16x2_t)x, (int16x2_t)w, pair->all);
    pair->low = __smlad((int16x2_t)x, (int16x2_t)__sxtb16((int8x4_t)w), pair->low);
}

EV_INLINE void ev_store_sparse_pair(const struct ev_sparse_pair *pair, const int32_t *constants, void *y,
                                    uint32_t bytes)
{
    const int32_t first = pair->low + constants[0], second = ((pair->all - pair->low) >> 8) + constants[1];
    if (bytes == 1) {
        ((int8_t *)y)[0] = ev_requantize_dsp(first, constants[2]);
        ((int8_t *)y)[1] = ev_requantize_dsp(second, constants[3]);
    } else {
        ((int16_t *)y)[0] = ev_requantize_s16_dsp(first, constants[2]);
        ((int16_t *)y)[1] = ev_requantize_s16_dsp(second, constants[3]);
    }
}

/* The first row of a tile by all columns: the last row of an odd count. */
EV_INLINE void ev_sparse_row(const struct ev_sparse_products *p, const uint32_t *tile, uint8_t *y, uint32_t bytes)
{
    const int8_t *w = p->weight;
    const int32_t *constants = p->constants;
    const uint32_t last = p->columns - EV_SPARSE_COLUMNS;
    for (uint32_t next = 0; next < p->columns; next += EV_SPARSE_COLUMNS, constants += 8) {
        const uint32_t column = next < last ? next : last;
        struct ev_sparse_pair one = {0}, two = {0};
        const uint32_t *x = tile + EV_SPARSE_HEAD;
        for (uint32_t half = 0, header = 0;; half ^= 1) {
            if (half == 0) {
                header = ev_load4(w);
                w += 4;
            }
            x += (header >> 1 & 0x7fff) * (EV_SPARSE_BYTES / 4);
            ev_add_sparse_word(&one, x[0], ev_load4(w));
            ev_add_sparse_word(&two, x[0], ev_load4(w + 4));
            ev_add_sparse_word(&one, x[EV_SPARSE_ROWS], ev_load4(w + 8));
            ev_add_sparse_word(&two, x[EV_SPARSE_ROWS], ev_load4(w + 12));
            x += EV_SPARSE_BYTES / 4;
            w += EV_SPARSE_BYTES;
            if (header & 1)
                break;
            header >>= 16;
        }
        ev_store_sparse_pair(&one, constants, y + column * bytes, bytes);
        ev_store_sparse_pair(&two, constants + 4, y + (column + 2) * bytes, bytes);
    }
}

EV_INLINE void ev_linear_sparse_tiles(const struct ev_linear_sparse *p, const int8_t *x, uint8_t *y, uint32_t bytes,
                                      uint32_t rows, void *scratch, ev_sparse_both *both_rows)
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
            ev_tile_row_dsp(tile + EV_SPARSE_HEAD, EV_SPARSE_ROWS, x, p->depth, 0);
            ev_sparse_row(&products, tile, y, bytes);
        }
        x += count * p->x_stride;
        y += count * p->y_stride * bytes;
    }
}

#endif
