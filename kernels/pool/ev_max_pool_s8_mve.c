/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>

#include "ev_kernels_mve.h"
#include "ev_pool_window.h"

enum { CHANNELS = 16 };

static inline int8x16_t max_with(int8x16_t a, const int8_t *x, const uint32_t channels)
{
    return vmaxq_s8(a, channels == CHANNELS ? vldrbq_s8(x) : vldrbq_z_s8(x, vctp8q(channels)));
}

static inline int8x16_t max_taps(const struct ev_window *w, const struct ev_pool_taps *taps, uint32_t channel,
                                 const uint32_t channels)
{
    int8x16_t largest = vdupq_n_s8(-128);
    uint32_t row = taps->first_row;
    for (uint32_t i = taps->rows; i; i--, row = ev_next_row(w, row)) {
        const int8_t *x = taps->x + row * taps->row_stride + channel;
        for (uint32_t j = taps->columns; j; j--, x += taps->column_stride)
            largest = max_with(largest, x, channels);
    }
    return largest;
}

static void max_pixel(const struct ev_pool *p, const struct ev_pool_taps *taps, int8_t *y)
{
    const struct ev_window *w = &p->window;
    const uint32_t whole = w->channels / CHANNELS * CHANNELS, rest = w->channels % CHANNELS;
    for (uint32_t channel = 0; channel < whole; channel += CHANNELS)
        vstrbq_s8(y + channel, max_taps(w, taps, channel, CHANNELS));
    if (rest)
        vstrbq_p_s8(y + whole, max_taps(w, taps, whole, rest), vctp8q(rest));
}

void ev_max_pool_s8_mve(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                        void *scratch)
{
    (void)scratch;
    ev_pool_rows(p, x, y, first, rows, max_pixel);
}
