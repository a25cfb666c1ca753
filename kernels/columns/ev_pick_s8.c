/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"

/* noinline: each loop has all registers. */
EV_NOINLINE static void pick_narrow(const uint8_t *index, const int8_t *x, int8_t *y, uint32_t count)
{
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++)
        y[i] = x[index[i]];
}

EV_NOINLINE static void pick_wide(const uint16_t *index, const int8_t *x, int8_t *y, uint32_t count)
{
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++)
        y[i] = x[index[i]];
}

void ev_pick_s8(const struct ev_pick *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows)
{
    const uint32_t columns = p->y_columns;
    EV_ASSERT(p->repeat > 0 && p->period > 0 && !p->narrow != !p->wide);
    EV_ASSERT(ev_disjoint(x, (size_t)rows * p->x_columns, y, (size_t)rows * columns));
    for (uint32_t row = first; row < first + rows; row++, x += p->x_columns, y += columns) {
        const uint32_t start = row / p->repeat % p->period * columns;
        if (p->narrow)
            pick_narrow(p->narrow + start, x, y, columns);
        else
            pick_wide(p->wide + start, x, y, columns);
    }
}
