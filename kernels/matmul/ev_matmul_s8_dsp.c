/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_products_dsp.h"

static const struct ev_products_by_rows by_rows = {
    .of = {ev_products_offset_1_dsp, ev_products_offset_2_dsp, ev_products_offset_3_dsp},
    .bytes = 1,
    .constants = 0,
};

enum { MINUS_128 = (int)0xff80ff80 };

/* Begins B of each row with -128 times the sum of the row. */
static void set_tile_head(uint32_t *tile, uint32_t rows, uint32_t words)
{
    for (uint32_t r = 0; r < rows; r++) {
        const uint32_t *x = tile + EV_TILE_HEAD + r, *const end = x + words * rows;
        int32_t sum = 0;
        EV_NO_UNROLL
        for (; x != end; x += 2 * rows)
            sum = __smlad((int16x2_t)x[rows], MINUS_128, __smlad((int16x2_t)x[0], MINUS_128, sum));
        ev_set_tile_head(tile, rows, r, sum);
    }
}

/* Scratch is a tile, of values minus the zero point. */
void ev_matmul_s8_dsp(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows,
                      void *scratch)
{
    const int32_t constants[4] = {p->bias, p->bias, p->multiplier, p->multiplier};
    const struct ev_products products = {
        .weight = packed,
        .constants = constants,
        .words = ev_tile_words(p->depth),
        .columns = p->columns,
    };
    EV_ASSERT(ev_valid_matmul(p));
    EV_ASSERT(ev_aligned(packed, 16) && ev_between(2, p->tile_rows, EV_TILE_ROWS));
    EV_ASSERT(ev_disjoint(a, ev_extent(rows, p->a_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns)));
    EV_ASSERT(p->depth * (p->a_zero < 0 ? 127 - p->a_zero : 128 + p->a_zero) * 128 < 1 << 23);
    EV_ASSERT(ev_aligned(scratch, 16));
    const uint32_t offset = (uint16_t)-p->a_zero * 0x10001u;
    uint32_t *tile = scratch;
    while (rows > 0) {
        const uint32_t count = ev_next_rows(rows, p->tile_rows);
        ev_tile_rows_dsp(tile + EV_TILE_HEAD, count, a, p->a_stride, p->depth, offset);
        set_tile_head(tile, count, products.words);
        ev_products_tile_dsp(&products, &by_rows, tile, count, y, p->y_stride);
        a += count * p->a_stride;
        y += count * p->y_stride;
        rows -= count;
    }
}
