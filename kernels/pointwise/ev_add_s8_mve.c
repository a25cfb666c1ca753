#include <arm_mve.h>

#include "ev_kernels_mve.h"

/* In lanes of 16 bits, the even bytes and the odd ones: (x << 7) * factor * 2 >> 16 is (x * factor) >> 8. Shifted up
   until a result is the upper byte of its lane, saturation to 16 bits is the one to 8. */
static inline int8x16_t sums(const struct ev_add *p, int8x16_t a, int8x16_t b)
{
    const int16x8_t left = vdupq_n_s16(p->left);
    const int32_t up = 8 - p->shift;
    int16x8_t even = vqdmlashq_n_s16(vshllbq_n_s8(a, 7), left, p->offset);
    int16x8_t odd = vqdmlashq_n_s16(vshlltq_n_s8(a, 7), left, p->offset);
    even = vqshlq_r_s16(vqdmlahq_n_s16(even, vshllbq_n_s8(b, 7), p->right), up);
    odd = vqshlq_r_s16(vqdmlahq_n_s16(odd, vshlltq_n_s8(b, 7), p->right), up);
    return vreinterpretq_s8_s16(vsriq_n_s16(odd, even, 8));
}

void ev_add_s8_mve(const struct ev_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    const struct ev_add add = *p;
    for (uint32_t blocks = count / 16; blocks; blocks--, a += 16, b += 16, y += 16)
        vstrbq_s8(y, sums(&add, vldrbq_s8(a), vldrbq_s8(b)));
    const mve_pred16_t inside = vctp8q(count % 16);
    vstrbq_p_s8(y, sums(&add, vldrbq_z_s8(a, inside), vldrbq_z_s8(b, inside)), inside);
}
