#include <stddef.h>

#include "ev_halves_mve.h"
#include "ev_kernels_mve.h"
#include "ev_norm_row.h"

struct eight {
    int32x4_t even, odd;
};

static struct ev_norm_row measured(const struct ev_norm *p, const int16_t *x)
{
    int32_t total = 0;
    int64_t squares = 0;
    for (int32_t more = (int32_t)p->length; more > 0; more -= 8, x += 8) {
        const int16x8_t halves = vldrhq_z_s16(x, vctp16q((uint32_t)more));
        total = vaddvaq_s16(total, halves);
        squares = vmlaldavaq_s16(squares, halves, halves);
    }
    return ev_norm_row(p, total, (uint64_t)squares, 2, 8);
}

static inline struct eight normalised(const struct ev_norm_row *row, int16x8_t x)
{
    const int16x8_t a = vdupq_n_s16((int16_t)row->a);
    const struct eight y = {
        vaddq_n_s32(vmullbq_int_s16(x, a), row->b),
        vaddq_n_s32(vmulltq_int_s16(x, a), row->b),
    };
    return y;
}

/* Each y >> shift, saturated to 8 bits: as 16 bits with eight of fraction. */
static inline int16x8_t bytes_of(struct eight y, int32_t shift)
{
    return vshrq_n_s16(ev_halves_mve(y.even, y.odd, shift - 8), 8);
}

static inline int16x8_t scaled(struct eight y, int32_t shift, const int16_t *gain, const int32_t *bias,
                               int32_t gain_shift)
{
    const int16x8_t halves = ev_halves_mve(y.even, y.odd, shift), factor = vldrhq_s16(gain);
    const struct eight z = {
        vaddq_s32(vmullbq_int_s16(halves, factor), vldrwq_s32(bias)),
        vaddq_s32(vmulltq_int_s16(halves, factor), vldrwq_s32(bias + 4)),
    };
    return bytes_of(z, gain_shift);
}

static void without_gain(const struct ev_norm *p, struct ev_norm_row row, const int16_t *x, int8_t *y)
{
    for (uint32_t blocks = p->length / 8; blocks; blocks--, x += 8, y += 8)
        vstrbq_s16(y, bytes_of(normalised(&row, vldrhq_s16(x)), row.shift));
    const mve_pred16_t inside = vctp16q(p->length % 8);
    vstrbq_p_s16(y, bytes_of(normalised(&row, vldrhq_z_s16(x, inside)), row.shift), inside);
}

/* Of each eight of the bias the even ones come first; gain and bias are as long as whole eights. */
static void with_gain(const struct ev_norm *p, struct ev_norm_row row, const int16_t *x, int8_t *y)
{
    const int16_t *gain = p->gain;
    const int32_t *bias = p->bias, gain_shift = p->gain_shift;
    for (uint32_t blocks = p->channels / 8; blocks; blocks--, x += 8, y += 8, gain += 8, bias += 8)
        vstrbq_s16(y, scaled(normalised(&row, vldrhq_s16(x)), row.shift, gain, bias, gain_shift));
    const mve_pred16_t inside = vctp16q(p->channels % 8);
    if (p->channels % 8)
        vstrbq_p_s16(y, scaled(normalised(&row, vldrhq_z_s16(x, inside)), row.shift, gain, bias, gain_shift), inside);
}

void ev_norm_s16_mve(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch)
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
