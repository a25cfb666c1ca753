/* SPDX-License-Identifier: Apache-2.0 */
/* The loop over rows of every norm kernel. The including file defines `ev_norm_x`, the type of the input, before. */
#ifndef EV_NORM_ROWS_H
#define EV_NORM_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_norm_row.h"

typedef struct ev_norm_row ev_norm_reduce(const struct ev_norm *p, const ev_norm_x *x);

/* A whole row without a gain, or one period of gain and bias. */
typedef void ev_norm_apply(const struct ev_norm *p, const struct ev_norm_row *row, const ev_norm_x *x, int8_t *y);

EV_INLINE void ev_norm_rows(const struct ev_norm *p, const ev_norm_x *x, int8_t *y, uint32_t rows,
                            ev_norm_reduce *reduce_row, ev_norm_apply *normalise, ev_norm_apply *normalise_affine)
{
    EV_ASSERT(ev_valid_norm(p, 8 * sizeof(ev_norm_x) - 1, sizeof(ev_norm_x) == 1 ? 16 : 8));
    EV_ASSERT(ev_valid_gain(p));
    EV_ASSERT((const void *)x == y ? sizeof(ev_norm_x) == 1
                                   : ev_disjoint(x, sizeof(ev_norm_x) * p->length * rows, y, (size_t)p->length * rows));
    for (; rows; rows--, x += p->length, y += p->length) {
        const struct ev_norm_row row = reduce_row(p, x);
        if (p->gain == NULL) {
            normalise(p, &row, x, y);
            continue;
        }
        for (uint32_t i = 0; i < p->length; i += p->channels)
            normalise_affine(p, &row, x + i, y + i);
    }
}

#endif
