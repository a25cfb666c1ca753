/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>
#include <stdint.h>

#include "ev_halves_mve.h"
#include "ev_kernels_mve.h"
#include "ev_norm_row.h"

typedef int16_t ev_norm_x;
typedef int16x8_t ev_norm_vector;

enum { LANES = 8 };

/* Eight halves in lanes of 32 bits. */
struct ev_norm_sums {
    int32x4_t even, odd;
};

static inline ev_norm_vector load(const ev_norm_x *x)
{
    return vldrhq_s16(x);
}

static inline ev_norm_vector load_tail(const ev_norm_x *x, mve_pred16_t tail)
{
    return vldrhq_z_s16(x, tail);
}

static inline void store(int8_t *y, ev_norm_vector bytes)
{
    vstrbq_s16(y, bytes);
}

static inline void store_tail(int8_t *y, ev_norm_vector bytes, mve_pred16_t tail)
{
    vstrbq_p_s16(y, bytes, tail);
}

static inline mve_pred16_t tail_lanes(uint32_t count)
{
    return vctp16q(count);
}

static inline struct ev_norm_sums scale(const struct ev_norm_row *row, int16x8_t x)
{
    const int16x8_t a = vdupq_n_s16((int16_t)row->a);
    const struct ev_norm_sums y = {
        .even = vaddq_n_s32(vmullbq_int_s16(x, a), row->b),
        .odd = vaddq_n_s32(vmulltq_int_s16(x, a), row->b),
    };
    return y;
}

/* Saturation to 16 bits with eight fraction bits is saturation to 8. */
static inline int16x8_t narrow(struct ev_norm_sums y, int32_t shift)
{
    return vshrq_n_s16(ev_halves_mve(y.even, y.odd, shift - 8), 8);
}

/* In the bias, the even ones of each eight values come first. */
static inline int16x8_t affine(struct ev_norm_sums y, int32_t shift, const int16_t *gain, const int32_t *bias,
                               int32_t gain_shift)
{
    const int16x8_t halves = ev_halves_mve(y.even, y.odd, shift), factor = vldrhq_s16(gain);
    const struct ev_norm_sums z = {
        .even = vaddq_s32(vmullbq_int_s16(halves, factor), vldrwq_s32(bias)),
        .odd = vaddq_s32(vmulltq_int_s16(halves, factor), vldrwq_s32(bias + 4)),
    };
    return narrow(z, gain_shift);
}

#include "ev_norm_mve.h"

static struct ev_norm_row reduce_row(const struct ev_norm *p, const int16_t *x)
{
    int32_t total = 0;
    int64_t squares = 0;
    for (int32_t remaining = (int32_t)p->length; remaining > 0; remaining -= 8, x += 8) {
        const int16x8_t halves = vldrhq_z_s16(x, vctp16q((uint32_t)remaining));
        total = vaddvaq_s16(total, halves);
        squares = vmlaldavaq_s16(squares, halves, halves);
    }
    return ev_norm_row(p, total, (uint64_t)squares, 2, 8);
}

void ev_norm_s16_mve(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_norm_rows(p, x, y, rows, reduce_row, normalise, normalise_affine);
}
