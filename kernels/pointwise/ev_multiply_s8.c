/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"
#include "ev_round.h"

/* noinline: inlined twice, its loop spills. */
EV_NOINLINE static void multiply(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y,
                                 uint32_t count)
{
    const int32_t a_zero = p->a_zero, b_zero = p->b_zero;
    const int32_t bias = p->bias, multiplier = p->multiplier;
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++)
        y[i] = ev_requantize((a[i] - a_zero) * (b[i] - b_zero) + bias, multiplier);
}

void ev_multiply_s8(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_multiply(p, count));
    EV_ASSERT(ev_same_or_disjoint(a, y, count));
    EV_ASSERT(p->b_period ? ev_disjoint(b, p->b_period, y, count) : ev_same_or_disjoint(b, y, count));
    const uint32_t period = p->b_period ? p->b_period : count;
    for (; count > period; count -= period, a += period, y += period)
        multiply(p, a, b, y, period);
    multiply(p, a, b, y, count);
}
