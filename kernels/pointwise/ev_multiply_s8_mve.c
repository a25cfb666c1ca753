#include <arm_mve.h>

#include "ev_kernels_mve.h"
#include "ev_round_mve.h"

/* The lower byte of each lane is the result. */
static inline int16x8_t products(const struct ev_multiply *p, int16x8_t a, int16x8_t b)
{
    const int32x4_t multiplier = vdupq_n_s32(p->multiplier);
    a = vsubq_n_s16(a, p->left_zero);
    b = vsubq_n_s16(b, p->right_zero);
    const int32x4_t even = vaddq_n_s32(vmullbq_int_s16(a, b), p->bias);
    const int32x4_t odd = vaddq_n_s32(vmulltq_int_s16(a, b), p->bias);
    return ev_requantize_halves_mve(even, multiplier, odd, multiplier);
}

static inline void multiply_row(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y,
                                uint32_t count)
{
    for (uint32_t blocks = count / 8; blocks; blocks--, a += 8, b += 8, y += 8)
        vstrbq_s16(y, products(p, vldrbq_s16(a), vldrbq_s16(b)));
    const mve_pred16_t inside = vctp16q(count % 8);
    vstrbq_p_s16(y, products(p, vldrbq_z_s16(a, inside), vldrbq_z_s16(b, inside)), inside);
}

void ev_multiply_s8_mve(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    const struct ev_multiply multiply = *p;
    const uint32_t row = p->row ? p->row : count;
    for (; count > row; count -= row, a += row, y += row)
        multiply_row(&multiply, a, b, y, row);
    multiply_row(&multiply, a, b, y, count);
}
