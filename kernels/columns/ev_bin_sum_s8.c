/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"
#include "ev_round.h"

static inline int32_t sum_narrow(const uint8_t *order, const int8_t *x, uint32_t start, uint32_t end)
{
    int32_t sum = 0;
    EV_UNROLL_4
    for (uint32_t i = start; i < end; i++)
        sum += x[order[i]];
    return sum;
}

static inline int32_t sum_wide(const uint16_t *order, const int8_t *x, uint32_t start, uint32_t end)
{
    int32_t sum = 0;
    EV_UNROLL_4
    for (uint32_t i = start; i < end; i++)
        sum += x[order[i]];
    return sum;
}

void ev_bin_sum_s8(const struct ev_bin_sum *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows)
{
    const uint32_t columns = p->x_columns, bins = p->y_columns;
    EV_ASSERT(p->repeat > 0 && p->period > 0 && !p->narrow != !p->wide);
    EV_ASSERT(p->multiplier > 0 && ev_between(-128, p->zero, 127));
    EV_ASSERT((int64_t)columns * 65280 + ev_magnitude(p->bias) < (int64_t)1 << 31);
    EV_ASSERT(ev_disjoint(x, (size_t)rows * columns, y, (size_t)rows * bins));
    for (uint32_t row = first; row < first + rows; row++, x += columns, y += bins) {
        const uint32_t table = row / p->repeat % p->period;
        const uint16_t *ends = p->ends + table * bins;
        uint32_t start = 0;
        for (uint32_t bin = 0; bin < bins; bin++) {
            const uint32_t end = ends[bin];
            const int32_t sum = p->narrow ? sum_narrow(p->narrow + table * columns, x, start, end)
                                          : sum_wide(p->wide + table * columns, x, start, end);
            const int32_t deviation = sum - (int32_t)(end - start) * p->zero;
            y[bin] = ev_requantize(deviation * 256 + p->bias, p->multiplier);
            start = end;
        }
    }
}
