/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_clamp.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

/* Factors times 2^8: SMLAW shifts the product right by 16, which is a floor too, and adds in the same instruction. */
struct factors {
    int32_t a, b, offset;
};

static inline int32_t add_low(const struct factors *f, int32_t a, int32_t b)
{
    return __smlawb(f->b, b, __smlawb(f->a, a, f->offset));
}

static inline int32_t add_high(const struct factors *f, int32_t a, int32_t b)
{
    return __smlawt(f->b, b, __smlawt(f->a, a, f->offset));
}

EV_INLINE void add_four(const struct factors *f, uint32_t shift, const int8_t *a, const int8_t *b, int8_t *y)
{
    const uint32_t word_a = ev_load4(a), word_b = ev_load4(b);
    const int32_t even_a = ev_even_bytes(word_a), even_b = ev_even_bytes(word_b);
    const int32_t odd_a = ev_odd_bytes(word_a), odd_b = ev_odd_bytes(word_b);
    y[0] = (int8_t)ev_clamp_s8(add_low(f, even_a, even_b) >> shift);
    y[2] = (int8_t)ev_clamp_s8(add_high(f, even_a, even_b) >> shift);
    y[1] = (int8_t)ev_clamp_s8(add_low(f, odd_a, odd_b) >> shift);
    y[3] = (int8_t)ev_clamp_s8(add_high(f, odd_a, odd_b) >> shift);
}

EV_INLINE void add_eights(const struct factors *f, uint32_t shift, const int8_t *a, const int8_t *b, int8_t *y,
                          uint32_t count)
{
    EV_NO_UNROLL
    for (uint32_t i = count / 8; i; i--, a += 8, b += 8, y += 8) {
        add_four(f, shift, a, b, y);
        add_four(f, shift, a + 4, b + 4, y + 4);
        EV_OPAQUE_PTR(y);
    }
}

/* The longest shift that 16 bits allow is mostly 7 or 6: a constant one is part of SSAT. */
void ev_add_s8_dsp(const struct ev_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_add(p));
    EV_ASSERT(ev_same_or_disjoint(a, y, count));
    EV_ASSERT(ev_same_or_disjoint(b, y, count));
    const struct factors f = {.a = p->a_factor * 256, .b = p->b_factor * 256, .offset = p->offset};
    const uint32_t shift = p->shift;
    if (shift == 7)
        add_eights(&f, 7, a, b, y, count);
    else if (shift == 6)
        add_eights(&f, 6, a, b, y, count);
    else
        add_eights(&f, shift, a, b, y, count);
    EV_NO_UNROLL
    for (uint32_t i = count & ~7u; i < count; i++)
        y[i] = (int8_t)ev_clamp_s8(add_low(&f, a[i], b[i]) >> shift);
}
