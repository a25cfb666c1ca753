/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels.h"
#include "ev_products.h"

void ev_matmul_s8(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows,
                  void *scratch)
{
    (void)scratch;
    EV_ASSERT(ev_valid_matmul(p));
    EV_ASSERT(ev_aligned(packed, 16));
    EV_ASSERT(ev_disjoint(a, ev_extent(rows, p->a_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns)));
    const int32_t *bias = packed;
    const struct ev_product product = {
        .depth = p->depth,
        .columns = p->columns,
        .x_stride = p->a_stride,
        .y_stride = p->y_stride,
        .multiplier_step = 0,
        .weight = (const int8_t *)(bias + p->columns),
        .bias = bias,
        .multiplier = &p->multiplier,
    };
    ev_product(&product, a, y, 1, rows);
}
