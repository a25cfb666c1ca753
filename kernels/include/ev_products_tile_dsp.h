/* SPDX-License-Identifier: Apache-2.0 */
/* The first rows of a tile by all columns: whole blocks of both rows at once, the rest row by row. */
#ifndef EV_PRODUCTS_TILE_DSP_H
#define EV_PRODUCTS_TILE_DSP_H

#include "ev_compiler.h"
#include "ev_products_dsp.h"

/* The same products without their first `columns`, which are whole blocks. */
static struct ev_products skip_columns(const struct ev_products *p, uint32_t columns)
{
    struct ev_products rest = *p;
    rest.weight += columns * p->words * 2;
    rest.constants += columns / EV_BLOCK * (p->constants_step / 4);
    rest.columns -= columns;
    return rest;
}

typedef void ev_products_blocks(const struct ev_products *, const uint32_t *tile, void *y, uint32_t y_stride,
                                uint32_t columns);
typedef void ev_products_of_row(const struct ev_products *, const uint32_t *tile, uint32_t row, void *y);

EV_INLINE void ev_products_tile(const struct ev_products *p, const uint32_t *tile, uint32_t rows, uint8_t *y,
                                uint32_t y_stride, uint32_t bytes, ev_products_blocks *whole_blocks,
                                ev_products_of_row *one_row)
{
    const uint32_t blocks = rows == EV_TILE_ROWS ? p->columns / EV_BLOCK * EV_BLOCK : 0;
    if (blocks > 0)
        whole_blocks(p, tile, y, y_stride, blocks);
    if (blocks == p->columns)
        return;
    const struct ev_products remaining = skip_columns(p, blocks);
    for (uint32_t r = 0; r < rows; r++)
        one_row(&remaining, tile, r, y + (r * y_stride + blocks) * bytes);
}

#endif
