/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ev_contract.h"
#include "ev_kernels.h"

void ev_one_hot_s8(const struct ev_one_hot *p, const int16_t *places, int8_t *y, uint32_t count)
{
    const int32_t columns = p->columns;
    EV_ASSERT(ev_between(1, columns, INT16_MAX) && ev_between(-INT16_MAX, p->first, INT16_MAX));
    EV_ASSERT(ev_aligned(places, 2) && ev_disjoint(places, (size_t)count * 2, y, (size_t)count * p->columns));
    for (; count; count--, y += columns) {
        const int32_t column = *places++ - p->first;
        memset(y, p->zero, (size_t)columns);
        if (column >= 0 && column < columns)
            y[column] = p->one;
    }
}
