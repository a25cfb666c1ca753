/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products by SMLAD: two taps at once, of up to three rows by two columns.

   The rows are unpacked to a tile: bytes become halves, two taps to a word (0 and 2, 1 and 3, of every four), the rows
   interleaved by words. Weights stay bytes. A word of them holds two taps of a pair of columns, so that each half is
   256 * second + first: multiplied as it is, it gives a sum A; its low bytes alone give the first column's sum B, and

       sum of the second column = (A - B) / 256

   which saves half of the unpacking. A may wrap around: the difference is exact while the second column's sum is below
   2^23, which the kernels' cards check. No half may be below -2^15, so no weight is -128. Functions `deep` take the
   second column's sum out after each run of words, so that none reaches 2^23. Functions `offset` take any bytes: 128 is
   added to the first column's, and the tile's head begins B with -128 * the sum of the row. Functions `to_s16` store 16
   bits, the others 8; y_stride counts these.

   Weights that pad taps to four may be anything: the tile is 0 there. */
#ifndef EV_PRODUCTS_DSP_H
#define EV_PRODUCTS_DSP_H

#include <stdint.h>

enum { EV_TILE_ROWS = 3, EV_TILE_HEAD = 6, EV_PAIR = 2 };

struct ev_products { /* ev_products_asm_dsp.h knows where each is */
    const int8_t *weight;     /* pairs of columns, the words of each in the order of the tile; aligned to 4 bytes */
    const int32_t *constants; /* of each pair: two biases, two multipliers. One pair's for `offset` */
    uint32_t words;           /* of a row in the tile. Range: an even number from 2 */
    uint32_t columns;         /* Range: from 1 */
};

/* `columns` of all rows of a tile. Range: even numbers from 2. */
typedef void ev_products_rows(const struct ev_products *, const uint32_t *tile, void *y, uint32_t y_stride,
                              uint32_t columns);
ev_products_rows ev_products_1_dsp, ev_products_2_dsp, ev_products_3_dsp;
ev_products_rows ev_products_deep_1_dsp, ev_products_deep_2_dsp, ev_products_deep_3_dsp;
ev_products_rows ev_products_offset_1_dsp, ev_products_offset_2_dsp, ev_products_offset_3_dsp;
ev_products_rows ev_products_to_s16_1_dsp, ev_products_to_s16_2_dsp, ev_products_to_s16_3_dsp;

/* By the rows of a tile, less one. */
struct ev_products_by_rows {
    ev_products_rows *of[EV_TILE_ROWS];
    uint32_t bytes;     /* of what is stored */
    uint32_t constants; /* of a column: 2, or 0 where all share them */
};

/* All columns of the first `rows` of a tile. */
void ev_products_tile_dsp(const struct ev_products *p, const struct ev_products_by_rows *by_rows, const uint32_t *tile,
                          uint32_t rows, void *y, uint32_t y_stride);
/* Unpacks `count` taps of each row to a tile of that many rows. `offset`, in both halves, is added to each byte. */
void ev_tile_rows_dsp(uint32_t *words, uint32_t rows, const int8_t *x, uint32_t x_stride, uint32_t count,
                      uint32_t offset);
/* Unpacks one of the rows. `words` begins with it. */
void ev_tile_row_dsp(uint32_t *words, uint32_t rows, const int8_t *x, uint32_t count, uint32_t offset);
/* Unpacks taps in fours, in assembly. */
void ev_tile_3_dsp(uint32_t *words, const int8_t *x, uint32_t x_stride, uint32_t fours, uint32_t offset);
void ev_tile_2_dsp(uint32_t *words, const int8_t *x, uint32_t x_stride, uint32_t fours, uint32_t offset);

/* Words of a row for `taps` taps. */
static inline uint32_t ev_tile_words(uint32_t taps)
{
    return (taps + 3) / 4 * 2;
}

/* Rows of the next tile where `rows` remain: no row alone if another way is. */
static inline uint32_t ev_next_rows(uint32_t rows, uint32_t most)
{
    return rows == 4 ? 2 : rows < most ? rows : most;
}

/* Sets the initial sums of a row: B of each row, then A, end where the words begin. */
static inline void ev_set_tile_head(uint32_t *tile, uint32_t rows, uint32_t row, int32_t start)
{
    uint32_t *const sums = tile + EV_TILE_HEAD - 2 * rows + row;
    sums[0] = sums[rows] = (uint32_t)start;
}

#endif
