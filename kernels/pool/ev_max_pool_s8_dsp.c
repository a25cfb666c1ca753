/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_pool_window.h"

enum { LOWEST = 0x80808080 };

static void eight_channels(const struct ev_window *w, const struct ev_pool_taps *taps, uint32_t channel, int8_t *y)
{
    uint32_t first = LOWEST, second = LOWEST, row = taps->first_row;
    const uint32_t column_stride = taps->column_stride;
    for (uint32_t i = taps->rows; i; i--, row = ev_next_row(w, row)) {
        const int8_t *x = taps->x + row * taps->row_stride + channel;
        EV_NO_UNROLL
        for (uint32_t j = taps->columns; j; j--, x += column_stride) {
            first = ev_larger_bytes(first, ev_load4(x));
            second = ev_larger_bytes(second, ev_load4(x + 4));
        }
    }
    ev_store4(y, first);
    ev_store4(y + 4, second);
}

static void max_pixel(const struct ev_pool *p, const struct ev_pool_taps *taps, int8_t *y)
{
    uint32_t channel = 0;
    for (; channel + 8 <= p->window.channels; channel += 8)
        eight_channels(&p->window, taps, channel, y + channel);
    for (; channel < p->window.channels; channel++)
        y[channel] = (int8_t)ev_pool_max(&p->window, taps, channel);
}

void ev_max_pool_s8_dsp(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                        void *scratch)
{
    (void)scratch;
    ev_pool_rows(p, x, y, first, rows, max_pixel);
}
