/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_clamp.h"
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"

void ev_add_s8(const struct ev_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_add(p));
    EV_ASSERT(ev_same_or_disjoint(a, y, count));
    EV_ASSERT(ev_same_or_disjoint(b, y, count));
    const int32_t a_factor = p->a_factor, b_factor = p->b_factor, offset = p->offset;
    const uint32_t shift = p->shift;
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++)
        y[i] = (int8_t)ev_clamp_s8((offset + (a[i] * a_factor >> 8) + (b[i] * b_factor >> 8)) >> shift);
}
