/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_clamp.h"
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"

void ev_add_wide_s16(const struct ev_add_wide *p, const int16_t *a, const int16_t *b, int16_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_add_wide(p, 1 << 15));
    EV_ASSERT(ev_same_or_disjoint(a, y, 2 * count));
    EV_ASSERT(ev_same_or_disjoint(b, y, 2 * count));
    const int32_t a_factor = p->a_factor, b_factor = p->b_factor, offset = p->offset;
    const uint32_t shift = p->shift;
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++)
        y[i] = (int16_t)ev_clamp_s16((offset + a[i] * a_factor + b[i] * b_factor) >> shift);
}
