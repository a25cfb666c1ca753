/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels_mve.h"

void ev_linear_s8_mve(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const struct ev_product_mve product = {
        .depth = p->depth, .columns = p->columns, .x_stride = p->x_stride, .y_stride = p->y_stride, .blocks = p->weight,
    };
    (void)scratch;
    EV_ASSERT(ev_valid_strides(p->depth, p->x_stride, p->columns, p->y_stride));
    EV_ASSERT(ev_disjoint(x, ev_extent(rows, p->x_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns)));
    ev_product_s8_mve(&product, x, y, rows);
}
