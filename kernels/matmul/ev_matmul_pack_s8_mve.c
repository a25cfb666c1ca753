#include <arm_mve.h>

#include "ev_kernels_mve.h"

enum {
    BLOCK = 4,                 /* columns */
    CONSTANTS = 2 * 4 * BLOCK, /* bytes: biases and multipliers */
    SIXTEENS = 16 * BLOCK,     /* bytes of a block for sixteen of the depth */
    EIGHT = 8,                 /* columns at a time where rows have a value of each */
    MOST = 256                 /* values whose sum 16 bits hold */
};

/* The blocks that ev_product_s8_mve reads. */
struct blocks {
    int8_t *first;
    uint32_t bytes; /* of one */
    uint32_t whole; /* columns in blocks that do not overlap */
};

static inline int32_t *constants_of(int8_t *block)
{
    return (int32_t *)(void *)block;
}

/* A column, filled up to sixteen with zeros. Returns its sum. */
static int32_t pack_column(const int8_t *b, uint32_t depth, int8_t *to)
{
    int32_t sum = 0;
    for (uint32_t sixteens = depth / 16; sixteens; sixteens--, b += 16, to += SIXTEENS) {
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

static inline void pack_column_at(const struct ev_matmul *p, const struct blocks *to, const int8_t *b, uint32_t place)
{
    int8_t *block = to->first + place / BLOCK * to->bytes;
    const uint32_t i = place % BLOCK;
    const int32_t sum = pack_column(b, p->depth, block + CONSTANTS + 16 * i);
    constants_of(block)[i] = p->bias - p->zero * sum;
    constants_of(block)[BLOCK + i] = p->multiplier;
}

/* Each row is a column of its own. The last four are in a block together; some of them are in another too. */
static void pack_turned(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows,
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

/* What is past the depth is zero, and biases are before anything is taken off. */
static void prepare(const struct ev_matmul *p, const struct blocks *to)
{
    int8_t *block = to->first;
    for (uint32_t n = 0; n < p->columns; n += BLOCK, block += to->bytes) {
        vstrwq_s32(constants_of(block), vdupq_n_s32(p->bias));
        vstrwq_s32(constants_of(block) + BLOCK, vdupq_n_s32(p->multiplier));
        for (uint32_t i = 0; i < SIXTEENS; i += 16)
            vstrbq_s8(block + to->bytes - SIXTEENS + i, vdupq_n_s8(0));
    }
}

/* Values of up to eight columns, each row's to their blocks. */
static inline void pack_values(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows,
                               uint32_t columns, int8_t *to, uint32_t block_bytes)
{
    const uint16x8_t lane = vandq_u16(vidupq_n_u16(0, 1), vdupq_n_u16(BLOCK - 1));
    const uint16x8_t block = vshrq_n_u16(vidupq_n_u16(0, 1), 2);
    const uint16x8_t places = vmlaq_n_u16(vshlq_n_u16(lane, 4), block, (uint16_t)block_bytes);
    const mve_pred16_t inside = vctp16q(columns);
    int16x8_t sums = vdupq_n_s16(0);
    for (uint32_t k = first; k < first + rows; k++, b += p->b_stride) {
        const int16x8_t values = vldrbq_z_s16(b, inside);
        sums = vaddq_s16(sums, values);
        vstrbq_scatter_offset_p_s16(to + CONSTANTS + k / 16 * SIXTEENS + k % 16, places, values, inside);
    }
    int16_t sum[EIGHT];
    vstrhq_s16(sum, sums);
    for (uint32_t n = 0; n < columns; n += BLOCK, to += block_bytes) {
        int32_t *bias = constants_of(to);
        vstrwq_s32(bias, vmlaq_n_s32(vldrwq_s32(bias), vldrhq_s32(sum + n), -p->zero));
    }
}

/* Each row has a value of every column. */
static void pack_straight(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows,
                          const struct blocks *to)
{
    const uint32_t columns = p->columns, rest = columns - to->whole;
    if (first == 0)
        prepare(p, to);
    for (uint32_t n = 0; n < to->whole; n += EIGHT) {
        const uint32_t count = to->whole - n < EIGHT ? to->whole - n : EIGHT;
        pack_values(p, b + n, first, rows, count, to->first + n / BLOCK * to->bytes, to->bytes);
    }
    if (rest)
        pack_values(p, b + (columns < BLOCK ? 0 : columns - BLOCK), first, rows, columns < BLOCK ? columns : BLOCK,
                    to->first + to->whole / BLOCK * to->bytes, to->bytes);
}

void ev_matmul_pack_s8_mve(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, void *packed)
{
    const uint32_t bytes = CONSTANTS + (p->depth + 15u) / 16 * SIXTEENS;
    const struct blocks to = {packed, bytes, p->columns / BLOCK * BLOCK};
    if (p->turned) {
        pack_turned(p, b, first, rows, &to);
        return;
    }
    for (uint32_t done = 0; done < rows; done += MOST)
        pack_straight(p, b + done * p->b_stride, first + done, rows - done < MOST ? rows - done : MOST, &to);
}
