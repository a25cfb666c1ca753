#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_round_dsp.h"

struct constants {
    uint32_t left, right; /* minus the zero points, in both halves */
    int32_t bias, multiplier;
};

static inline void multiply_four(const struct constants *c, const int8_t *a, const int8_t *b, int8_t *y)
{
    const uint32_t word_a = ev_load4(a), word_b = ev_load4(b);
    const int32_t even_a = (int32_t)ev_add_even_bytes(c->left, word_a);
    const int32_t even_b = (int32_t)ev_add_even_bytes(c->right, word_b);
    const int32_t odd_a = (int32_t)ev_add_odd_bytes(c->left, word_a);
    const int32_t odd_b = (int32_t)ev_add_odd_bytes(c->right, word_b);
    y[0] = ev_requantize_dsp(__smlabb(even_a, even_b, c->bias), c->multiplier);
    y[2] = ev_requantize_dsp(__smlatt(even_a, even_b, c->bias), c->multiplier);
    y[1] = ev_requantize_dsp(__smlabb(odd_a, odd_b, c->bias), c->multiplier);
    y[3] = ev_requantize_dsp(__smlatt(odd_a, odd_b, c->bias), c->multiplier);
}

static void multiply(const struct constants *c, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    const struct constants kept = *c;
    EV_AS_WRITTEN
    for (uint32_t i = count / 8; i; i--, a += 8, b += 8, y += 8) {
        multiply_four(&kept, a, b, y);
        multiply_four(&kept, a + 4, b + 4, y + 4);
        EV_POINTER(y);
    }
    EV_AS_WRITTEN
    for (uint32_t i = count % 8; i; i--) {
        const int32_t x = *a++ + (int16_t)kept.left, z = *b++ + (int16_t)kept.right;
        *y++ = ev_requantize_dsp(x * z + kept.bias, kept.multiplier);
    }
}

void ev_multiply_s8_dsp(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    const struct constants c = {
        ev_low_halves(-p->left_zero, -p->left_zero),
        ev_low_halves(-p->right_zero, -p->right_zero),
        p->bias,
        p->multiplier,
    };
    const uint32_t row = p->row ? p->row : count;
    for (; count > row; count -= row, a += row, y += row)
        multiply(&c, a, b, y, row);
    multiply(&c, a, b, y, count);
}
