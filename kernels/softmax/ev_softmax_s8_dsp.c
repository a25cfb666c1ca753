#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

static int32_t largest_of(const int8_t *x, uint32_t count)
{
    if (count < 4) {
        int32_t largest = -128;
        while (count--)
            largest = x[count] > largest ? x[count] : largest;
        return largest;
    }
    uint32_t largest = ev_load4(x + count - 4);
    EV_AS_WRITTEN
    for (uint32_t i = count / 16; i; i--, x += 16) {
        largest = ev_larger_bytes(largest, ev_load4(x));
        largest = ev_larger_bytes(largest, ev_load4(x + 4));
        largest = ev_larger_bytes(largest, ev_load4(x + 8));
        largest = ev_larger_bytes(largest, ev_load4(x + 12));
    }
    EV_AS_WRITTEN
    for (uint32_t i = count % 16 / 4; i; i--, x += 4)
        largest = ev_larger_bytes(largest, ev_load4(x));
    largest = ev_larger_bytes(largest, largest >> 16);
    largest = ev_larger_bytes(largest, largest >> 8);
    return (int8_t)largest;
}

/* Looks up four exponentials, keeps them and adds them up. */
static inline int32_t take_four(const int16_t *table, const int8_t *x, int16_t *kept, int32_t total)
{
    const int32_t i0 = x[0], i1 = x[1], i2 = x[2], i3 = x[3];
    const int32_t e0 = table[i0], e1 = table[i1], e2 = table[i2], e3 = table[i3];
    const uint32_t first = ev_low_halves(e0, e1), second = ev_low_halves(e2, e3);
    ev_store4(kept, first);
    ev_store4(kept + 2, second);
    return __smlad((int32_t)second, EV_ONES, __smlad((int32_t)first, EV_ONES, total));
}

static int32_t take(const int16_t *table, const int8_t *x, int16_t *kept, uint32_t count)
{
    int32_t total = 0;
    EV_AS_WRITTEN
    for (uint32_t i = count / 8; i; i--, x += 8, kept += 8) {
        total = take_four(table, x, kept, total);
        total = take_four(table, x + 4, kept + 4, total);
    }
    EV_AS_WRITTEN
    for (uint32_t i = count % 8; i; i--)
        total += *kept++ = table[*x++];
    return total;
}

static inline void share_four(int32_t factor, int32_t start, const int16_t *kept, int8_t *y)
{
    const int32_t first = (int32_t)ev_load4(kept), second = (int32_t)ev_load4(kept + 2);
    const int32_t s0 = __smlawb(factor, first, start), s1 = __smlawt(factor, first, start);
    const int32_t s2 = __smlawb(factor, second, start), s3 = __smlawt(factor, second, start);
    const uint32_t even = __usat16((int32_t)ev_high_halves(s0, s2), 8);
    const uint32_t odd = __usat16((int32_t)ev_high_halves(s1, s3), 8);
    ev_store4(y, (even | odd << 8) ^ 0x80808080);
}

static void share(int32_t factor, int32_t start, const int16_t *kept, int8_t *y, uint32_t count)
{
    EV_AS_WRITTEN
    for (uint32_t i = count / 8; i; i--, kept += 8, y += 8) {
        share_four(factor, start, kept, y);
        share_four(factor, start, kept + 4, y + 4);
    }
    EV_AS_WRITTEN
    for (uint32_t i = count % 8; i; i--)
        *y++ = (int8_t)(__usat(__smlawb(factor, *kept++, start) >> 16, 8) - 128);
}

/* The table is reversed, for `table[x]` instead of `table[largest - x]`, and 2^15 is taken from every exponential, so
   that halves are signed. With e = t + 2^15 and factor = quotient << (32 - shift), which is even,
       (e * quotient + half) >> shift  =  ((t * factor >> 16) + factor / 2 + 2^15) >> 16
   and what is in the outer shift is one SMLAW. `scratch` keeps the exponentials of a row, so y may be x. */
void ev_softmax_s8_dsp(const struct ev_softmax *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const uint32_t length = p->length;
    for (; rows; rows--, x += p->x_stride, y += p->y_stride) {
        const int32_t last = 255 - largest_of(x, length);
        const int16_t *table = (const int16_t *)((uintptr_t)p->table + 2 * (uintptr_t)last);
        const uint32_t total = (uint32_t)take(table, x, scratch, length) + (length << 15);
        const uint32_t excess = 16 - (uint32_t)__builtin_clz(total);
        const uint32_t quotient = p->numerator / (total >> excess);
        const int32_t factor = (int32_t)(quotient << (32 - excess - p->shift));
        share(factor, factor / 2 + (1 << 15), scratch, y, length);
    }
}
