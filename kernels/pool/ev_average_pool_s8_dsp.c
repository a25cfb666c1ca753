/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_pool_window.h"
#include "ev_round_dsp.h"

static inline void store_four(const struct ev_pool *p, int32_t initial_sum, uint32_t even, uint32_t odd, int8_t *y)
{
    y[0] = ev_requantize_dsp(initial_sum + (int16_t)even, p->multiplier);
    y[1] = ev_requantize_dsp(initial_sum + (int16_t)odd, p->multiplier);
    y[2] = ev_requantize_dsp(initial_sum + (int16_t)(even >> 16), p->multiplier);
    y[3] = ev_requantize_dsp(initial_sum + (int16_t)(odd >> 16), p->multiplier);
}

/* Sums of up to 256 bytes fit in halves, two to a register. */
static void eight_channels(const struct ev_pool *p, const struct ev_pool_taps *taps, uint32_t channel,
                           int32_t initial_sum, int8_t *y)
{
    uint32_t even0 = 0, odd0 = 0, even4 = 0, odd4 = 0, row = taps->first_row;
    const uint32_t column_stride = taps->column_stride;
    for (uint32_t i = taps->rows; i; i--, row = ev_next_row(&p->window, row)) {
        const int8_t *x = taps->x + row * taps->row_stride + channel;
        EV_NO_UNROLL
        for (uint32_t j = taps->columns; j; j--, x += column_stride) {
            const uint32_t x0 = ev_load4(x), x4 = ev_load4(x + 4);
            even0 = ev_add_even_bytes(even0, x0);
            odd0 = ev_add_odd_bytes(odd0, x0);
            even4 = ev_add_even_bytes(even4, x4);
            odd4 = ev_add_odd_bytes(odd4, x4);
        }
    }
    store_four(p, initial_sum, even0, odd0, y);
    store_four(p, initial_sum, even4, odd4, y + 4);
}

static void average_pixel(const struct ev_pool *p, const struct ev_pool_taps *taps, int8_t *y)
{
    const int32_t initial_sum = ev_pool_initial_sum(p, taps);
    uint32_t channel = 0;
    for (; channel + 8 <= p->window.channels; channel += 8)
        eight_channels(p, taps, channel, initial_sum, y + channel);
    for (; channel < p->window.channels; channel++)
        y[channel] = ev_requantize_dsp(ev_pool_sum(&p->window, taps, channel, initial_sum), p->multiplier);
}

void ev_average_pool_s8_dsp(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                            void *scratch)
{
    (void)scratch;
    EV_ASSERT(ev_valid_average(p));
    EV_ASSERT(p->window.kernel_h * p->window.kernel_w <= 256);
    ev_pool_rows(p, x, y, first, rows, average_pixel);
}
