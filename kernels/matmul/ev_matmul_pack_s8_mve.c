#include <arm_mve.h>

#include "ev_kernels_mve.h"

enum { BLOCK = 4, SIXTEEN_OF_A_BLOCK = 16 * BLOCK };

/* A column whose bytes follow one another. Both return the sum, and fill up to sixteen with zeros. */
static inline int32_t packed_turned(const int8_t *b, uint32_t depth, int8_t *packed)
{
    int32_t sum = 0;
    for (; depth >= 16; depth -= 16, b += 16, packed += SIXTEEN_OF_A_BLOCK) {
        const int8x16_t sixteen = vldrbq_s8(b);
        sum = vaddvaq_s8(sum, sixteen);
        vstrbq_s8(packed, sixteen);
    }
    if (depth) {
        const int8x16_t sixteen = vldrbq_z_s8(b, vctp8q(depth));
        sum = vaddvaq_s8(sum, sixteen);
        vstrbq_s8(packed, sixteen);
    }
    return sum;
}

/* A column whose bytes are `places` apart, eight by eight. */
static inline int32_t packed_straight(const int8_t *b, uint32_t stride, uint16x8_t places, uint32_t depth,
                                      int8_t *packed)
{
    int32_t sum = 0;
    for (int32_t left = (int32_t)depth; left > 0; left -= 16, b += 16 * stride, packed += SIXTEEN_OF_A_BLOCK) {
        const mve_pred16_t first = vctp16q((uint32_t)left), second = vctp16q(left > 8 ? (uint32_t)left - 8 : 0);
        const int16x8_t low = vldrbq_gather_offset_z_s16(b, places, first);
        const int16x8_t high = vldrbq_gather_offset_z_s16(b + 8 * stride, places, second);
        sum = vaddvaq_s16(vaddvaq_s16(sum, low), high);
        vstrbq_s16(packed, low);
        vstrbq_s16(packed + 8, high);
    }
    return sum;
}

/* What the columns begin with, block by block, then the blocks as ev_product_s8_mve takes them. */
void ev_matmul_pack_s8_mve(const struct ev_matmul *p, const int8_t *b, void *packed)
{
    const uint32_t columns = p->columns, stride = p->b_stride, blocks = (columns + BLOCK - 1) / BLOCK;
    const uint32_t block_bytes = (p->depth + 15u) / 16 * SIXTEEN_OF_A_BLOCK;
    const uint16x8_t places = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)stride);
    int32_t *bias = packed;
    int8_t *weight = (int8_t *)(bias + BLOCK * blocks);
    for (uint32_t n = 0; n < BLOCK * blocks; n += BLOCK, weight += block_bytes) {
        const uint32_t first = n == 0 || n + BLOCK <= columns ? n : columns - BLOCK;
        for (uint32_t i = 0; i < BLOCK; i++) {
            const uint32_t column = first + i < columns ? first + i : columns - 1;
            int8_t *to = weight + 16 * i;
            const int32_t sum = p->turned ? packed_turned(b + column * stride, p->depth, to)
                                          : packed_straight(b + column, stride, places, p->depth, to);
            *bias++ = p->bias - p->zero * sum;
        }
    }
}
