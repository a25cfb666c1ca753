/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"

void ev_curve_s16(const struct ev_curve *p, const int16_t *x, int16_t *y, uint32_t count)
{
    EV_ASSERT(ev_same_or_disjoint(x, y, 2 * count));
    EV_ASSERT(ev_aligned(x, 2) && ev_aligned(y, 2) && ev_aligned(p->table, 2));
    const int16_t *const middle = p->table + 256;
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++) {
        const int32_t value = x[i];
        const int16_t *const from = middle + (value >> 7);
        y[i] = (int16_t)(from[0] + (((from[1] - from[0]) * (value & 127) + 64) >> 7));
    }
}
