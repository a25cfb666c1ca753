/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels.h"

/* Each row of b is a column of the product. */
static void pack_transposed(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, int32_t *bias)
{
    const uint32_t depth = p->depth;
    int8_t *out = (int8_t *)(bias + p->columns) + first * depth;
    for (uint32_t n = first; n < first + rows; n++, b += p->b_stride) {
        int32_t sum = 0;
        for (uint32_t k = 0; k < depth; k++) {
            const int8_t value = b[k];
            *out++ = value;
            sum += value;
        }
        bias[n] = p->bias - p->a_zero * sum;
    }
}

/* Each row of b is one tap of every column. */
static void pack_straight(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, int32_t *bias)
{
    const uint32_t depth = p->depth, columns = p->columns;
    int8_t *out = (int8_t *)(bias + columns) + first;
    if (first == 0)
        for (uint32_t n = 0; n < columns; n++)
            bias[n] = p->bias;
    for (; rows > 0; rows--, b += p->b_stride, out++)
        for (uint32_t n = 0; n < columns; n++) {
            out[n * depth] = b[n];
            bias[n] -= p->a_zero * b[n];
        }
}

/* Packed: the initial sum of every column, then the columns, each contiguous. */
void ev_matmul_pack_s8(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, void *packed)
{
    EV_ASSERT(ev_valid_matmul(p));
    EV_ASSERT(first + rows <= (p->b_transposed ? p->columns : p->depth));
    EV_ASSERT(ev_aligned(packed, 16));
    (p->b_transposed ? pack_transposed : pack_straight)(p, b, first, rows, packed);
}
