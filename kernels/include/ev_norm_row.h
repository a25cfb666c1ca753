/* SPDX-License-Identifier: Apache-2.0 */
/* The few numbers that normalise a row, from its sums: y = (x * a + b) >> shift, with half a step already in b.
   Once a row, so it is short rather than fast, and the same for all families. */
#ifndef EV_NORM_ROW_H
#define EV_NORM_ROW_H

#include <stdint.h>

#include "ev_kernels.h"

struct ev_norm_row {
    int32_t a;     /* 16 bits, or 14 for int16 input. Range: 2^14 to 65535, or 2^12 to 16383 */
    int32_t b;     /* Range: |x * a + b| < 2^31 for every x of the row */
    uint8_t shift; /* Bits. Range: 1 to 30 */
};

/* floor(sqrt(x)), exact for x of 2^30 to 2^32 - 1. The first guess, the tangent of the root at 2^31, is 6 % too large
   at both ends; two of Newton's steps leave an error below one, and never a root that is too small. */
static inline uint32_t ev_isqrt(uint32_t x)
{
    uint32_t root = ((x >> 16) * 46341u >> 16) + 23171u;
    root = (root + x / root) >> 1;
    root = (root + x / root) >> 1;
    return root - (root > x / root);
}

/* `a_shift`: bits that `a` has less than 16. `mean_bits`: fraction bits of the mean. */
static inline struct ev_norm_row ev_norm_row(const struct ev_norm *p, int32_t total, uint64_t squares, int a_shift,
                                             int mean_bits)
{
    const int32_t sum = p->centred ? total : 0;
    const uint64_t v = p->length * squares - (uint64_t)((int64_t)sum * sum) + p->epsilon;
    uint32_t high = (uint32_t)(v >> 32), low = (uint32_t)v;
    int shift = p->shift - a_shift;
    if (!v)
        low = 1;
    for (; high; high >>= 2, shift++)
        low = low >> 2 | high << 30;
    for (; !(low >> 30); low <<= 2)
        shift--;
    shift = shift < 1 ? 1 : shift > 30 ? 30 : shift;

    const int32_t a = (int32_t)(p->numerator / ev_isqrt(low) >> a_shift);
    const int64_t twice = (int64_t)sum * (int32_t)p->reciprocal >> (p->reciprocal_shift - 1);
    const int32_t mean = (int32_t)((twice + 1) >> 1);
    const int32_t b = -(int32_t)(((int64_t)a * mean + ((int64_t)1 << (mean_bits - 1))) >> mean_bits);
    const struct ev_norm_row row = {.a = a, .b = b + ((int32_t)1 << (shift - 1)), .shift = (uint8_t)shift};
    return row;
}

#endif
