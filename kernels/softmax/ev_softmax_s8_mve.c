/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_acle.h>
#include <arm_mve.h>

#include "ev_contract.h"
#include "ev_kernels_mve.h"

static int8_t max_of(const int8_t *x, uint32_t count)
{
    int8x16_t largest = vdupq_n_s8(-128);
    for (uint32_t blocks = count / 16; blocks; blocks--, x += 16)
        largest = vmaxq_s8(largest, vldrbq_s8(x));
    const mve_pred16_t tail = vctp8q(count % 16);
    largest = vmaxq_m_s8(largest, largest, vldrbq_z_s8(x, tail), tail);
    return vmaxvq_s8(-128, largest);
}

/* The exponentials of sixteen bytes: of the even ones and of the odd. `below` is the distance to the largest. */
static inline void exponentials(const uint16_t *table, uint8x16_t below, uint16x8_t *even, uint16x8_t *odd)
{
    *even = vldrhq_gather_shifted_offset_u16(table, vmovlbq_u8(below));
    *odd = vldrhq_gather_shifted_offset_u16(table, vshrq_n_u16(vreinterpretq_u16_u8(below), 8));
}

/* Writes the exponentials of a row to `e`, which is as long as whole vectors of 16. Returns their sum. */
static uint32_t exponentials_of(const uint16_t *table, int8_t largest, const int8_t *x, uint32_t count, uint16_t *e)
{
    const int8x16_t top = vdupq_n_s8(largest);
    uint32_t total = 0;
    uint16x8_t even, odd;
    for (uint32_t blocks = count / 16; blocks; blocks--, x += 16, e += 16) {
        exponentials(table, vreinterpretq_u8_s8(vsubq_s8(top, vldrbq_s8(x))), &even, &odd);
        total = vaddvaq_u16(vaddvaq_u16(total, even), odd);
        vstrhq_u16(e, even);
        vstrhq_u16(e + 8, odd);
    }
    const uint32_t rest = count % 16;
    if (rest) {
        exponentials(table, vreinterpretq_u8_s8(vsubq_s8(top, vldrbq_z_s8(x, vctp8q(rest)))), &even, &odd);
        total = vaddvaq_p_u16(total, even, vctp16q((rest + 1) / 2));
        total = vaddvaq_p_u16(total, odd, vctp16q(rest / 2));
        vstrhq_u16(e, even);
        vstrhq_u16(e + 8, odd);
    }
    return total;
}

/* No product passes 2^31, and the shift is at least 17: the upper half of the product, rounded by what is left of the
   shift, is the same. */
static inline int8x16_t probabilities(const uint16_t *e, uint16x8_t quotient, int32_t down)
{
    const uint16x8_t even = vrshlq_n_u16(vmulhq_u16(vldrhq_u16(e), quotient), down);
    const uint16x8_t odd = vrshlq_n_u16(vmulhq_u16(vldrhq_u16(e + 8), quotient), down);
    const uint8x16_t bytes = vqmovntq_u16(vqmovnbq_u16(vuninitializedq_u8(), even), odd);
    return vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(128)));
}

void ev_softmax_s8_mve(const struct ev_softmax *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const uint32_t length = p->length;
    EV_ASSERT(ev_valid_softmax(p, p->table[0]));
    EV_ASSERT(ev_aligned(scratch, 16));
    EV_ASSERT(x == y ? p->x_stride == p->y_stride
                     : ev_disjoint(x, ev_extent(rows, p->x_stride, length), y, ev_extent(rows, p->y_stride, length)));
    for (; rows; rows--, x += p->x_stride, y += p->y_stride) {
        const uint16_t *e = scratch;
        const uint32_t total = exponentials_of(p->table, max_of(x, length), x, length, scratch);
        const uint32_t bits = 16 - (uint32_t)__builtin_clz(total); /* beyond 16 */
        const uint16x8_t quotient = vdupq_n_u16((uint16_t)(p->numerator / (total >> bits)));
        const int32_t down = 16 - (int32_t)(p->shift + bits);
        int8_t *out = y;
        for (uint32_t blocks = length / 16; blocks; blocks--, out += 16, e += 16)
            vstrbq_s8(out, probabilities(e, quotient, down));
        if (length % 16)
            vstrbq_p_s8(out, probabilities(e, quotient, down), vctp8q(length % 16));
    }
}
