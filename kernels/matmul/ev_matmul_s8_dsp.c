/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_products_dsp.h"

/* Scratch is a tile, of values minus the zero point. */
void ev_matmul_s8_dsp(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows,
                      void *scratch)
{
    const int32_t bias = p->bias, multiplier = p->multiplier;
    const int32_t constants[8] = {bias, bias, multiplier, multiplier, bias, bias, multiplier, multiplier};
    const struct ev_products products = {
        .weight = packed,
        .constants = constants,
        .constants_step = 0,
        .words = ev_tile_words(p->depth),
        .columns = p->columns,
    };
    EV_ASSERT(ev_valid_matmul(p));
    EV_ASSERT(ev_aligned(packed, 16));
    EV_ASSERT(ev_disjoint(a, ev_extent(rows, p->a_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns)));
    EV_ASSERT(p->depth * (p->a_zero < 0 ? 127 - p->a_zero : 128 + p->a_zero) * 128 < 1 << 23);
    EV_ASSERT(ev_aligned(scratch, 16));
    const uint32_t offset = (uint16_t)-p->a_zero * 0x10001u;
    uint32_t *tile = scratch;
    while (rows > 0) {
        const uint32_t count = rows < EV_TILE_ROWS ? rows : EV_TILE_ROWS;
        for (uint32_t r = 0; r < count; r++, a += p->a_stride)
            ev_set_tile_head(tile, r, ev_tile_row_dsp(tile + EV_TILE_HEAD + r, a, p->depth, offset));
        ev_products_tile_dsp(&products, tile, count, y, p->y_stride);
        y += count * p->y_stride;
        rows -= count;
    }
}
