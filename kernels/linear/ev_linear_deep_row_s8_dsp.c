/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_linear_dsp.h"

static const struct ev_products_by_rows by_rows = {.of = {ev_products_deep_1_dsp}, .bytes = 1, .constants = 2};

void ev_linear_deep_row_s8_dsp(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    EV_ASSERT(rows == 1);
    ev_linear_tiles(p, x, (uint8_t *)y, rows, scratch, &by_rows);
}
