/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_pool_window.h"

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static void four_channels(const struct ev_window *w, const struct ev_pool_taps *taps, uint32_t channel, int8_t *y)
{
    int32_t y0 = -128, y1 = -128, y2 = -128, y3 = -128;
    uint32_t row = taps->first_row;
    for (uint32_t i = taps->rows; i; i--, row = ev_next_row(w, row)) {
        const int8_t *x = taps->x + row * taps->row_stride + channel;
        EV_NO_UNROLL
        for (uint32_t j = taps->columns; j; j--, x += taps->column_stride) {
            y0 = larger(y0, x[0]);
            y1 = larger(y1, x[1]);
            y2 = larger(y2, x[2]);
            y3 = larger(y3, x[3]);
        }
    }
    y[0] = (int8_t)y0;
    y[1] = (int8_t)y1;
    y[2] = (int8_t)y2;
    y[3] = (int8_t)y3;
}

static void max_pixel(const struct ev_pool *p, const struct ev_pool_taps *taps, int8_t *y)
{
    uint32_t channel = 0;
    for (; channel + 4 <= p->window.channels; channel += 4)
        four_channels(&p->window, taps, channel, y + channel);
    for (; channel < p->window.channels; channel++)
        y[channel] = (int8_t)ev_pool_max(&p->window, taps, channel);
}

void ev_max_pool_s8(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_pool_rows(p, x, y, first, rows, max_pixel);
}
