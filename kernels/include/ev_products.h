/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of bytes, some rows by some columns at once: as many as the registers hold. */
#ifndef EV_PRODUCTS_H
#define EV_PRODUCTS_H

#include <stdint.h>

#include "ev_compiler.h"
#include "ev_round.h"

#if defined(__riscv)
enum { EV_ROWS = 4, EV_COLUMNS = 3, EV_STEPS = 8 };
#elif defined(__ARM_ARCH_6M__)
enum { EV_ROWS = 1, EV_COLUMNS = 2, EV_STEPS = 4 };
#else
enum { EV_ROWS = 2, EV_COLUMNS = 2, EV_STEPS = 4 };
#endif

typedef int32_t ev_sums[EV_ROWS][EV_COLUMNS];

/* acc[r][c] += x[r][k] * w[c][k] */
EV_INLINE void ev_add_step(ev_sums acc, const int8_t *const x[EV_ROWS], const int8_t *const w[EV_COLUMNS], int32_t k,
                           int rows)
{
    int32_t weights[EV_COLUMNS];
#pragma GCC unroll 8
    for (int c = 0; c < EV_COLUMNS; c++)
        weights[c] = w[c][k];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        const int32_t value = x[r][k];
#pragma GCC unroll 8
        for (int c = 0; c < EV_COLUMNS; c++) {
            acc[r][c] += value * weights[c];
            EV_OPAQUE(acc[r][c]);
        }
    }
}

#if defined(__riscv)

/* Pointers are advanced: loads have an offset but no index register. */
EV_INLINE void ev_add_steps(ev_sums acc, const int8_t *x[EV_ROWS], const int8_t *w[EV_COLUMNS], int count, int rows)
{
#pragma GCC unroll 8
    for (int k = 0; k < count; k++)
        ev_add_step(acc, x, w, k, rows);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        x[r] += count;
#pragma GCC unroll 8
    for (int c = 0; c < EV_COLUMNS; c++)
        w[c] += count;
}

EV_INLINE void ev_add_depth(ev_sums acc, const int8_t *x[EV_ROWS], const int8_t *w[EV_COLUMNS], uint32_t depth,
                            int rows)
{
    const int8_t *const end = w[0] + depth, *const whole = end - depth % EV_STEPS;
    while (w[0] != whole)
        ev_add_steps(acc, x, w, EV_STEPS, rows);
    EV_NO_UNROLL
    while (w[0] != end)
        ev_add_steps(acc, x, w, 1, rows);
}

#else

/* One index serves all pointers. */
EV_INLINE void ev_add_depth(ev_sums acc, const int8_t *x[EV_ROWS], const int8_t *w[EV_COLUMNS], uint32_t depth,
                            int rows)
{
    int32_t k = 0;
    const int32_t end = (int32_t)depth, whole = end - end % EV_STEPS;
    EV_NO_UNROLL
    while (k != whole) {
#pragma GCC unroll 8
        for (int step = 0; step < EV_STEPS; step++) {
            ev_add_step(acc, x, w, k, rows);
            k++;
            EV_OPAQUE(k);
        }
    }
    EV_NO_UNROLL
    for (; k != end; k++)
        ev_add_step(acc, x, w, k, rows);
}

#endif

/* sums[r][c] += sum_k x[r * stride + k] * columns[c][k]; `rows` is a constant, at most EV_ROWS. */
EV_INLINE void ev_add_products(ev_sums sums, const int8_t *x, uint32_t stride, const int8_t *const columns[EV_COLUMNS],
                               uint32_t depth, int rows)
{
    const int8_t *lines[EV_ROWS], *w[EV_COLUMNS];
    ev_sums acc;
#pragma GCC unroll 8
    for (int c = 0; c < EV_COLUMNS; c++) {
        w[c] = columns[c];
        EV_OPAQUE(w[c]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        lines[r] = x + (uint32_t)r * stride;
        EV_OPAQUE(lines[r]);
#pragma GCC unroll 8
        for (int c = 0; c < EV_COLUMNS; c++)
            acc[r][c] = sums[r][c];
    }
    ev_add_depth(acc, lines, w, depth, rows);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int c = 0; c < EV_COLUMNS; c++)
            sums[r][c] = acc[r][c];
}

