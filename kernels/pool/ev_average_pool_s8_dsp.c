#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_pool_window.h"
#include "ev_round_dsp.h"

static inline void finish_four(const struct ev_pool *p, int32_t start, uint32_t even, uint32_t odd, int8_t *y)
{
    y[0] = ev_requantize_dsp(start + (int16_t)even, p->multiplier);
    y[1] = ev_requantize_dsp(start + (int16_t)odd, p->multiplier);
    y[2] = ev_requantize_dsp(start + (int16_t)(even >> 16), p->multiplier);
    y[3] = ev_requantize_dsp(start + (int16_t)(odd >> 16), p->multiplier);
}

/* Sums of up to 256 bytes fit in halves. */
static void eight_channels(const struct ev_pool *p, const struct ev_view *view, uint32_t channel, int32_t start,
                           int8_t *y)
{
    uint32_t even0 = 0, odd0 = 0, even4 = 0, odd4 = 0, row = view->row;
    const uint32_t step = view->column_bytes;
    for (uint32_t i = view->rows; i; i--, row = ev_next_row(&p->window, row)) {
        const int8_t *x = view->x + row * view->row_bytes + channel;
        EV_AS_WRITTEN
        for (uint32_t j = view->columns; j; j--, x += step) {
            const uint32_t x0 = ev_load4(x), x4 = ev_load4(x + 4);
            even0 = ev_add_even_bytes(even0, x0);
            odd0 = ev_add_odd_bytes(odd0, x0);
            even4 = ev_add_even_bytes(even4, x4);
            odd4 = ev_add_odd_bytes(odd4, x4);
        }
    }
    finish_four(p, start, even0, odd0, y);
    finish_four(p, start, even4, odd4, y + 4);
}

static void one_channel(const struct ev_pool *p, const struct ev_view *view, uint32_t channel, int32_t start,
                        int8_t *y)
{
    int32_t sum = start;
    uint32_t row = view->row;
    for (uint32_t i = view->rows; i; i--, row = ev_next_row(&p->window, row)) {
        const int8_t *x = view->x + row * view->row_bytes + channel;
        EV_AS_WRITTEN
        for (uint32_t j = view->columns; j; j--, x += view->column_bytes)
            sum += *x;
    }
    *y = ev_requantize_dsp(sum, p->multiplier);
}

static void pixel(const struct ev_pool *p, const struct ev_view *view, int8_t *y)
{
    const int32_t start = ev_pool_start(p, view);
    uint32_t channel = 0;
    for (; channel + 8 <= p->window.channels; channel += 8)
        eight_channels(p, view, channel, start, y + channel);
    for (; channel < p->window.channels; channel++)
        one_channel(p, view, channel, start, y + channel);
}

/* For windows of at most 256 pixels. */
void ev_average_pool_s8_dsp(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                            void *scratch)
{
    (void)scratch;
    ev_pool_walk(p, x, y, first, rows, pixel);
}
