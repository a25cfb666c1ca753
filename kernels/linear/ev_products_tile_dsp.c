/* SPDX-License-Identifier: Apache-2.0 */
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

void ev_products_tile_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t rows, int8_t *y,
                          uint32_t y_stride)
{
    const uint32_t blocks = rows == EV_TILE_ROWS ? p->columns / EV_BLOCK * EV_BLOCK : 0;
    if (blocks > 0)
        ev_products_dsp(p, tile, y, y_stride, blocks);
    if (blocks == p->columns)
        return;
    const struct ev_products remaining = skip_columns(p, blocks);
    for (uint32_t r = 0; r < rows; r++)
        ev_products_row_dsp(&remaining, tile, r, y + r * y_stride + blocks);
}
