/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"

static int32_t max_of(const int8_t *x, uint32_t count)
{
    int32_t largest = -128;
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

void ev_softmax_s8(const struct ev_softmax *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const uint32_t length = p->length;
    uint16_t *exponentials = scratch;
    EV_ASSERT(ev_valid_softmax(p, p->table[0]));
    EV_ASSERT(ev_aligned(scratch, 16));
    EV_ASSERT(x == y ? p->x_stride == p->y_stride
                     : ev_disjoint(x, ev_extent(rows, p->x_stride, length), y, ev_extent(rows, p->y_stride, length)));
    for (uint32_t row = 0; row < rows; row++, x += p->x_stride, y += p->y_stride) {
        const uint16_t *table = p->table;
        const int32_t largest = max_of(x, length);
        uint32_t total = 0;
        EV_UNROLL_4
        for (uint32_t i = 0; i < length; i++) {
            exponentials[i] = table[largest - x[i]];
            total += exponentials[i];
        }
        uint32_t shift = p->shift;
        for (; total >> 16; total >>= 1)
            shift++;
        const uint32_t quotient = p->numerator / total, half = (uint32_t)1 << (shift - 1);
        EV_UNROLL_4
        for (uint32_t i = 0; i < length; i++) {
            uint32_t probability = (exponentials[i] * quotient + half) >> shift;
            y[i] = (int8_t)((int32_t)(probability > 255 ? 255 : probability) - 128);
        }
    }
}
