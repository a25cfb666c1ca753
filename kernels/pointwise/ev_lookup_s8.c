/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"

/* All loads before the stores: loads in a row are pipelined. */
static inline void lookup_eight(const int8_t *table, const uint8_t *in, int8_t *y)
{
    int8_t y0 = table[in[0]], y1 = table[in[1]], y2 = table[in[2]], y3 = table[in[3]];
    int8_t y4 = table[in[4]], y5 = table[in[5]], y6 = table[in[6]], y7 = table[in[7]];
    y[0] = y0;
    y[1] = y1;
    y[2] = y2;
    y[3] = y3;
    y[4] = y4;
    y[5] = y5;
    y[6] = y6;
    y[7] = y7;
}

void ev_lookup_s8(const struct ev_lookup *p, const int8_t *x, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_same_or_disjoint(x, y, count));
    const int8_t *table = p->table;
    const uint8_t *in = (const uint8_t *)x;
    EV_NO_UNROLL
    for (uint32_t i = count / 16; i; i--, in += 16, y += 16) {
        lookup_eight(table, in, y);
        lookup_eight(table, in + 8, y + 8);
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 16; i; i--)
        *y++ = table[*in++];
}
