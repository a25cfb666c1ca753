#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_pool_window.h"

enum { LOWEST = 0x80808080 };

static void eight_channels(const struct ev_window *w, const struct ev_view *view, uint32_t channel, int8_t *y)
{
    uint32_t first = LOWEST, second = LOWEST, row = view->row;
    const uint32_t step = view->column_bytes;
    for (uint32_t i = view->rows; i; i--, row = ev_next_row(w, row)) {
        const int8_t *x = view->x + row * view->row_bytes + channel;
        EV_AS_WRITTEN
        for (uint32_t j = view->columns; j; j--, x += step) {
            first = ev_larger_bytes(first, ev_load4(x));
            second = ev_larger_bytes(second, ev_load4(x + 4));
        }
    }
    ev_store4(y, first);
    ev_store4(y + 4, second);
}

static void one_channel(const struct ev_window *w, const struct ev_view *view, uint32_t channel, int8_t *y)
{
    int8_t largest = -128;
    uint32_t row = view->row;
    for (uint32_t i = view->rows; i; i--, row = ev_next_row(w, row)) {
        const int8_t *x = view->x + row * view->row_bytes + channel;
        EV_AS_WRITTEN
        for (uint32_t j = view->columns; j; j--, x += view->column_bytes)
            largest = *x > largest ? *x : largest;
    }
    *y = largest;
}

static void pixel(const struct ev_pool *p, const struct ev_view *view, int8_t *y)
{
    uint32_t channel = 0;
    for (; channel + 8 <= p->window.channels; channel += 8)
        eight_channels(&p->window, view, channel, y + channel);
    for (; channel < p->window.channels; channel++)
        one_channel(&p->window, view, channel, y + channel);
}

void ev_max_pool_s8_dsp(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                        void *scratch)
{
    (void)scratch;
    ev_pool_walk(p, x, y, first, rows, pixel);
}
