/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_pool_window.h"
#include "ev_round.h"

static void four_channels(const struct ev_pool *p, const struct ev_pool_taps *taps, uint32_t channel, int32_t sum,
                          int8_t *y)
{
    int32_t s0 = sum, s1 = sum, s2 = sum, s3 = sum;
    uint32_t row = taps->first_row;
    for (uint32_t i = taps->rows; i; i--, row = ev_next_row(&p->window, row)) {
        const int8_t *x = taps->x + row * taps->row_stride + channel;
        EV_NO_UNROLL
        for (uint32_t j = taps->columns; j; j--, x += taps->column_stride) {
            s0 += x[0];
            s1 += x[1];
            s2 += x[2];
            s3 += x[3];
        }
    }
    y[0] = ev_requantize(s0, p->multiplier);
    y[1] = ev_requantize(s1, p->multiplier);
    y[2] = ev_requantize(s2, p->multiplier);
    y[3] = ev_requantize(s3, p->multiplier);
}

static void average_pixel(const struct ev_pool *p, const struct ev_pool_taps *taps, int8_t *y)
{
    const int32_t initial_sum = ev_pool_initial_sum(p, taps);
    uint32_t channel = 0;
    for (; channel + 4 <= p->window.channels; channel += 4)
        four_channels(p, taps, channel, initial_sum, y + channel);
    for (; channel < p->window.channels; channel++)
        y[channel] = ev_requantize(ev_pool_sum(&p->window, taps, channel, initial_sum), p->multiplier);
}

void ev_average_pool_s8(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                        void *scratch)
{
    (void)scratch;
    EV_ASSERT(ev_valid_average(p));
    ev_pool_rows(p, x, y, first, rows, average_pixel);
}
