/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>

#include "ev_kernels_mve.h"
#include "ev_pool_window.h"
#include "ev_round_mve.h"

enum {
    CHANNELS = 16,
    MAX_TAPS_S16 = 256 /* bytes whose sum 16 bits hold */
};

/* Sixteen channels in 32 bits: the even and odd ones of the first eight, then of the second. */
struct sums {
    int32x4_t even, odd, second_even, second_odd;
};

/* The taps of a pixel, and how they are summed. */
struct reduction {
    const struct ev_pool_taps *taps;
    uint32_t rows_per_pass; /* rows whose sum 16 bits hold */
    int32_t initial_sum;
};

static inline int16x8_t load_eight(const int8_t *x, uint32_t first, const uint32_t channels)
{
    if (channels == CHANNELS)
        return vldrbq_s16(x + first);
    return vldrbq_z_s16(x + first, vctp16q(channels > first ? channels - first : 0));
}

static inline struct sums sum_taps(const struct ev_window *w, const struct reduction *r, uint32_t channel,
                                   const uint32_t channels)
{
    const struct ev_pool_taps *taps = r->taps;
    const int32x4_t initial = vdupq_n_s32(r->initial_sum);
    struct sums sums = {.even = initial, .odd = initial, .second_even = initial, .second_odd = initial};
    uint32_t row = taps->first_row;
    for (uint32_t remaining = r->rows_per_pass ? taps->rows : 0; remaining;) {
        const uint32_t rows = remaining < r->rows_per_pass ? remaining : r->rows_per_pass;
        int16x8_t first = vdupq_n_s16(0), second = first;
        for (uint32_t i = rows; i; i--, row = ev_next_row(w, row)) {
            const int8_t *x = taps->x + row * taps->row_stride + channel;
            for (uint32_t j = taps->columns; j; j--, x += taps->column_stride) {
                first = vaddq_s16(first, load_eight(x, 0, channels));
                second = vaddq_s16(second, load_eight(x, 8, channels));
            }
        }
        sums.even = vaddq_s32(sums.even, vmovlbq_s16(first));
        sums.odd = vaddq_s32(sums.odd, vmovltq_s16(first));
        sums.second_even = vaddq_s32(sums.second_even, vmovlbq_s16(second));
        sums.second_odd = vaddq_s32(sums.second_odd, vmovltq_s16(second));
        remaining -= rows;
    }
    return sums;
}

static inline int16x8_t requantize_lanes(int32x4_t even, int32x4_t odd, int32_t multiplier)
{
    return ev_requantize_halves_mve(even, vdupq_n_s32(multiplier), odd, vdupq_n_s32(multiplier));
}

static void average_pixel(const struct ev_pool *p, const struct ev_pool_taps *taps, int8_t *y)
{
    const struct ev_window *w = &p->window;
    const struct reduction r = {
        .taps = taps,
        .rows_per_pass = taps->columns ? MAX_TAPS_S16 / taps->columns : 0,
        .initial_sum = ev_pool_initial_sum(p, taps),
    };
    const uint32_t whole = w->channels / CHANNELS * CHANNELS, rest = w->channels % CHANNELS;
    for (uint32_t channel = 0; channel < whole; channel += CHANNELS) {
        const struct sums s = sum_taps(w, &r, channel, CHANNELS);
        vstrbq_s16(y + channel, requantize_lanes(s.even, s.odd, p->multiplier));
        vstrbq_s16(y + channel + 8, requantize_lanes(s.second_even, s.second_odd, p->multiplier));
    }
    if (rest) {
        const struct sums s = sum_taps(w, &r, whole, rest);
        vstrbq_p_s16(y + whole, requantize_lanes(s.even, s.odd, p->multiplier), vctp16q(rest));
        vstrbq_p_s16(y + whole + 8, requantize_lanes(s.second_even, s.second_odd, p->multiplier),
                     vctp16q(rest > 8 ? rest - 8 : 0));
    }
}

void ev_average_pool_s8_mve(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                            void *scratch)
{
    (void)scratch;
    EV_ASSERT(ev_valid_average(p));
    EV_ASSERT(p->window.kernel_w <= MAX_TAPS_S16);
    ev_pool_rows(p, x, y, first, rows, average_pixel);
}
