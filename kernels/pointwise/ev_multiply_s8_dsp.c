/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_round_dsp.h"

struct constants {
    uint32_t a_offset, b_offset; /* minus the zero point, in both halves */
    int32_t bias, multiplier;
};

static inline void multiply_four(const struct constants *c, const int8_t *a, const int8_t *b, int8_t *y)
{
    const uint32_t word_a = ev_load4(a), word_b = ev_load4(b);
    const int32_t even_a = (int32_t)ev_add_even_bytes(c->a_offset, word_a);
    const int32_t even_b = (int32_t)ev_add_even_bytes(c->b_offset, word_b);
    const int32_t odd_a = (int32_t)ev_add_odd_bytes(c->a_offset, word_a);
    const int32_t odd_b = (int32_t)ev_add_odd_bytes(c->b_offset, word_b);
    y[0] = ev_requantize_dsp(__smlabb(even_a, even_b, c->bias), c->multiplier);
    y[2] = ev_requantize_dsp(__smlatt(even_a, even_b, c->bias), c->multiplier);
    y[1] = ev_requantize_dsp(__smlabb(odd_a, odd_b, c->bias), c->multiplier);
    y[3] = ev_requantize_dsp(__smlatt(odd_a, odd_b, c->bias), c->multiplier);
}

static void multiply(const struct constants *c, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    const struct constants local = *c;
    EV_NO_UNROLL
    for (uint32_t i = count / 8; i; i--, a += 8, b += 8, y += 8) {
        multiply_four(&local, a, b, y);
        multiply_four(&local, a + 4, b + 4, y + 4);
        EV_OPAQUE_PTR(y);
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 8; i; i--) {
        const int32_t x = *a++ + (int16_t)local.a_offset, z = *b++ + (int16_t)local.b_offset;
        *y++ = ev_requantize_dsp(x * z + local.bias, local.multiplier);
    }
}

void ev_multiply_s8_dsp(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_multiply(p, count));
    EV_ASSERT(ev_same_or_disjoint(a, y, count));
    EV_ASSERT(p->b_period ? ev_disjoint(b, p->b_period, y, count) : ev_same_or_disjoint(b, y, count));
    const struct constants c = {
        .a_offset = ev_low_halves(-p->a_zero, -p->a_zero),
        .b_offset = ev_low_halves(-p->b_zero, -p->b_zero),
        .bias = p->bias,
        .multiplier = p->multiplier,
    };
    const uint32_t period = p->b_period ? p->b_period : count;
    for (; count > period; count -= period, a += period, y += period)
        multiply(&c, a, b, y, period);
    multiply(&c, a, b, y, count);
}
