#include <arm_mve.h>

#include "ev_kernels_mve.h"

enum { BLOCK = 4, SIXTEEN_OF_A_BLOCK = 16 * BLOCK };

/* Where column `lane` of a block is from: the last block ends with the last column, and may repeat some. */
static inline uint32_t column_of(uint32_t columns, uint32_t block, uint32_t lane)
{
    const uint32_t n = block * BLOCK;
    const uint32_t first = n == 0 || n + BLOCK <= columns ? n : columns - BLOCK;
    return first + lane < columns ? first + lane : columns - 1;
}

static inline uint32_t block_bytes(const struct ev_matmul *p)
{
    return (p->depth + 15u) / 16 * SIXTEEN_OF_A_BLOCK;
}

/* A column whose bytes follow one another; zeros fill up to sixteen. The sum of it. */
static inline int32_t packed_column(const int8_t *b, uint32_t depth, int8_t *packed)
{
    int32_t sum = 0;
    for (int32_t left = (int32_t)depth; left > 0; left -= 16, b += 16, packed += SIXTEEN_OF_A_BLOCK) {
        const int8x16_t sixteen = vldrbq_z_s8(b, vctp8q((uint32_t)left));
        sum = vaddvaq_s8(sum, sixteen);
        vstrbq_s8(packed, sixteen);
    }
    return sum;
}

/* Each row is a column; those that the last block repeats are in two places. */
static void pack_turned(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, int32_t *bias,
                        int8_t *weight)
{
    const uint32_t last = (p->columns + BLOCK - 1u) / BLOCK - 1, end = (first + rows - 1) / BLOCK;
    uint32_t block = first / BLOCK;
    for (;;) {
        for (uint32_t lane = 0; lane < BLOCK; lane++) {
            const uint32_t column = column_of(p->columns, block, lane) - first;
            if (column < rows) {
                const int8_t *from = b + column * p->b_stride;
                const int32_t sum = packed_column(from, p->depth, weight + block * block_bytes(p) + 16 * lane);
                bias[block * BLOCK + lane] = p->bias - p->zero * sum;
            }
        }
        if (block == last)
            break;
        block = block < end ? block + 1 : last;
    }
}

/* Each row has a value of every column. */
static void pack_straight(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, int32_t *bias,
                          int8_t *weight)
{
    const uint32_t blocks = (p->columns + BLOCK - 1u) / BLOCK, bytes = block_bytes(p);
    if (first == 0) {
        for (uint32_t n = 0; n < BLOCK * blocks; n++)
            bias[n] = p->bias;
        for (uint32_t block = 0; block < blocks; block++) /* what the last rows leave of sixteen */
            for (uint32_t i = 0; i < SIXTEEN_OF_A_BLOCK; i += 16)
                vstrbq_s8(weight + (block + 1) * bytes - SIXTEEN_OF_A_BLOCK + i, vdupq_n_s8(0));
    }
    for (uint32_t k = first; k < first + rows; k++, b += p->b_stride) {
        int8_t *to = weight + k / 16 * SIXTEEN_OF_A_BLOCK + k % 16;
        int32_t *start = bias;
        for (uint32_t block = 0; block < blocks; block++, to += bytes)
            for (uint32_t lane = 0; lane < BLOCK; lane++) {
                const int8_t value = b[column_of(p->columns, block, lane)];
                to[16 * lane] = value;
                *start++ -= p->zero * value;
            }
    }
}

/* What the columns begin with, block by block, then the blocks as ev_product_s8_mve takes them. */
void ev_matmul_pack_s8_mve(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, void *packed)
{
    int32_t *bias = packed;
    int8_t *weight = (int8_t *)(bias + (p->columns + BLOCK - 1u) / BLOCK * BLOCK);
    (p->turned ? pack_turned : pack_straight)(p, b, first, rows, bias, weight);
}
