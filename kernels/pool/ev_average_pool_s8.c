#include "ev_pool_window.h"
#include "ev_round.h"

static void four_channels(const struct ev_pool *p, const struct ev_view *view, uint32_t channel, int32_t start,
                          int8_t *y)
{
    int32_t s0 = start, s1 = start, s2 = start, s3 = start;
    uint32_t row = view->row;
    for (uint32_t i = view->rows; i; i--, row = ev_next_row(&p->window, row)) {
        const int8_t *x = view->x + row * view->row_bytes + channel;
        EV_AS_WRITTEN
        for (uint32_t j = view->columns; j; j--, x += view->column_bytes) {
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
    *y = ev_requantize(sum, p->multiplier);
}

static void pixel(const struct ev_pool *p, const struct ev_view *view, int8_t *y)
{
    const int32_t start = ev_pool_start(p, view);
    uint32_t channel = 0;
    for (; channel + 4 <= p->window.channels; channel += 4)
        four_channels(p, view, channel, start, y + channel);
    for (; channel < p->window.channels; channel++)
        one_channel(p, view, channel, start, y + channel);
}

void ev_average_pool_s8(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                        void *scratch)
{
    (void)scratch;
    ev_pool_walk(p, x, y, first, rows, pixel);
}
