/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_kernels.h"
#include "ev_scatter_rows.h"

void ev_scatter_s8(const struct ev_scatter *p, const int8_t *x, const int16_t *places, const int8_t *rows,
                   int8_t *y, uint32_t count)
{
    ev_scatter_rows(p, x, places, rows, y, count, 8);
}
