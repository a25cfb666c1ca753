#include <stddef.h>

#include "ev_halves_mve.h"
#include "ev_kernels_mve.h"
#include "ev_norm_row.h"

enum { CHUNK = 1 << 16 }; /* as many squares as 32 bits hold */

/* Sixteen bytes in lanes of 32 bits: the even ones of the even ones, the odd of the even, and so on. */
struct sixteen {
    int32x4_t even_even, odd_even, even_odd, odd_odd;
};

static inline uint32_t squares_of(const int8_t *x, uint32_t count, int32_t *total)
{
    int32_t sum = *total, squares = 0;
    for (int32_t left = (int32_t)count; left > 0; left -= 16, x += 16) {
        const int8x16_t bytes = vldrbq_z_s8(x, vctp8q((uint32_t)left));
        sum = vaddvaq_s8(sum, bytes);
        squares = vmladavaq_s8(squares, bytes, bytes);
    }
    *total = sum;
    return (uint32_t)squares;
}

static struct ev_norm_row measured(const struct ev_norm *p, const int8_t *x)
{
    int32_t total = 0;
    uint64_t squares = 0;
    uint32_t left = p->length;
    for (; left > CHUNK; left -= CHUNK, x += CHUNK)
        squares += squares_of(x, CHUNK, &total);
    squares += squares_of(x, left, &total);
    return ev_norm_row(p, total, squares, 0, 16);
}

/* x * a + b, as (x + 128) * a + b - 128 * a: `a` has 16 bits without a sign. */
static inline struct sixteen normalised(const struct ev_norm_row *row, int8x16_t x)
{
    const uint8x16_t above = veorq_u8(vreinterpretq_u8_s8(x), vdupq_n_u8(128));
    const uint16x8_t a = vdupq_n_u16((uint16_t)row->a), even = vmovlbq_u8(above), odd = vmovltq_u8(above);
    const int32_t b = row->b - 128 * row->a;
    const struct sixteen y = {
        vaddq_n_s32(vreinterpretq_s32_u32(vmullbq_int_u16(even, a)), b),
        vaddq_n_s32(vreinterpretq_s32_u32(vmulltq_int_u16(even, a)), b),
        vaddq_n_s32(vreinterpretq_s32_u32(vmullbq_int_u16(odd, a)), b),
        vaddq_n_s32(vreinterpretq_s32_u32(vmulltq_int_u16(odd, a)), b),
    };
    return y;
}

/* Each y >> shift, saturated: halves with eight bits of fraction, and of these the upper bytes. */
static inline int8x16_t bytes_of(struct sixteen y, int32_t shift)
{
    const int16x8_t even = ev_halves_mve(y.even_even, y.odd_even, shift - 8);
    const int16x8_t odd = ev_halves_mve(y.even_odd, y.odd_odd, shift - 8);
    return vreinterpretq_s8_s16(vsriq_n_s16(odd, even, 8));
}

static inline int8x16_t scaled(struct sixteen y, int32_t shift, const int16_t *gain, const int32_t *bias,
                               int32_t gain_shift)
{
    const int16x8_t even = ev_halves_mve(y.even_even, y.odd_even, shift), even_gain = vldrhq_s16(gain);
    const int16x8_t odd = ev_halves_mve(y.even_odd, y.odd_odd, shift), odd_gain = vldrhq_s16(gain + 8);
    const struct sixteen z = {
        vaddq_s32(vmullbq_int_s16(even, even_gain), vldrwq_s32(bias)),
        vaddq_s32(vmulltq_int_s16(even, even_gain), vldrwq_s32(bias + 4)),
        vaddq_s32(vmullbq_int_s16(odd, odd_gain), vldrwq_s32(bias + 8)),
        vaddq_s32(vmulltq_int_s16(odd, odd_gain), vldrwq_s32(bias + 12)),
    };
    return bytes_of(z, gain_shift);
}

static void without_gain(const struct ev_norm *p, struct ev_norm_row row, const int8_t *x, int8_t *y)
{
    for (uint32_t blocks = p->length / 16; blocks; blocks--, x += 16, y += 16)
        vstrbq_s8(y, bytes_of(normalised(&row, vldrbq_s8(x)), row.shift));
    const mve_pred16_t inside = vctp8q(p->length % 16);
    vstrbq_p_s8(y, bytes_of(normalised(&row, vldrbq_z_s8(x, inside)), row.shift), inside);
}

/* Gain and bias are in the order of the lanes, and as long as whole sixteens. */
static void with_gain(const struct ev_norm *p, struct ev_norm_row row, const int8_t *x, int8_t *y)
{
    const int16_t *gain = p->gain;
    const int32_t *bias = p->bias, gain_shift = p->gain_shift;
    for (uint32_t blocks = p->channels / 16; blocks; blocks--, x += 16, y += 16, gain += 16, bias += 16)
        vstrbq_s8(y, scaled(normalised(&row, vldrbq_s8(x)), row.shift, gain, bias, gain_shift));
    const mve_pred16_t inside = vctp8q(p->channels % 16);
    if (p->channels % 16)
        vstrbq_p_s8(y, scaled(normalised(&row, vldrbq_z_s8(x, inside)), row.shift, gain, bias, gain_shift), inside);
}

/* y may be x. */
void ev_norm_s8_mve(const struct ev_norm *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const uint32_t length = p->length;
    (void)scratch;
    for (; rows; rows--, x += length, y += length) {
        const struct ev_norm_row row = measured(p, x);
        if (p->gain == NULL)
            without_gain(p, row, x, y);
        else
            for (uint32_t i = 0; i < length; i += p->channels)
                with_gain(p, row, x + i, y + i);
    }
}
