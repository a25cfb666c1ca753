#include <arm_mve.h>

#include "ev_kernels_mve.h"
#include "ev_pool_window.h"
#include "ev_round_mve.h"

enum {
    CHANNELS = 16,
    MOST = 256 /* bytes whose sum 16 bits hold */
};

/* Of sixteen channels in 32 bits: the even ones of the first eight, the odd ones, and those of the second eight. */
struct sums {
    int32x4_t even, odd, second_even, second_odd;
};

/* How a pixel's window is summed up. */
struct window {
    const struct ev_view *view;
    uint32_t most; /* rows, whose sum 16 bits hold */
    int32_t start;
};

static inline int16x8_t eight_of(const int8_t *x, uint32_t first, const uint32_t channels)
{
    if (channels == CHANNELS)
        return vldrbq_s16(x + first);
    return vldrbq_z_s16(x + first, vctp16q(channels > first ? channels - first : 0));
}

static inline struct sums sums_of(const struct ev_window *w, const struct window *window, uint32_t channel,
                                  const uint32_t channels)
{
    const struct ev_view *view = window->view;
    const int32x4_t start = vdupq_n_s32(window->start);
    struct sums sums = {start, start, start, start};
    uint32_t row = view->row;
    for (uint32_t left = window->most ? view->rows : 0; left;) {
        const uint32_t rows = left < window->most ? left : window->most;
        int16x8_t first = vdupq_n_s16(0), second = first;
        for (uint32_t i = rows; i; i--, row = ev_next_row(w, row)) {
            const int8_t *x = view->x + row * view->row_bytes + channel;
            for (uint32_t j = view->columns; j; j--, x += view->column_bytes) {
                first = vaddq_s16(first, eight_of(x, 0, channels));
                second = vaddq_s16(second, eight_of(x, 8, channels));
            }
        }
        sums.even = vaddq_s32(sums.even, vmovlbq_s16(first));
        sums.odd = vaddq_s32(sums.odd, vmovltq_s16(first));
        sums.second_even = vaddq_s32(sums.second_even, vmovlbq_s16(second));
        sums.second_odd = vaddq_s32(sums.second_odd, vmovltq_s16(second));
        left -= rows;
    }
    return sums;
}

static inline int16x8_t requantized(int32x4_t even, int32x4_t odd, int32_t multiplier)
{
    return ev_requantize_halves_mve(even, vdupq_n_s32(multiplier), odd, vdupq_n_s32(multiplier));
}

static void pixel(const struct ev_pool *p, const struct ev_view *view, int8_t *y)
{
    const struct ev_window *w = &p->window;
    const struct window window = {view, view->columns ? MOST / view->columns : 0, ev_pool_start(p, view)};
    const uint32_t whole = w->channels / CHANNELS * CHANNELS, rest = w->channels % CHANNELS;
    for (uint32_t channel = 0; channel < whole; channel += CHANNELS) {
        const struct sums s = sums_of(w, &window, channel, CHANNELS);
        vstrbq_s16(y + channel, requantized(s.even, s.odd, p->multiplier));
        vstrbq_s16(y + channel + 8, requantized(s.second_even, s.second_odd, p->multiplier));
    }
    if (rest) {
        const struct sums s = sums_of(w, &window, whole, rest);
        vstrbq_p_s16(y + whole, requantized(s.even, s.odd, p->multiplier), vctp16q(rest));
        vstrbq_p_s16(y + whole + 8, requantized(s.second_even, s.second_odd, p->multiplier),
                     vctp16q(rest > 8 ? rest - 8 : 0));
    }
}

void ev_average_pool_s8_mve(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                            void *scratch)
{
    (void)scratch;
    ev_pool_walk(p, x, y, first, rows, pixel);
}
