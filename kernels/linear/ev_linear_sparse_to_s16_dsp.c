/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_linear_sparse_dsp.h"

void ev_linear_sparse_to_s16_dsp(const struct ev_linear_sparse *p, const int8_t *x, int16_t *y, uint32_t rows,
                             void *scratch)
{
    ev_linear_sparse_tiles(p, x, (uint8_t *)y, 2, rows, scratch, ev_sparse_products_to_s16_dsp,
                           ev_sparse_row_to_s16_dsp);
}
