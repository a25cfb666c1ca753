/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products by SMLAD over the blocks of weights that are not zero, two rows by four columns.

   The rows are unpacked to a tile of two rows (ev_products_dsp.h) behind a head of zeros. A block has four taps of four columns, in two words for each
   pair of columns. A half of a word is 256 * second + first, so that the halves give a sum A, their low bytes alone,
   with a sign, a sum B of the first column, and

       sum of the second column = (A - B) / 256

   which is exact while it is below 2^23.

   The weights of a group of four columns are pairs of blocks. A word is before each pair, with a half for each block:

       (fours of taps between the end of the block before, or the start of the row, and this one) * 2 + (1 if it is the last of its group)

   A last block that is the first of its pair has no other behind it. Each group has a block. */
#ifndef EV_SPARSE_PRODUCTS_DSP_H
#define EV_SPARSE_PRODUCTS_DSP_H

#include <stdint.h>

#include "ev_products_dsp.h"

enum { EV_SPARSE_ROWS = 2, EV_SPARSE_HEAD = 8 };
enum { EV_SPARSE_BYTES = 16 }; /* of a block, and of four taps of a tile of two rows */

struct ev_sparse_products { /* ev_sparse_products_dsp.S knows where each is */
    const int8_t *weight;     /* aligned to 4 bytes */
    const int32_t *constants; /* of a group, for each pair of columns: two biases, two multipliers */
    uint32_t columns;         /* Range: from 4; the last group overlaps the one before, if they are no fours */
};

/* Both rows of a tile by all columns; in assembly. */
typedef void ev_sparse_both(const struct ev_sparse_products *p, const uint32_t *tile, void *y, uint32_t y_stride);
/* A row alone, which is no tile of two: its words in order, without a head. */
typedef void ev_sparse_one(const struct ev_sparse_products *p, const uint32_t *row, void *y);
ev_sparse_both ev_sparse_products_dsp, ev_sparse_products_to_s16_dsp;
ev_sparse_one ev_sparse_row_dsp, ev_sparse_row_to_s16_dsp;

#endif
