#include <stddef.h>

#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_norm_row.h"

static struct ev_norm_row measured(const struct ev_norm *p, const int16_t *x)
{
    int32_t total = 0;
    int64_t squares = 0;
    EV_AS_WRITTEN
    for (uint32_t i = p->length / 4; i; i--, x += 4) {
        const int32_t first = (int32_t)ev_load4(x), second = (int32_t)ev_load4(x + 2);
        total = __smlad(second, EV_ONES, __smlad(first, EV_ONES, total));
        squares = __smlald(second, second, __smlald(first, first, squares));
    }
    EV_AS_WRITTEN
    for (uint32_t i = p->length % 4; i; i--, x++) {
        total += *x;
        squares += *x * *x;
    }
    return ev_norm_row(p, total, (uint64_t)squares, 2, 8);
}

static void shifted(struct ev_norm_row row, const int16_t *x, int8_t *y, uint32_t count)
{
    EV_AS_WRITTEN
    for (uint32_t i = count / 4; i; i--, x += 4, y += 4) {
        const int32_t first = (int32_t)ev_load4(x), second = (int32_t)ev_load4(x + 2);
        y[0] = (int8_t)__ssat(__smlabb(first, row.a, row.b) >> row.shift, 8);
        y[1] = (int8_t)__ssat(__smlatb(first, row.a, row.b) >> row.shift, 8);
        y[2] = (int8_t)__ssat(__smlabb(second, row.a, row.b) >> row.shift, 8);
        y[3] = (int8_t)__ssat(__smlatb(second, row.a, row.b) >> row.shift, 8);
    }
    EV_AS_WRITTEN
    for (uint32_t i = count % 4; i; i--)
        *y++ = (int8_t)__ssat((*x++ * row.a + row.b) >> row.shift, 8);
}

static inline int8_t scale(int32_t wide, int32_t gain, int32_t bias, uint32_t shift)
{
    return (int8_t)__ssat((__ssat(wide, 16) * gain + bias) >> shift, 8);
}

EV_APART static void scaled(const struct ev_norm *p, const struct ev_norm_row *row, const int16_t *x, int8_t *y)
{
    const int32_t a = row->a, b = row->b;
    const uint32_t shift = row->shift, last = p->gain_shift;
    const int16_t *gain = p->gain;
    const int32_t *bias = p->bias;
    EV_AS_WRITTEN
    for (uint32_t i = p->channels / 4; i; i--, x += 4, y += 4, gain += 4, bias += 4) {
        const int32_t first = (int32_t)ev_load4(x), second = (int32_t)ev_load4(x + 2);
        y[0] = scale(__smlabb(first, a, b) >> shift, gain[0], bias[0], last);
        y[1] = scale(__smlatb(first, a, b) >> shift, gain[1], bias[1], last);
        y[2] = scale(__smlabb(second, a, b) >> shift, gain[2], bias[2], last);
        y[3] = scale(__smlatb(second, a, b) >> shift, gain[3], bias[3], last);
        EV_POINTER(x);
        EV_POINTER(y);
        EV_POINTER(gain);
        EV_POINTER(bias);
    }
    EV_AS_WRITTEN
    for (uint32_t i = p->channels % 4; i; i--)
        *y++ = scale((*x++ * a + b) >> shift, *gain++, *bias++, last);
}

void ev_norm_s16_dsp(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    for (; rows; rows--, x += p->length, y += p->length) {
        const struct ev_norm_row row = measured(p, x);
        if (p->gain == NULL) {
            shifted(row, x, y, p->length);
            continue;
        }
        for (uint32_t i = 0; i < p->length; i += p->channels)
            scaled(p, &row, x + i, y + i);
    }
}
