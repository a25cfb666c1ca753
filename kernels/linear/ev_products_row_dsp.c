/* SPDX-License-Identifier: Apache-2.0 */
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

static inline void store_pair(struct pair pair, const int32_t *constants, int8_t y[2])
{
    y[0] = ev_requantize_dsp(pair.low + constants[0], constants[2]);
    y[1] = ev_requantize_dsp(((pair.all - pair.low) >> 8) + constants[1], constants[3]);
}

void ev_products_row_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t row, int8_t *y)
{
    const int8_t *w = p->weight;
    const int32_t *constants = p->constants;
    const int32_t start = (int32_t)tile[row];
    const uint32_t *const first = tile + EV_TILE_HEAD + row, *const end = first + p->words * EV_TILE_ROWS;
    for (uint32_t n = 0; n < p->columns; n += EV_BLOCK) {
        struct pair one = {.low = start, .all = start}, two = {.low = start, .all = start};
        EV_NO_UNROLL
        for (const uint32_t *x = first; x != end; x += 2 * EV_TILE_ROWS, w += 16) {
            add_word(&one, x[0], ev_load4(w));
            add_word(&two, x[0], ev_load4(w + 4));
            add_word(&one, x[EV_TILE_ROWS], ev_load4(w + 8));
            add_word(&two, x[EV_TILE_ROWS], ev_load4(w + 12));
        }
        int8_t block[EV_BLOCK];
        store_pair(one, constants, block);
        store_pair(two, constants + 4, block + 2);
        memcpy(y + n, block, p->columns - n < EV_BLOCK ? p->columns - n : EV_BLOCK);
        constants += p->constants_step / 4;
    }
}
