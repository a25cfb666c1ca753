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

EV_INLINE void store_pair(int32_t first, int32_t second, const int32_t *constants, void *y, uint32_t bytes)
{
    if (bytes == 1) {
        ((int8_t *)y)[0] = ev_requantize_dsp(first + constants[0], constants[2]);
        ((int8_t *)y)[1] = ev_requantize_dsp(second + constants[1], constants[3]);
    } else {
        ((int16_t *)y)[0] = ev_requantize_s16_dsp(first + constants[0], constants[2]);
        ((int16_t *)y)[1] = ev_requantize_s16_dsp(second + constants[1], constants[3]);
    }
}

/* Returns the sum of the second column, and begins A again. */
static inline int32_t take_out(struct pair *pair)
{
    const int32_t second = (pair->all - pair->low) >> 8;
    pair->all = pair->low;
    return second;
}

/* `run` is EV_RUN_WORDS, or 0 where no sum reaches 2^23. */
EV_INLINE void ev_products_row(const struct ev_products *p, const uint32_t *tile, uint32_t row, void *y,
                               uint32_t bytes, uint32_t run)
{
    const int8_t *w = p->weight;
    const int32_t *constants = p->constants;
    const int32_t start = (int32_t)tile[row];
    const uint32_t *const first = tile + EV_TILE_HEAD + row;
    for (uint32_t n = 0; n < p->columns; n += EV_BLOCK) {
        struct pair one = {.low = start, .all = start}, two = {.low = start, .all = start};
        int32_t second_of_one = 0, second_of_two = 0;
        const uint32_t *x = first;
        for (uint32_t words = p->words, count; words > 0; words -= count) {
            count = run > 0 && words > run ? run : words;
            const uint32_t *const eights = x + count / 8 * 8 * EV_TILE_ROWS, *const end = x + count * EV_TILE_ROWS;
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
            second_of_one += take_out(&one);
            second_of_two += take_out(&two);
        }
        const uint32_t count = p->columns - n < EV_BLOCK ? p->columns - n : EV_BLOCK;
        int16_t block[EV_BLOCK];
        store_pair(one.low, second_of_one, constants, block, bytes);
        store_pair(two.low, second_of_two, constants + 4, (uint8_t *)block + 2 * bytes, bytes);
        if (count == EV_BLOCK) /* a copy of a constant size, which is no call */
            memcpy((uint8_t *)y + n * bytes, block, EV_BLOCK * bytes);
        else
            memcpy((uint8_t *)y + n * bytes, block, count * bytes);
        constants += p->constants_step / 4;
    }
}

#endif
