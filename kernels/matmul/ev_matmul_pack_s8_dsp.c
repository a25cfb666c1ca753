#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_products_dsp.h"

enum { FIRST = 0x00800080 }; /* the bytes of the first column have 128 added */

/* Two columns that are rows of b: four bytes of each make two words. */
static uint32_t *pack_rows(uint32_t *out, const int8_t *first, const int8_t *second, uint32_t depth)
{
    while (depth > 0) {
        uint32_t one = 0, two = 0;
        const uint32_t count = depth < 4 ? depth : 4;
        if (count == 4) {
            one = ev_load4(first);
            two = ev_load4(second);
        } else {
            memcpy(&one, first, count);
            memcpy(&two, second, count);
        }
        const uint32_t even = __uxtb16(two);
        *out++ = (__uxtb16(one) | even << 8) ^ FIRST;
        *out++ = (__uxtb16(one >> 8) | (two ^ even)) ^ FIRST;
        first += 4, second += 4, depth -= count;
    }
    return out;
}

/* Two columns of b, `beside` bytes from one another. */
static inline uint32_t taps(const int8_t *b, uint32_t beside)
{
    return (uint8_t)b[0] | (uint32_t)(uint8_t)b[beside] << 8;
}

static uint32_t *pack_columns(uint32_t *out, const int8_t *b, uint32_t stride, uint32_t beside, uint32_t depth)
{
    for (; depth >= 4; depth -= 4, b += 4 * stride) {
        *out++ = (taps(b, beside) | taps(b + 2 * stride, beside) << 16) ^ FIRST;
        *out++ = (taps(b + stride, beside) | taps(b + 3 * stride, beside) << 16) ^ FIRST;
    }
    if (depth > 0) {
        const uint32_t second = depth > 1 ? taps(b + stride, beside) : 0;
        const uint32_t third = depth > 2 ? taps(b + 2 * stride, beside) : 0;
        *out++ = (taps(b, beside) | third << 16) ^ FIRST;
        *out++ = second ^ FIRST;
    }
    return out;
}

void ev_matmul_pack_s8_dsp(const struct ev_matmul *p, const int8_t *b, void *packed)
{
    const uint32_t columns = p->columns, depth = p->depth, beside = columns > 1;
    uint32_t *out = packed;
    for (uint32_t n = 0; n < columns; n += 2) {
        const uint32_t first = n + beside < columns ? n : n - beside;
        if (p->turned)
            out = pack_rows(out, b + first * p->b_stride, b + (first + beside) * p->b_stride, depth);
        else
            out = pack_columns(out, b + first, p->b_stride, beside, depth);
    }
}
