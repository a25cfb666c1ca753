/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_linear_sparse_plain.h"

void ev_linear_sparse_to_s16(const struct ev_linear_sparse *p, const int8_t *x, int16_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_linear_sparse_plain(p, x, y, 2, rows);
}
