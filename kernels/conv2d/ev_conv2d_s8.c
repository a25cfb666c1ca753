/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_conv2d_plain.h"

void ev_conv2d_s8(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                  void *scratch)
{
    EV_ASSERT_WINDOW(&p->window, x, y, p->columns, first, rows);
    ev_conv2d_plain(p, x, y, 1, first, rows, scratch);
}
