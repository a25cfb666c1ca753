#include <stddef.h>

#include "ev_clamp.h"
#include "ev_kernels.h"
#include "ev_norm_row.h"

static struct ev_norm_row measured(const struct ev_norm *p, const int16_t *x)
{
    int32_t total = 0;
    uint64_t squares = 0;
    for (uint32_t i = 0; i < p->length; i++) {
        total += x[i];
        squares += (uint32_t)(x[i] * x[i]);
    }
    return ev_norm_row(p, total, squares, 2, 8);
}

static void scaled(const struct ev_norm *p, struct ev_norm_row row, const int16_t *x, int8_t *y)
{
    for (uint32_t i = 0; i < p->channels; i++) {
        int32_t wide = ev_clamp_s16((x[i] * row.a + row.b) >> row.shift);
        y[i] = ev_clamp_s8((wide * p->gain[i] + p->bias[i]) >> p->gain_shift);
    }
}

void ev_norm_s16(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const uint32_t length = p->length;
    (void)scratch;
    for (; rows; rows--, x += length, y += length) {
        const struct ev_norm_row row = measured(p, x);
        if (p->gain == NULL) {
            for (uint32_t i = 0; i < length; i++)
                y[i] = ev_clamp_s8((x[i] * row.a + row.b) >> row.shift);
            continue;
        }
        for (uint32_t i = 0; i < length; i += p->channels)
            scaled(p, row, x + i, y + i);
    }
}
