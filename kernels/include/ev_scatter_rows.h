/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EV_SCATTER_ROWS_H
#define EV_SCATTER_ROWS_H

#include <string.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_place.h"

/* `bits` is a constant: 8 or 16. */
EV_INLINE int32_t ev_scatter_clamp(int32_t value, const int bits)
{
    const int32_t most = (1 << (bits - 1)) - 1;
    return value > most ? most : value < -most - 1 ? -most - 1 : value;
}

EV_INLINE void ev_scatter_rows(const struct ev_scatter *p, const void *x, const int16_t *places, const void *rows,
                               void *y, uint32_t count, const int bits)
{
    const uint32_t width = p->width, size = (uint32_t)bits / 8;
    EV_ASSERT(ev_between(1, p->rows, INT16_MAX) && width > 0 && ev_aligned(places, 2) && ev_aligned(y, size));
    EV_ASSERT(ev_aligned(x, size) && ev_aligned(rows, size));
    EV_ASSERT(ev_disjoint(x, (size_t)p->rows * width * size, y, (size_t)p->rows * width * size));
    EV_ASSERT(ev_disjoint(rows, (size_t)count * width * size, y, (size_t)p->rows * width * size));
    memcpy(y, x, (size_t)p->rows * width * size);
    for (uint32_t k = 0; k < count; k++) {
        const uint32_t to = ev_row_at(places[k], p->rows) * width, from = k * width;
        for (uint32_t i = 0; i < width; i++) {
            const int32_t row = bits == 8 ? ((const int8_t *)rows)[from + i] : ((const int16_t *)rows)[from + i];
            const int32_t there = bits == 8 ? ((const int8_t *)y)[to + i] : ((const int16_t *)y)[to + i];
            const int32_t value = p->adds ? ev_scatter_clamp(there + row - p->zero, bits) : row;
            if (bits == 8)
                ((int8_t *)y)[to + i] = (int8_t)value;
            else
                ((int16_t *)y)[to + i] = (int16_t)value;
        }
    }
}

#endif
