/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_mve.h"

enum {
    BLOCK = 4,                 /* columns */
    CONSTANTS = 2 * 4 * BLOCK, /* bytes: biases and multipliers */
    DEPTH_STEP = 16 * BLOCK,   /* bytes of a block for 16 values of the depth */
    EIGHT = 8,                 /* columns packed at a time where b is not transposed */
    MAX_SUM_S16 = 256          /* bytes whose sum 16 bits hold */
};

/* The blocks that ev_product_s8_mve reads. */
struct blocks {
    int8_t *first;
    uint32_t bytes; /* of one */
    uint32_t whole; /* columns in blocks that do not overlap the one before */
};

static inline int32_t *constants_of(int8_t *block)
{
    return (int32_t *)(void *)block;
}

/* Packs a column, padded with zeros to a multiple of 16. Returns its sum. */
static int32_t pack_column(const int8_t *b, uint32_t depth, int8_t *to)
{
    int32_t sum = 0;
    for (uint32_t sixteens = depth / 16; sixteens; sixteens--, b += 16, to += DEPTH_STEP) {
        const int8x16_t values = vldrbq_s8(b);
        sum = vaddvaq_s8(sum, values);
        vstrbq_s8(to, values);
    }
    if (depth % 16) {
        const int8x16_t values = vldrbq_z_s8(b, vctp8q(depth % 16));
        sum = vaddvaq_s8(sum, values);
        vstrbq_s8(to, values);
    }
    return sum;
}

static inline void pack_column_at(const struct ev_matmul *p, const struct blocks *to, const int8_t *b, uint32_t slot)
{
    int8_t *block = to->first + slot / BLOCK * to->bytes;
    const uint32_t i = slot % BLOCK;
    const int32_t sum = pack_column(b, p->depth, block + CONSTANTS + 16 * i);
    constants_of(block)[i] = p->bias - p->a_zero * sum;
    constants_of(block)[BLOCK + i] = p->multiplier;
}

/* Each row of b is a column of the product. The last four columns share a block; some of them are in the one before
   too. */
static void pack_transposed(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows,
                            const struct blocks *to)
{
    const uint32_t last = p->columns < BLOCK ? 0 : p->columns - BLOCK;
    for (uint32_t n = first; n < first + rows; n++, b += p->b_stride) {
        if (n < to->whole)
            pack_column_at(p, to, b, n);
        if (to->whole < p->columns && n >= last)
            pack_column_at(p, to, b, to->whole + n - last);
    }
}

/* Zeroes the padding of the depth, and sets the biases before any row is subtracted. */
static void prepare(const struct ev_matmul *p, const struct blocks *to)
{
    int8_t *block = to->first;
    for (uint32_t n = 0; n < p->columns; n += BLOCK, block += to->bytes) {
        vstrwq_s32(constants_of(block), vdupq_n_s32(p->bias));
        vstrwq_s32(constants_of(block) + BLOCK, vdupq_n_s32(p->multiplier));
        for (uint32_t i = 0; i < DEPTH_STEP; i += 16)
            vstrbq_s8(block + to->bytes - DEPTH_STEP + i, vdupq_n_s8(0));
    }
}

/* Offsets of eight columns in two blocks. */
static inline uint16x8_t offsets_of_eight(uint32_t block_bytes)
{
    const uint16x8_t lane = vandq_u16(vidupq_n_u16(0, 1), vdupq_n_u16(BLOCK - 1));
    const uint16x8_t block = vshrq_n_u16(vidupq_n_u16(0, 1), 2);
    return vmlaq_n_u16(vshlq_n_u16(lane, 4), block, (uint16_t)block_bytes);
}

/* Subtracts sums of columns from the biases. */
static inline void subtract_sums(const struct ev_matmul *p, int16x8_t sums, uint32_t columns, int8_t *to,
                                 uint32_t block_bytes)
{
    int16_t sum[EIGHT];
    const int16_t *from = sum;
    vstrhq_s16(sum, sums);
    EV_OPAQUE_PTR(from); /* through memory: lane by lane it takes four times the instructions */
    for (uint32_t n = 0; n < columns; n += BLOCK, to += block_bytes, from += BLOCK) {
        int32_t *bias = constants_of(to);
        vstrwq_s32(bias, vmlaq_n_s32(vldrwq_s32(bias), vldrhq_s32(from), -p->a_zero));
    }
}

/* Scatters the values of up to eight columns to their blocks, row by row. */
static inline void pack_values(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows,
                               const uint32_t columns, int8_t *to, uint32_t block_bytes, uint16x8_t offsets)
{
    const mve_pred16_t tail = vctp16q(columns);
    const uint32_t b_stride = p->b_stride;
    int16x8_t sums = vdupq_n_s16(0);
    uint32_t next;
    for (uint32_t k = first; k < first + rows; k = next) {
        int8_t *at = to + CONSTANTS + k / 16 * DEPTH_STEP + k % 16;
        next = (k / 16 + 1) * 16;
        if (next > first + rows)
            next = first + rows;
        for (uint32_t remaining = next - k; remaining; remaining--, at++, b += b_stride) {
            const int16x8_t values = columns == EIGHT ? vldrbq_s16(b) : vldrbq_z_s16(b, tail);
            sums = vaddq_s16(sums, values);
            if (columns == EIGHT)
                vstrbq_scatter_offset_s16(at, offsets, values);
            else
                vstrbq_scatter_offset_p_s16(at, offsets, values, tail);
        }
    }
    subtract_sums(p, sums, columns, to, block_bytes);
}

/* Each row of b is one tap of every column. */
static void pack_straight(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows,
                          const struct blocks *to)
{
    const uint32_t columns = p->columns, rest = columns - to->whole;
    if (first == 0)
        prepare(p, to);
    const uint16x8_t offsets = offsets_of_eight(to->bytes);
    int8_t *block = to->first;
    uint32_t n = 0;
    for (; n + EIGHT <= to->whole; n += EIGHT, block += 2 * to->bytes)
        pack_values(p, b + n, first, rows, EIGHT, block, to->bytes, offsets);
    if (n < to->whole) {
        pack_values(p, b + n, first, rows, BLOCK, block, to->bytes, offsets);
        block += to->bytes;
    }
    if (rest)
        pack_values(p, b + (columns < BLOCK ? 0 : columns - BLOCK), first, rows, columns < BLOCK ? columns : BLOCK,
                    block, to->bytes, offsets);
}

void ev_matmul_pack_s8_mve(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, void *packed)
{
    const uint32_t bytes = CONSTANTS + (p->depth + 15u) / 16 * DEPTH_STEP;
    const struct blocks to = {.first = packed, .bytes = bytes, .whole = p->columns / BLOCK * BLOCK};
    EV_ASSERT(ev_valid_matmul(p));
    EV_ASSERT(first + rows <= (p->b_transposed ? p->columns : p->depth));
    EV_ASSERT(ev_aligned(packed, 16));
    EV_ASSERT(p->b_transposed || p->depth < 1 << 13);
    if (p->b_transposed) {
        pack_transposed(p, b, first, rows, &to);
        return;
    }
    for (uint32_t done = 0; done < rows; done += MAX_SUM_S16)
        pack_straight(p, b + done * p->b_stride, first + done,
                      rows - done < MAX_SUM_S16 ? rows - done : MAX_SUM_S16, &to);
}
