/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>
#include <string.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_mve.h"

/* Eight channels at a time, tap by tap: values are multiplied by weights widened to 16 bits, the even lanes and the odd
   ones apart. Weights are as for the portable kernel. */
enum { CHANNELS = 8 };

struct lanes {
    int32x4_t even, odd;
};

/* What the output pixels of some channels share. */
struct block {
    const struct ev_window *window;
    const int8_t *weight;
    struct lanes bias, multiplier;
    mve_pred16_t inside; /* of the eight channels */
};

/* Eight constants, or the first `count`. */
static struct lanes load_constants(const int32_t *x, uint32_t count)
{
    int32_t eight[CHANNELS] = {0};
    memcpy(eight, x, count * sizeof *eight);
    const int32x4x2_t both = vld2q_s32(eight);
    return (struct lanes){.even = both.val[0], .odd = both.val[1]};
}

EV_INLINE struct lanes add_tap(struct lanes acc, int16x8_t x, int16x8_t w)
{
    acc.even = vaddq_s32(acc.even, vmullbq_int_s16(x, w));
    acc.odd = vaddq_s32(acc.odd, vmulltq_int_s16(x, w));
    return acc;
}

static inline int16x8_t requantize_lanes(const struct lanes *acc, const struct lanes *multiplier)
{
    const int16x8_t even = vqmovnbq_s32(vuninitializedq_s16(), vrmulhq_s32(acc->even, multiplier->even));
    return vqmovntq_s32(even, vrmulhq_s32(acc->odd, multiplier->odd));
}

/* Taps of one row of a window, from `tap` of `end` on. `x` is the image row, or null outside the image. */
EV_INLINE struct lanes add_row(const struct block *b, struct lanes acc, const int16_t *x, const int8_t *w, int32_t left)
{
    const struct ev_window *window = b->window;
    const int16x8_t padding = vdupq_n_s16(window->pad_value);
    for (uint32_t k = window->kernel_w; k > 0; k--, left += window->dilation_x, w += window->channels) {
        int16x8_t values = padding;
        if (x && left >= 0 && left < window->in_width)
            values = vldrhq_z_s16(x + (uint32_t)left * window->channels, b->inside);
        acc = add_tap(acc, values, vldrbq_z_s16(w, b->inside));
    }
    return acc;
}

/* Some channels of one output pixel, whose window begins at row `top` and column `left`. */
static void convolve_pixel(const struct block *b, const int16_t *x, int16_t *y, int32_t top, int32_t left)
{
    const struct ev_window *window = b->window;
    const int8_t *w = b->weight;
    struct lanes acc = b->bias;
    for (uint32_t i = window->kernel_h; i > 0; i--, top += window->dilation_y, w += window->kernel_w * window->channels) {
        const int16_t *row = NULL;
        if (top >= 0 && top < window->in_height)
            row = x + (uint32_t)top % window->in_ring * window->in_width * window->channels;
        acc = add_row(b, acc, row, w, left);
    }
    vstrhq_p_s16(y, requantize_lanes(&acc, &b->multiplier), b->inside);
}

void ev_depthwise_s16_mve(const struct ev_depthwise *p, const int16_t *x, int16_t *y, uint32_t first, uint32_t rows,
                          void *scratch)
{
    (void)scratch;
    const struct ev_window *window = &p->window;
    EV_ASSERT_WINDOW(window, x, y, window->channels, first, rows);
    EV_ASSERT(ev_all_positive(p->multiplier, window->channels));
    for (uint32_t c = 0; c < window->channels; c += CHANNELS) {
        const uint32_t count = window->channels - c < CHANNELS ? window->channels - c : CHANNELS;
        const struct block block = {
            .window = window,
            .weight = p->weight + c,
            .bias = load_constants(p->bias + c, count),
            .multiplier = load_constants(p->multiplier + c, count),
            .inside = vctp16q(count),
        };
        for (uint32_t row = first; row < first + rows; row++) {
            int16_t *out = y + row % window->out_ring * window->out_width * window->channels + c;
            const int32_t top = (int32_t)(row * window->stride_y) - window->pad_top;
            int32_t left = -window->pad_left;
            for (uint32_t n = window->out_width; n > 0; n--, left += window->stride_x, out += window->channels)
                convolve_pixel(&block, x + c, out, top, left);
        }
    }
}
