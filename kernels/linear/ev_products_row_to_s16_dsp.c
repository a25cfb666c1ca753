/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_products_row_dsp.h"

void ev_products_row_to_s16_dsp(const struct ev_products *p, const uint32_t *tile, uint32_t row, void *y)
{
    ev_products_row(p, tile, row, y, 2, 0);
}
