/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_linear_sparse_plain.h"

void ev_linear_sparse_s8(const struct ev_linear_sparse *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_linear_sparse_plain(p, x, y, 1, rows);
}
