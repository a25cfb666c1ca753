/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>
#include <stdint.h>

#include "ev_halves_mve.h"
#include "ev_kernels_mve.h"
#include "ev_norm_row.h"

typedef int8_t ev_norm_x;
typedef int8x16_t ev_norm_vector;

enum { LANES = 16 };

enum { CHUNK = 1 << 16 }; /* squares whose sum 32 bits hold */

/* Sixteen bytes in lanes of 32 bits: bytes 0, 4, 8, 12, then those two, one and three further. */
struct ev_norm_sums {
    int32x4_t even_even, odd_even, even_odd, odd_odd;
};

static inline ev_norm_vector load(const ev_norm_x *x)
{
    return vldrbq_s8(x);
}

static inline ev_norm_vector load_tail(const ev_norm_x *x, mve_pred16_t tail)
{
    return vldrbq_z_s8(x, tail);
}

static inline void store(int8_t *y, ev_norm_vector bytes)
{
    vstrbq_s8(y, bytes);
}

static inline void store_tail(int8_t *y, ev_norm_vector bytes, mve_pred16_t tail)
{
    vstrbq_p_s8(y, bytes, tail);
}

static inline mve_pred16_t tail_lanes(uint32_t count)
{
    return vctp8q(count);
}

/* x * a + b, as (x + 128) * a + b - 128 * a: `a` has 16 bits without a sign. */
static inline struct ev_norm_sums scale(const struct ev_norm_row *row, int8x16_t x)
{
    const uint8x16_t above = veorq_u8(vreinterpretq_u8_s8(x), vdupq_n_u8(128));
    const uint16x8_t a = vdupq_n_u16((uint16_t)row->a), even = vmovlbq_u8(above);
    const uint16x8_t odd = vshrq_n_u16(vreinterpretq_u16_u8(above), 8); /* VMOVLT becomes four instructions in clang */
    const int32_t b = row->b - 128 * row->a;
    const struct ev_norm_sums y = {
        .even_even = vaddq_n_s32(vreinterpretq_s32_u32(vmullbq_int_u16(even, a)), b),
        .odd_even = vaddq_n_s32(vreinterpretq_s32_u32(vmulltq_int_u16(even, a)), b),
        .even_odd = vaddq_n_s32(vreinterpretq_s32_u32(vmullbq_int_u16(odd, a)), b),
        .odd_odd = vaddq_n_s32(vreinterpretq_s32_u32(vmulltq_int_u16(odd, a)), b),
    };
    return y;
}

/* Saturation to 16 bits with eight fraction bits is saturation to 8; the upper bytes are the result. */
static inline int8x16_t narrow(struct ev_norm_sums y, int32_t shift)
{
    const int16x8_t even = ev_halves_mve(y.even_even, y.odd_even, shift - 8);
    const int16x8_t odd = ev_halves_mve(y.even_odd, y.odd_odd, shift - 8);
    return vreinterpretq_s8_s16(vsriq_n_s16(odd, even, 8));
}

/* Gain and bias are in the order of the lanes. */
static inline int8x16_t affine(struct ev_norm_sums y, int32_t shift, const int16_t *gain, const int32_t *bias,
                               int32_t gain_shift)
{
    const int16x8_t even = ev_halves_mve(y.even_even, y.odd_even, shift), even_gain = vldrhq_s16(gain);
    const int16x8_t odd = ev_halves_mve(y.even_odd, y.odd_odd, shift), odd_gain = vldrhq_s16(gain + 8);
    const struct ev_norm_sums z = {
        .even_even = vaddq_s32(vmullbq_int_s16(even, even_gain), vldrwq_s32(bias)),
        .odd_even = vaddq_s32(vmulltq_int_s16(even, even_gain), vldrwq_s32(bias + 4)),
        .even_odd = vaddq_s32(vmullbq_int_s16(odd, odd_gain), vldrwq_s32(bias + 8)),
        .odd_odd = vaddq_s32(vmulltq_int_s16(odd, odd_gain), vldrwq_s32(bias + 12)),
    };
    return narrow(z, gain_shift);
}

#include "ev_norm_mve.h"

static inline uint32_t sum_squares(const int8_t *x, uint32_t count, int32_t *total)
{
    int32_t sum = *total, squares = 0;
    for (int32_t remaining = (int32_t)count; remaining > 0; remaining -= 16, x += 16) {
        const int8x16_t bytes = vldrbq_z_s8(x, vctp8q((uint32_t)remaining));
        sum = vaddvaq_s8(sum, bytes);
        squares = vmladavaq_s8(squares, bytes, bytes);
    }
    *total = sum;
    return (uint32_t)squares;
}

static struct ev_norm_row reduce_row(const struct ev_norm *p, const int8_t *x)
{
    int32_t total = 0;
    uint64_t squares = 0;
    uint32_t remaining = p->length;
    for (; remaining > CHUNK; remaining -= CHUNK, x += CHUNK)
        squares += sum_squares(x, CHUNK, &total);
    squares += sum_squares(x, remaining, &total);
    return ev_norm_row(p, total, squares, 0, 16);
}

void ev_norm_s8_mve(const struct ev_norm *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_norm_rows(p, x, y, rows, reduce_row, normalise, normalise_affine);
}
