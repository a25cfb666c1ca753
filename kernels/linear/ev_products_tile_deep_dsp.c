/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_products_tile_dsp.h"

void ev_products_tile_deep_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t rows, void *y,
                               uint32_t y_stride)
{
    ev_products_tile(p, tile, rows, y, y_stride, 1, ev_products_deep_dsp, ev_products_row_deep_dsp);
}
