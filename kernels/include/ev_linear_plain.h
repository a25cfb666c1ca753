/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer in portable C, stored in elements of 1 or 2 bytes. */
#ifndef EV_LINEAR_PLAIN_H
#define EV_LINEAR_PLAIN_H

#include "ev_contract.h"
#include "ev_kernels.h"
#include "ev_products.h"

EV_INLINE void ev_linear_plain(const struct ev_linear *p, const int8_t *x, void *y, uint32_t bytes, uint32_t rows)
{
    EV_ASSERT(ev_valid_strides(p->depth, p->x_stride, p->columns, p->y_stride));
    EV_ASSERT(ev_disjoint(x, ev_extent(rows, p->x_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns) * bytes));
    EV_ASSERT(ev_aligned(y, bytes) && ev_aligned(p->bias, 4) && ev_all_positive(p->multiplier, p->columns));
    const struct ev_product product = {
        .depth = p->depth,
        .columns = p->columns,
        .x_stride = p->x_stride,
        .y_stride = p->y_stride,
        .multiplier_step = 1,
        .weight = p->weight,
        .bias = p->bias,
        .multiplier = p->multiplier,
    };
    ev_product(&product, x, y, bytes, rows);
}

#endif
