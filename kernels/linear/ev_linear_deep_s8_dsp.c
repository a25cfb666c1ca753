/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_linear_dsp.h"

void ev_linear_deep_s8_dsp(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    ev_linear_tiles(p, x, (uint8_t *)y, 1, rows, scratch, ev_products_tile_deep_dsp);
}
