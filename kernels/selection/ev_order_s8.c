/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_kernels.h"
#include "ev_order_rows.h"

void ev_order_s8(const struct ev_order *p, const int8_t *x, int16_t *y, uint32_t rows)
{
    ev_order_rows(p, x, y, rows, 1);
}
