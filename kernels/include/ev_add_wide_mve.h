/* SPDX-License-Identifier: Apache-2.0 */
/* Eight results of add_wide, from eight of each operand. */
#ifndef EV_ADD_WIDE_MVE_H
#define EV_ADD_WIDE_MVE_H

#include "ev_halves_mve.h"
#include "ev_kernels_mve.h"

static inline int16x8_t ev_add_wide_mve(const struct ev_add_wide *p, int16x8_t a, int16x8_t b)
{
    const int16x8_t a_factor = vdupq_n_s16(p->a_factor), b_factor = vdupq_n_s16(p->b_factor);
    const int32x4_t even = vaddq_s32(vmullbq_int_s16(a, a_factor), vmullbq_int_s16(b, b_factor));
    const int32x4_t odd = vaddq_s32(vmulltq_int_s16(a, a_factor), vmulltq_int_s16(b, b_factor));
    return ev_halves_mve(vaddq_n_s32(even, p->offset), vaddq_n_s32(odd, p->offset), p->shift);
}

#endif
