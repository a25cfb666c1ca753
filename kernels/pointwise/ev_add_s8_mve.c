/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>

#include "ev_contract.h"
#include "ev_kernels_mve.h"

/* Even and odd bytes in lanes of 16 bits: (x << 7) * factor * 2 >> 16 is (x * factor) >> 8. A result is shifted left
   until it is the upper byte of its lane: saturation to 16 bits is then saturation to 8. */
static inline int8x16_t add_vectors(const struct ev_add *p, int8x16_t a, int8x16_t b)
{
    const int16x8_t a_factor = vdupq_n_s16(p->a_factor);
    const int32_t up = 8 - p->shift;
    int16x8_t even = vqdmlashq_n_s16(vshllbq_n_s8(a, 7), a_factor, p->offset);
    int16x8_t odd = vqdmlashq_n_s16(vshlltq_n_s8(a, 7), a_factor, p->offset);
    even = vqshlq_r_s16(vqdmlahq_n_s16(even, vshllbq_n_s8(b, 7), p->b_factor), up);
    odd = vqshlq_r_s16(vqdmlahq_n_s16(odd, vshlltq_n_s8(b, 7), p->b_factor), up);
    return vreinterpretq_s8_s16(vsriq_n_s16(odd, even, 8));
}

void ev_add_s8_mve(const struct ev_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_add(p));
    EV_ASSERT(ev_same_or_disjoint(a, y, count));
    EV_ASSERT(ev_same_or_disjoint(b, y, count));
    const struct ev_add add = *p;
    for (uint32_t blocks = count / 16; blocks; blocks--, a += 16, b += 16, y += 16)
        vstrbq_s8(y, add_vectors(&add, vldrbq_s8(a), vldrbq_s8(b)));
    const mve_pred16_t tail = vctp8q(count % 16);
    vstrbq_p_s8(y, add_vectors(&add, vldrbq_z_s8(a, tail), vldrbq_z_s8(b, tail)), tail);
}
