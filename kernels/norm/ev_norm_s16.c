/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

typedef int16_t ev_norm_x;

#include "ev_kernels.h"
#include "ev_norm_plain.h"

static struct ev_norm_row reduce_row(const struct ev_norm *p, const int16_t *x)
{
    int32_t total = 0;
    uint64_t squares = 0;
    EV_UNROLL_4
    for (uint32_t i = 0; i < p->length; i++) {
        total += x[i];
        squares += (uint32_t)(x[i] * x[i]);
    }
    return ev_norm_row(p, total, squares, 2, 8);
}

void ev_norm_s16(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_norm_rows(p, x, y, rows, reduce_row, normalise, normalise_affine);
}
