/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

typedef int8_t ev_norm_x;

#include "ev_clamp.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_norm_rows.h"

enum { CHUNK = 1 << 16 }; /* squares whose sum 32 bits hold */

static inline void add_four(const int8_t *x, int32_t *total, int32_t *squares)
{
    const uint32_t word = ev_load4(x);
    const int32_t even = ev_even_bytes(word), odd = ev_odd_bytes(word);
    *total = __smlad(odd, EV_ONES, __smlad(even, EV_ONES, *total));
    *squares = __smlad(odd, odd, __smlad(even, even, *squares));
}

static struct ev_norm_row reduce_row(const struct ev_norm *p, const int8_t *x)
{
    int32_t total = 0;
    uint64_t all_squares = 0;
    for (uint32_t remaining = p->length; remaining;) {
        const uint32_t count = remaining < CHUNK ? remaining : CHUNK;
        int32_t squares = 0;
        EV_NO_UNROLL
        for (uint32_t i = count / 8; i; i--, x += 8) {
            add_four(x, &total, &squares);
            add_four(x + 4, &total, &squares);
        }
        EV_NO_UNROLL
        for (uint32_t i = count % 8; i; i--, x++) {
            total += *x;
            squares += *x * *x;
        }
        all_squares += (uint32_t)squares;
        remaining -= count;
    }
    return ev_norm_row(p, total, all_squares, 0, 16);
}

EV_INLINE void shift_four(const int8_t *x, int32_t a, int32_t b, uint32_t shift, int8_t *y)
{
    const int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    y[0] = (int8_t)ev_clamp_s8((x0 * a + b) >> shift);
    y[1] = (int8_t)ev_clamp_s8((x1 * a + b) >> shift);
    y[2] = (int8_t)ev_clamp_s8((x2 * a + b) >> shift);
    y[3] = (int8_t)ev_clamp_s8((x3 * a + b) >> shift);
}

EV_INLINE void shift_eights(const int8_t *x, int32_t a, int32_t b, uint32_t shift, int8_t *y, uint32_t count)
{
    EV_NO_UNROLL
    for (uint32_t i = count / 8; i; i--, x += 8, y += 8) {
        shift_four(x, a, b, shift, y);
        shift_four(x + 4, a, b, shift, y + 4);
    }
}

/* x * a + b has 24 bits, so a shift of 9 to 16 can be made one of 16, which is part of SSAT. */
static void normalise(const struct ev_norm *p, const struct ev_norm_row *row, const int8_t *x, int8_t *y)
{
    const uint32_t count = p->length, shift = row->shift < 9 || row->shift > 16 ? row->shift : 16;
    const int32_t up = (int32_t)1 << (shift - row->shift), a = row->a * up, b = row->b * up;
    if (shift == 16)
        shift_eights(x, a, b, 16, y, count);
    else
        shift_eights(x, a, b, shift, y, count);
    EV_NO_UNROLL
    for (uint32_t i = count & ~7u; i < count; i++)
        y[i] = (int8_t)ev_clamp_s8((x[i] * a + b) >> shift);
}

static inline int32_t scale_s16(int32_t x, int32_t a, int32_t b, uint32_t shift)
{
    return ev_clamp_s16((x * a + b) >> shift);
}

/* Channels four by four. Returns how many are done. */
EV_INLINE uint32_t affine_fours(const struct ev_norm *p, int32_t a, int32_t b, uint32_t shift, const int8_t *x,
                                int8_t *y)
{
    const int16_t *gain = p->gain;
    const int32_t *bias = p->bias;
    const uint32_t gain_shift = p->gain_shift;
    EV_NO_UNROLL
    for (uint32_t i = p->channels / 4; i; i--, x += 4, y += 4, gain += 4, bias += 4) {
        const int32_t first = (int32_t)ev_load4(gain), second = (int32_t)ev_load4(gain + 2);
        y[0] = (int8_t)ev_clamp_s8(__smlabb(scale_s16(x[0], a, b, shift), first, bias[0]) >> gain_shift);
        y[1] = (int8_t)ev_clamp_s8(__smlabt(scale_s16(x[1], a, b, shift), first, bias[1]) >> gain_shift);
        y[2] = (int8_t)ev_clamp_s8(__smlabb(scale_s16(x[2], a, b, shift), second, bias[2]) >> gain_shift);
        y[3] = (int8_t)ev_clamp_s8(__smlabt(scale_s16(x[3], a, b, shift), second, bias[3]) >> gain_shift);
        EV_OPAQUE_PTR(x);
        EV_OPAQUE_PTR(y);
        EV_OPAQUE_PTR(gain);
        EV_OPAQUE_PTR(bias);
    }
    return p->channels & ~3u;
}

/* Here too a shift is made one of 8 or of 16, as far as 32 bits go. noinline: inlined into the loop over rows it
   spills. */
EV_NOINLINE static void normalise_affine(const struct ev_norm *p, const struct ev_norm_row *row, const int8_t *x,
                                         int8_t *y)
{
    const uint32_t shift = row->shift > 16 ? row->shift : row->shift > 8 ? 16 : 8;
    const int32_t up = (int32_t)1 << (shift - row->shift), a = row->a * up, b = row->b * up;
    uint32_t i = shift == 8 ? affine_fours(p, a, b, 8, x, y) : shift == 16 ? affine_fours(p, a, b, 16, x, y) : 0;
    EV_NO_UNROLL
    for (; i < p->channels; i++)
        y[i] = (int8_t)ev_clamp_s8((scale_s16(x[i], a, b, shift) * p->gain[i] + p->bias[i]) >> p->gain_shift);
}

void ev_norm_s8_dsp(const struct ev_norm *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_norm_rows(p, x, y, rows, reduce_row, normalise, normalise_affine);
}
