/* SPDX-License-Identifier: Apache-2.0 */
/* One row of a tile by all columns, stored in elements of 1 or 2 bytes. */
#ifndef EV_PRODUCTS_ROW_DSP_H
#define EV_PRODUCTS_ROW_DSP_H

#include "ev_compiler.h"
#include "ev_lanes_dsp.h"
#include "ev_products_dsp.h"
#include "ev_round_dsp.h"

/* The sums of a pair of columns: B and A of ev_products_dsp.h. */
struct pair {
    int32_t low, all;
};

static inline void add_word(struct pair *pair, uint32_t x, uint32_t w)
{
    pair->all = __smlad((int16x2_t)x, (int16x2_t)w, pair->all);
    pair->low = __smlad((int16x2_t)x, (int16x2_t)__uxtb16(w), pair->low);
}

/* Two words of a row by the two pairs of a block. */
static inline void add_two_words(struct pair *one, struct pair *two, const uint32_t *x, const int8_t *w)
{
    add_word(one, x[0], ev_load4(w));
    add_word(two, x[0], ev_load4(w + 4));
    add_word(one, x[EV_TILE_ROWS], ev_load4(w + 8));
    add_word(two, x[EV_TILE_ROWS], ev_load4(w + 12));
}

EV_INLINE void store_pair(struct pair pair, const int32_t *constants, void *y, uint32_t bytes)
{
    const int32_t first = pair.low + constants[0], second = ((pair.all - pair.low) >> 8) + constants[1];
    if (bytes == 1) {
        ((int8_t *)y)[0] = ev_requantize_dsp(first, constants[2]);
        ((int8_t *)y)[1] = ev_requantize_dsp(second, constants[3]);
    } else {
        ((int16_t *)y)[0] = ev_requantize_s16_dsp(first, constants[2]);
        ((int16_t *)y)[1] = ev_requantize_s16_dsp(second, constants[3]);
    }
}

EV_INLINE void ev_products_row(const struct ev_products *p, const uint32_t *tile, uint32_t row, void *y, uint32_t bytes)
{
    const int8_t *w = p->weight;
    const int32_t *constants = p->constants;
    const int32_t start = (int32_t)tile[row];
    const uint32_t *const first = tile + EV_TILE_HEAD + row, *const end = first + p->words * EV_TILE_ROWS;
    const uint32_t *const eights = first + p->words / 8 * 8 * EV_TILE_ROWS;
    for (uint32_t n = 0; n < p->columns; n += EV_BLOCK) {
        struct pair one = {.low = start, .all = start}, two = {.low = start, .all = start};
        const uint32_t *x = first;
        EV_NO_UNROLL
        for (; x != eights; x += 8 * EV_TILE_ROWS, w += 64) {
            add_two_words(&one, &two, x, w);
            add_two_words(&one, &two, x + 2 * EV_TILE_ROWS, w + 16);
            add_two_words(&one, &two, x + 4 * EV_TILE_ROWS, w + 32);
            add_two_words(&one, &two, x + 6 * EV_TILE_ROWS, w + 48);
        }
        EV_NO_UNROLL
        for (; x != end; x += 2 * EV_TILE_ROWS, w += 16)
            add_two_words(&one, &two, x, w);
        const uint32_t count = p->columns - n < EV_BLOCK ? p->columns - n : EV_BLOCK;
        int16_t block[EV_BLOCK];
        store_pair(one, constants, block, bytes);
        store_pair(two, constants + 4, (uint8_t *)block + 2 * bytes, bytes);
        if (count == EV_BLOCK) /* a copy of a constant size, which is no call */
            memcpy((uint8_t *)y + n * bytes, block, EV_BLOCK * bytes);
        else
            memcpy((uint8_t *)y + n * bytes, block, count * bytes);
        constants += p->constants_step / 4;
    }
}

#endif
