/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_linear_plain.h"

void ev_linear_s8(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_linear_plain(p, x, y, 1, rows);
}
