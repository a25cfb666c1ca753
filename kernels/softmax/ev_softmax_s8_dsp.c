/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

static int32_t max_of(const int8_t *x, uint32_t count)
{
    if (count < 4) {
        int32_t largest = -128;
        while (count--)
            largest = x[count] > largest ? x[count] : largest;
        return largest;
    }
    uint32_t largest = ev_load4(x + count - 4);
    EV_NO_UNROLL
    for (uint32_t i = count / 16; i; i--, x += 16) {
        largest = ev_larger_bytes(largest, ev_load4(x));
        largest = ev_larger_bytes(largest, ev_load4(x + 4));
        largest = ev_larger_bytes(largest, ev_load4(x + 8));
        largest = ev_larger_bytes(largest, ev_load4(x + 12));
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 16 / 4; i; i--, x += 4)
        largest = ev_larger_bytes(largest, ev_load4(x));
    largest = ev_larger_bytes(largest, largest >> 16);
    largest = ev_larger_bytes(largest, largest >> 8);
    return (int8_t)largest;
}

/* Looks up four exponentials, stores them and adds them to `total`. */
static inline int32_t exponentials_of_four(const int16_t *table, const int8_t *x, int16_t *e, int32_t total)
{
    const int32_t i0 = x[0], i1 = x[1], i2 = x[2], i3 = x[3];
    const int32_t e0 = table[i0], e1 = table[i1], e2 = table[i2], e3 = table[i3];
    const uint32_t first = ev_low_halves(e0, e1), second = ev_low_halves(e2, e3);
    ev_store4(e, first);
    ev_store4(e + 2, second);
    return __smlad((int32_t)second, EV_ONES, __smlad((int32_t)first, EV_ONES, total));
}

static int32_t exponentials_of(const int16_t *table, const int8_t *x, int16_t *e, uint32_t count)
{
    int32_t total = 0;
    EV_NO_UNROLL
    for (uint32_t i = count / 8; i; i--, x += 8, e += 8) {
        total = exponentials_of_four(table, x, e, total);
        total = exponentials_of_four(table, x + 4, e + 4, total);
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 8; i; i--)
        total += *e++ = table[*x++];
    return total;
}

/* Both halves to 8 bits. Not the intrinsic: gcc 12 converts in its own macro. */
static inline uint32_t ev_usat16(uint32_t halves)
{
    uint32_t bytes;
    __asm__("usat16 %0, #8, %1" : "=r"(bytes) : "r"(halves));
    return bytes;
}

static inline void store_four(int32_t factor, int32_t rounding, const int16_t *e, int8_t *y)
{
    const int32_t first = (int32_t)ev_load4(e), second = (int32_t)ev_load4(e + 2);
    const int32_t s0 = __smlawb(factor, first, rounding), s1 = __smlawt(factor, first, rounding);
    const int32_t s2 = __smlawb(factor, second, rounding), s3 = __smlawt(factor, second, rounding);
    const uint32_t even = ev_usat16(ev_high_halves(s0, s2));
    const uint32_t odd = ev_usat16(ev_high_halves(s1, s3));
    ev_store4(y, (even | odd << 8) ^ 0x80808080);
}

static void store_row(int32_t factor, int32_t rounding, const int16_t *e, int8_t *y, uint32_t count)
{
    EV_NO_UNROLL
    for (uint32_t i = count / 8; i; i--, e += 8, y += 8) {
        store_four(factor, rounding, e, y);
        store_four(factor, rounding, e + 4, y + 4);
    }
    EV_NO_UNROLL
    for (uint32_t i = count % 8; i; i--)
        *y++ = (int8_t)(__usat(__smlawb(factor, *e++, rounding) >> 16, 8) - 128);
}

/* The table is reversed, for `table[x]` instead of `table[largest - x]`, and 2^15 is taken from every exponential, so
   that halves are signed. With e = t + 2^15 and factor = quotient << (32 - shift), which is even,
       (e * quotient + half) >> shift  =  ((t * factor >> 16) + factor / 2 + 2^15) >> 16
   and the argument of the outer shift is one SMLAW. */
void ev_softmax_s8_dsp(const struct ev_softmax *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const uint32_t length = p->length;
    EV_ASSERT(ev_valid_softmax(p, (uint32_t)(p->table[255] + (1 << 15)) & 0xffff));
    EV_ASSERT(ev_aligned(scratch, 16));
    EV_ASSERT(x == y ? p->x_stride == p->y_stride
                     : ev_disjoint(x, ev_extent(rows, p->x_stride, length), y, ev_extent(rows, p->y_stride, length)));
    for (; rows; rows--, x += p->x_stride, y += p->y_stride) {
        const int32_t last = 255 - max_of(x, length);
        const int16_t *table = (const int16_t *)((uintptr_t)p->table + 2 * (uintptr_t)last);
        const uint32_t total = (uint32_t)exponentials_of(table, x, scratch, length) + (length << 15);
        const uint32_t excess = 16 - (uint32_t)__builtin_clz(total);
        const uint32_t quotient = p->numerator / (total >> excess);
        const int32_t factor = (int32_t)(quotient << (32 - excess - p->shift));
        store_row(factor, factor / 2 + (1 << 15), scratch, y, length);
    }
}
