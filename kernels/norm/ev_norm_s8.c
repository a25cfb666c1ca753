#include <stddef.h>

#include "ev_clamp.h"
#include "ev_kernels.h"
#include "ev_loops.h"
#include "ev_norm_row.h"

enum { CHUNK = 1 << 16 }; /* as many squares as 32 bits hold */

static struct ev_norm_row measured(const struct ev_norm *p, const int8_t *x)
{
    int32_t total = 0;
    uint64_t squares = 0;
    for (uint32_t left = p->length; left;) {
        const uint32_t count = left < CHUNK ? left : CHUNK;
        uint32_t sum = 0;
        EV_BY_FOUR
        for (uint32_t i = 0; i < count; i++) {
            total += x[i];
            sum += (uint32_t)(x[i] * x[i]);
        }
        squares += sum;
        left -= count;
        x += count;
    }
    return ev_norm_row(p, total, squares, 0, 16);
}

static void shifted(struct ev_norm_row row, const int8_t *x, int8_t *y, uint32_t count)
{
    EV_BY_FOUR
    for (uint32_t i = 0; i < count; i++)
        y[i] = (int8_t)ev_clamp_s8((x[i] * row.a + row.b) >> row.shift);
}

static void scaled(const struct ev_norm *p, struct ev_norm_row row, const int8_t *x, int8_t *y)
{
    const int16_t *gain = p->gain;
    const int32_t *bias = p->bias;
    const uint32_t count = p->channels, shift = p->gain_shift;
    EV_BY_FOUR
    for (uint32_t i = 0; i < count; i++) {
        const int32_t wide = ev_clamp_s16((x[i] * row.a + row.b) >> row.shift);
        y[i] = (int8_t)ev_clamp_s8((wide * gain[i] + bias[i]) >> shift);
    }
}

void ev_norm_s8(const struct ev_norm *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    for (; rows; rows--, x += p->length, y += p->length) {
        const struct ev_norm_row row = measured(p, x);
        if (p->gain == NULL) {
            shifted(row, x, y, p->length);
            continue;
        }
        for (uint32_t i = 0; i < p->length; i += p->channels)
            scaled(p, row, x + i, y + i);
    }
}
