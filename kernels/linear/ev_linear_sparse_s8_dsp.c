/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_linear_sparse_dsp.h"

void ev_linear_sparse_s8_dsp(const struct ev_linear_sparse *p, const int8_t *x, int8_t *y, uint32_t rows,
                             void *scratch)
{
    ev_linear_sparse_tiles(p, x, (uint8_t *)y, 1, rows, scratch, ev_sparse_products_dsp,
                           ev_sparse_row_dsp);
}
