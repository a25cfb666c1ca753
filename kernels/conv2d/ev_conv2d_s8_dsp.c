/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_conv2d_dsp.h"

static const struct ev_products_by_rows by_rows = {
    .of = {ev_products_1_dsp, ev_products_2_dsp, ev_products_3_dsp},
    .bytes = 1,
    .constants = 2,
};

void ev_conv2d_s8_dsp(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                      void *scratch)
{
    EV_ASSERT_WINDOW(&p->window, x, y, p->columns, first, rows);
    ev_conv2d_tiles(p, x, (uint8_t *)y, first, rows, scratch, &by_rows);
}