/* Points at the weights of EV_COLUMNS columns from `first` on; the last column before `end` is repeated. */
EV_INLINE void ev_columns(const int8_t *w[EV_COLUMNS], uint32_t column[EV_COLUMNS], const int8_t *weight,
                          uint32_t depth, uint32_t first, uint32_t end)
{
#pragma GCC unroll 8
    for (uint32_t c = 0; c < EV_COLUMNS; c++) {
        column[c] = first + c < end ? first + c : end - 1;
        w[c] = weight + column[c] * depth;
    }
}

EV_INLINE void ev_start_sums(ev_sums sums, const uint32_t column[EV_COLUMNS], const int32_t *bias, int rows)
{
#pragma GCC unroll 8
    for (int c = 0; c < EV_COLUMNS; c++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            sums[r][c] = bias[column[c]];
}

/* What a kernel stores, in elements of `bytes`, 1 or 2: a constant. */
EV_INLINE void ev_store_sum(void *y, int32_t acc, int32_t multiplier, uint32_t bytes)
{
    if (bytes == 1)
        *(int8_t *)y = ev_requantize(acc, multiplier);
    else
        *(int16_t *)y = ev_requantize_s16(acc, multiplier);
}

/* `step` is 1, or 0 where all columns share one multiplier. */
EV_INLINE void ev_store_sums(ev_sums sums, const uint32_t column[EV_COLUMNS], const int32_t *multiplier, uint32_t step,
                             void *y, uint32_t bytes, uint32_t stride, int rows)
{
#pragma GCC unroll 8
    for (int c = 0; c < EV_COLUMNS; c++) {
        const int32_t factor = multiplier[column[c] * step];
        uint8_t *out = (uint8_t *)y + column[c] * bytes;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++, out += stride * bytes)
            ev_store_sum(out, sums[r][c], factor, bytes);
    }
}

/* y[r][n] = requantize(bias[n] + sum_k x[r][k] * weight[n][k], multiplier[n * multiplier_step]) */
struct ev_product {
    uint32_t depth, columns;
    uint32_t x_stride, y_stride; /* elements */
    uint32_t multiplier_step;    /* 1, or 0 where all columns share one multiplier */
    const int8_t *weight;        /* columns x depth */
    const int32_t *bias, *multiplier;
};

EV_INLINE void ev_product_rows(const struct ev_product *p, const int8_t *x, void *y, uint32_t bytes, int rows)
{
    for (uint32_t n = 0; n < p->columns; n += EV_COLUMNS) {
        const int8_t *w[EV_COLUMNS];
        uint32_t column[EV_COLUMNS];
        ev_sums sums;
        ev_columns(w, column, p->weight, p->depth, n, p->columns);
        ev_start_sums(sums, column, p->bias, rows);
        ev_add_products(sums, x, p->x_stride, w, p->depth, rows);
        ev_store_sums(sums, column, p->multiplier, p->multiplier_step, y, bytes, p->y_stride, rows);
    }
}

EV_INLINE void ev_product(const struct ev_product *p, const int8_t *x, void *y, uint32_t bytes, uint32_t rows)
{
    uint8_t *out = y;
    for (; rows >= EV_ROWS; rows -= EV_ROWS, x += EV_ROWS * p->x_stride, out += EV_ROWS * p->y_stride * bytes)
        ev_product_rows(p, x, out, bytes, EV_ROWS);
    for (; rows > 0; rows--, x += p->x_stride, out += p->y_stride * bytes)
        ev_product_rows(p, x, out, bytes, 1);
}

#endif
