/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

typedef int16_t ev_norm_x;

#include "ev_clamp.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_norm_rows.h"

static struct ev_norm_row reduce_row(const struct ev_norm *p, const int16_t *x)
{
    int32_t total = 0;
    int64_t squares = 0;
    EV_NO_UNROLL
    for (uint32_t i = p->length / 4; i; i--, x += 4) {
        const int32_t first = (int32_t)ev_load4(x), second = (int32_t)ev_load4(x + 2);
        total = __smlad(second, EV_ONES, __smlad(first, EV_ONES, total));
        squares = __smlald(second, second, __smlald(first, first, squares));
    }
    EV_NO_UNROLL
    for (uint32_t i = p->length % 4; i; i--, x++) {
        total += *x;
        squares += *x * *x;
    }
    return ev_norm_row(p, total, (uint64_t)squares, 2, 8);
}

static void normalise(const struct ev_norm *p, const struct ev_norm_row *row, const int16_t *x, int8_t *y)
{
    const int32_t a = row->a, b = row->b;
    const uint32_t count = p->length, shift = row->shift;
    EV_NO_UNROLL
    for (uint32_t i = count / 4; i; i--, x += 4, y += 4) {
        const int32_t first = (int32_t)ev_load4(x), second = (int32_t)ev_load4(x + 2);
        y[0] = (int8_t)ev_clamp_s8(__smlabb(first, a, b) >> shift);
        y[1] = (int8_t)ev_clamp_s8(__smlatb(first, a, b) >> shift);
        y[2] = (int8_t)ev_clamp_s8(__smlabb(second, a, b) >> shift);
        y[3] = (int8_t)ev_clamp_s8(__smlatb(second, a, b) >> shift);
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 4; i; i--)
        *y++ = (int8_t)ev_clamp_s8((*x++ * a + b) >> shift);
}

static inline int8_t scale(int32_t wide, int32_t gain, int32_t bias, uint32_t shift)
{
    return (int8_t)ev_clamp_s8((ev_clamp_s16(wide) * gain + bias) >> shift);
}

/* noinline: inlined into the loop over rows it spills. */
EV_NOINLINE static void normalise_affine(const struct ev_norm *p, const struct ev_norm_row *row, const int16_t *x,
                                         int8_t *y)
{
    const int32_t a = row->a, b = row->b;
    const uint32_t shift = row->shift, gain_shift = p->gain_shift;
    const int16_t *gain = p->gain;
    const int32_t *bias = p->bias;
    EV_NO_UNROLL
    for (uint32_t i = p->channels / 4; i; i--, x += 4, y += 4, gain += 4, bias += 4) {
        const int32_t first = (int32_t)ev_load4(x), second = (int32_t)ev_load4(x + 2);
        y[0] = scale(__smlabb(first, a, b) >> shift, gain[0], bias[0], gain_shift);
        y[1] = scale(__smlatb(first, a, b) >> shift, gain[1], bias[1], gain_shift);
        y[2] = scale(__smlabb(second, a, b) >> shift, gain[2], bias[2], gain_shift);
        y[3] = scale(__smlatb(second, a, b) >> shift, gain[3], bias[3], gain_shift);
        EV_OPAQUE_PTR(x);
        EV_OPAQUE_PTR(y);
        EV_OPAQUE_PTR(gain);
        EV_OPAQUE_PTR(bias);
    }
    EV_NO_UNROLL
    for (uint32_t i = p->channels % 4; i; i--)
        *y++ = scale((*x++ * a + b) >> shift, *gain++, *bias++, gain_shift);
}

void ev_norm_s16_dsp(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_norm_rows(p, x, y, rows, reduce_row, normalise, normalise_affine);
}
