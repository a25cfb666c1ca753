/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products by SMLAD: two taps at once, two rows by four columns.

   Two rows are unpacked to a tile: bytes become halves, two taps to a word (0 and 2, 1 and 3, of every four), the rows
   interleaved by words. Weights stay bytes. A word of them holds two taps of a pair of columns, so that each half is
   256 * second + (first + 128): multiplied as it is, it gives a sum A; its low bytes alone give a sum B, and

       sum of the second column = (A - B) / 256        sum of the first = B - 128 * (sum of the row)

   which saves half of the unpacking. Functions `to_s16` store 16 bits, the others 8; y_stride counts these. A may wrap
   around: the difference is exact while the second column's sum is below 2^23, which the kernels' cards check. Functions
   `deep` take the second column's sum out after each run of EV_RUN_WORDS, which reach it with no weights. Weights that pad taps or columns to four may be anything: the tile is 0 there,
   and columns do not mix. */
#ifndef EV_PRODUCTS_DSP_H
#define EV_PRODUCTS_DSP_H

#include <stdint.h>

enum { EV_TILE_ROWS = 2, EV_TILE_HEAD = 8, EV_BLOCK = 4 };
enum { EV_RUN_WORDS = 256 }; /* 512 products of at most 2^14 */

struct ev_products { /* ev_products_dsp.S knows where each is */
    const int8_t *weight;     /* blocks of four columns, the words of their two pairs interleaved; aligned to 4 bytes */
    const int32_t *constants; /* of a block, for each pair of columns: two biases, two multipliers */
    uint32_t constants_step;  /* bytes to the next block's: 32, or 0 where all blocks share them */
    uint32_t words;           /* of a row in the tile. Range: an even number from 2 */
    uint32_t columns;         /* Range: from 1; for ev_products_dsp a multiple of 4 */
};

/* Unpacks `count` taps of a row to every second word. `offset`, in both halves, is added to each byte. Returns -128
   times the sum. */
int32_t ev_tile_row_dsp(uint32_t *words, const int8_t *x, uint32_t count, uint32_t offset);
/* Both rows of a tile by whole blocks of columns; in assembly. */
void ev_products_dsp(const struct ev_products *p, const uint32_t *tile, void *y, uint32_t y_stride, uint32_t columns);
void ev_products_to_s16_dsp(const struct ev_products *p, const uint32_t *tile, void *y, uint32_t y_stride,
                            uint32_t columns);
void ev_products_deep_dsp(const struct ev_products *p, const uint32_t *tile, void *y, uint32_t y_stride,
                          uint32_t columns);
/* One row of a tile by all columns. */
void ev_products_row_deep_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t row, void *y);
void ev_products_row_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t row, void *y);
void ev_products_row_to_s16_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t row, void *y);
/* The first `rows` of a tile by all columns. */
typedef void ev_tile_products(const struct ev_products *, const uint32_t *tile, uint32_t rows, void *y,
                              uint32_t y_stride);
void ev_products_tile_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t rows, void *y,
                          uint32_t y_stride);
void ev_products_tile_deep_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t rows, void *y,
                               uint32_t y_stride);
void ev_products_tile_to_s16_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t rows, void *y,
                                 uint32_t y_stride);

/* Words of a row for `taps` taps. */
static inline uint32_t ev_tile_words(uint32_t taps)
{
    return (taps + 3) / 4 * 2;
}

/* Sets the initial sums of a row: the head has B of two rows for each column, then A. */
static inline void ev_set_tile_head(uint32_t *tile, uint32_t row, int32_t start)
{
    for (uint32_t i = row; i < EV_TILE_HEAD; i += EV_TILE_ROWS)
        tile[i] = (uint32_t)start;
}

#endif
