#include "ev_kernels.h"
#include "ev_loops.h"
#include "ev_round.h"

EV_APART static void multiply(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y,
                              uint32_t count)
{
    const int32_t left_zero = p->left_zero, right_zero = p->right_zero;
    const int32_t bias = p->bias, multiplier = p->multiplier;
    EV_BY_FOUR
    for (uint32_t i = 0; i < count; i++)
        y[i] = ev_requantize((a[i] - left_zero) * (b[i] - right_zero) + bias, multiplier);
}

void ev_multiply_s8(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    const uint32_t row = p->row ? p->row : count;
    for (; count > row; count -= row, a += row, y += row)
        multiply(p, a, b, y, row);
    multiply(p, a, b, y, count);
}
