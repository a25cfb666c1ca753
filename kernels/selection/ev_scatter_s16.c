/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_kernels.h"
#include "ev_scatter_rows.h"

void ev_scatter_s16(const struct ev_scatter *p, const int16_t *x, const int16_t *places, const int16_t *rows,
                    int16_t *y, uint32_t count)
{
    ev_scatter_rows(p, x, places, rows, y, count, 16);
}
