/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_lanes_dsp.h"
#include "ev_products_dsp.h"

/* Two words of halves of four bytes. */
static inline void unpack_four(uint32_t *words, uint32_t rows, uint32_t bytes, uint32_t offset)
{
    words[0] = ev_add_even_bytes(offset, bytes);
    words[rows] = ev_add_odd_bytes(offset, bytes);
}

/* The last taps of a row, fewer than four, and taps of 0. */
static void unpack_rest(uint32_t *words, uint32_t rows, const int8_t *x, uint32_t count, uint32_t offset)
{
    uint32_t bytes = (uint8_t)-offset * 0x01010101u;
    while (count > 0)
        bytes = bytes << 8 | (uint8_t)x[--count];
    unpack_four(words, rows, bytes, offset);
}

void ev_tile_row_dsp(uint32_t *words, uint32_t rows, const int8_t *x, uint32_t count, uint32_t offset)
{
    EV_NO_UNROLL
    for (; count >= 8; count -= 8, x += 8, words += 4 * rows) {
        unpack_four(words, rows, ev_load4(x), offset);
        unpack_four(words + 2 * rows, rows, ev_load4(x + 4), offset);
    }
    if (count >= 4) {
        unpack_four(words, rows, ev_load4(x), offset);
        count -= 4, x += 4, words += 2 * rows;
    }
    if (count > 0)
        unpack_rest(words, rows, x, count, offset);
}

void ev_tile_rows_dsp(uint32_t *words, uint32_t rows, const int8_t *x, uint32_t x_stride, uint32_t count,
                      uint32_t offset)
{
    if (rows == 1) {
        ev_tile_row_dsp(words, 1, x, count, offset);
        return;
    }
    const uint32_t fours = count / 4;
    (rows == 3 ? ev_tile_3_dsp : ev_tile_2_dsp)(words, x, x_stride, fours, offset);
    if (count % 4 == 0)
        return;
    words += 2 * rows * fours;
    x += 4 * fours;
    for (uint32_t r = 0; r < rows; r++, x += x_stride)
        unpack_rest(words + r, rows, x, count % 4, offset);
}
