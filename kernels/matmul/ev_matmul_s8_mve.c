/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels_mve.h"

void ev_matmul_s8_mve(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows,
                      void *scratch)
{
    const struct ev_product_mve product = {
        .depth = p->depth, .columns = p->columns, .x_stride = p->a_stride, .y_stride = p->y_stride, .blocks = packed,
    };
    (void)scratch;
    EV_ASSERT(ev_valid_matmul(p));
    EV_ASSERT(ev_aligned(packed, 16));
    EV_ASSERT(ev_disjoint(a, ev_extent(rows, p->a_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns)));
    ev_product_s8_mve(&product, a, y, rows);
}
