/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_products_tile_dsp.h"

void ev_products_tile_to_s16_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t rows, void *y,
                                 uint32_t y_stride)
{
    ev_products_tile(p, tile, rows, y, y_stride, 2, ev_products_to_s16_dsp, ev_products_row_to_s16_dsp);
}
