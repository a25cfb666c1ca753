/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ev_contract.h"
#include "ev_kernels.h"
#include "ev_place.h"

void ev_gather(const struct ev_gather *p, const void *x, const int16_t *places, void *y, uint32_t count)
{
    const uint32_t bytes = p->row_bytes;
    EV_ASSERT(ev_between(1, p->rows, INT16_MAX) && bytes > 0 && ev_aligned(places, 2));
    EV_ASSERT(ev_disjoint(x, (size_t)p->rows * bytes, y, (size_t)count * bytes));
    EV_ASSERT(ev_disjoint(places, (size_t)count * 2, y, (size_t)count * bytes));
    uint8_t *out = y;
    for (; count; count--, out += bytes)
        memcpy(out, (const uint8_t *)x + ev_row_at(*places++, p->rows) * bytes, bytes);
}
