/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ev_products_dsp.h"

/* The last of an odd number of columns: it and its padding go to `pair`. */
static void last_column(const struct ev_products *p, ev_products_rows *products, const uint32_t *tile, uint32_t rows,
                        uint8_t *y, uint32_t y_stride, uint32_t bytes)
{
    int16_t pair[EV_TILE_ROWS * EV_PAIR];
    products(p, tile, pair, EV_PAIR, EV_PAIR);
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < bytes; i++)
            y[r * y_stride * bytes + i] = ((const uint8_t *)pair)[r * EV_PAIR * bytes + i];
}

void ev_products_tile_dsp(const struct ev_products *p, const struct ev_products_by_rows *by_rows, const uint32_t *tile,
                          uint32_t rows, void *y, uint32_t y_stride)
{
    ev_products_rows *const products = by_rows->of[rows - 1];
    const uint32_t columns = p->columns / EV_PAIR * EV_PAIR;
    if (columns > 0)
        products(p, tile, y, y_stride, columns);
    if (columns < p->columns) {
        struct ev_products rest = *p;
        rest.weight += columns * p->words * 2;
        rest.constants += columns * by_rows->constants;
        last_column(&rest, products, tile, rows, (uint8_t *)y + columns * by_rows->bytes, y_stride, by_rows->bytes);
    }
}
