/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EV_ORDER_ROWS_H
#define EV_ORDER_ROWS_H

#include "ev_compiler.h"
#include "ev_contract.h"

/* What is sorted by, the largest first. `element_bytes` is a constant. */
EV_INLINE int32_t ev_order_key(const struct ev_order *p, const void *x, uint32_t i, const int element_bytes)
{
    const int32_t value = element_bytes == 1 ? ((const int8_t *)x)[i] : ((const int16_t *)x)[i];
    return p->rising ? -value : value;
}

/* Insertion into the places so far, of which no more than `count` stay. */
EV_INLINE void ev_order_rows(const struct ev_order *p, const void *x, int16_t *y, uint32_t rows, const int element_bytes)
{
    EV_ASSERT(ev_valid_order(p));
    EV_ASSERT(ev_aligned(x, (uintptr_t)element_bytes) && ev_aligned(y, 2));
    EV_ASSERT(ev_disjoint(x, (size_t)rows * p->length * (size_t)element_bytes, y, (size_t)rows * p->count * 2));
    for (; rows; rows--, x = (const int8_t *)x + p->length * element_bytes, y += p->count) {
        uint32_t sorted = 0;
        for (uint32_t i = 0; i < p->length; i++) {
            const int32_t key = ev_order_key(p, x, i, element_bytes);
            if (sorted == p->count && key <= ev_order_key(p, x, (uint32_t)y[sorted - 1], element_bytes))
                continue;
            uint32_t place = sorted < p->count ? sorted++ : sorted - 1;
            for (; place && key > ev_order_key(p, x, (uint32_t)y[place - 1], element_bytes); place--)
                y[place] = y[place - 1];
            y[place] = (int16_t)i;
        }
    }
}

#endif
