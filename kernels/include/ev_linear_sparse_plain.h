/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer with blocks of zeros, in portable C, stored in elements of 1 or 2 bytes. */
#ifndef EV_LINEAR_SPARSE_PLAIN_H
#define EV_LINEAR_SPARSE_PLAIN_H

#include "ev_contract.h"
#include "ev_kernels.h"
#include "ev_products.h"
#include "ev_sparse_contract.h"

/* As many at once as the registers hold. */
#if defined(__riscv)
enum { EV_SPARSE_ROWS = 2, EV_SPARSE_PART = 4 };
#elif defined(__ARM_ARCH_6M__)
enum { EV_SPARSE_ROWS = 1, EV_SPARSE_PART = 2 };
#else
enum { EV_SPARSE_ROWS = 1, EV_SPARSE_PART = 4 };
#endif

typedef int32_t ev_sparse_sums[EV_SPARSE_ROWS][EV_SPARSE_PART];

/* sums[r][c] += sum over a block of x[r][k] * w[k][c] */
EV_INLINE void ev_add_block(ev_sparse_sums sums, const int8_t *x, uint32_t x_stride, const int8_t *w, int rows)
{
#pragma GCC unroll 8
    for (int k = 0; k < EV_SPARSE_INPUTS; k++) {
        int32_t values[EV_SPARSE_ROWS];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            values[r] = x[(uint32_t)r * x_stride + (uint32_t)k];
#pragma GCC unroll 8
        for (int c = 0; c < EV_SPARSE_PART; c++) {
            const int32_t weight = w[k * EV_SPARSE_COLUMNS + c];
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                sums[r][c] += values[r] * weight;
                EV_OPAQUE(sums[r][c]);
            }
        }
    }
}

/* `part`: the first of the columns that are summed together, of a group of four. */
EV_INLINE void ev_sparse_part(const struct ev_linear_sparse *p, const int8_t *x, uint8_t *y, uint32_t bytes,
                              uint32_t column, const uint16_t *index, uint32_t blocks, const int8_t *w, int rows)
{
    ev_sparse_sums sums;
#pragma GCC unroll 8
    for (int c = 0; c < EV_SPARSE_PART; c++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            sums[r][c] = p->bias[column + (uint32_t)c];
    EV_NO_UNROLL
    for (const uint16_t *const end = index + blocks; index != end; w += EV_SPARSE_COLUMNS * EV_SPARSE_INPUTS)
        ev_add_block(sums, x + *index++, p->x_stride, w, rows);
#pragma GCC unroll 8
    for (int c = 0; c < EV_SPARSE_PART; c++) {
        const int32_t multiplier = p->multiplier[column + (uint32_t)c];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            ev_store_sum(y + ((uint32_t)r * p->y_stride + column + (uint32_t)c) * bytes, sums[r][c], multiplier, bytes);
    }
}

EV_INLINE void ev_sparse_rows(const struct ev_linear_sparse *p, const int8_t *x, uint8_t *y, uint32_t bytes, int rows)
{
    const uint16_t *index = p->index;
    const int8_t *w = p->weight;
    const uint32_t last = p->columns - EV_SPARSE_COLUMNS;
    for (uint32_t next = 0; next < p->columns; next += EV_SPARSE_COLUMNS) {
        const uint32_t column = next < last ? next : last, blocks = *index++;
        for (uint32_t part = 0; part < EV_SPARSE_COLUMNS; part += EV_SPARSE_PART)
            ev_sparse_part(p, x, y, bytes, column + part, index, blocks, w + part, rows);
        index += blocks;
        w += blocks * EV_SPARSE_COLUMNS * EV_SPARSE_INPUTS;
    }
}

EV_INLINE void ev_linear_sparse_plain(const struct ev_linear_sparse *p, const int8_t *x, void *y, uint32_t bytes,
                                      uint32_t rows)
{
    EV_ASSERT(ev_valid_strides(p->depth, p->x_stride, p->columns, p->y_stride));
    EV_ASSERT(p->columns >= EV_SPARSE_COLUMNS && p->depth >= EV_SPARSE_INPUTS);
    EV_ASSERT(ev_disjoint(x, ev_extent(rows, p->x_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns) * bytes));
    EV_ASSERT(ev_aligned(y, bytes) && ev_aligned(p->bias, 4) && ev_all_positive(p->multiplier, p->columns));
    EV_ASSERT(ev_aligned(p->index, 2) && ev_valid_listed_blocks(p));
    uint8_t *out = y;
    for (; rows >= EV_SPARSE_ROWS; rows -= EV_SPARSE_ROWS) {
        ev_sparse_rows(p, x, out, bytes, EV_SPARSE_ROWS);
        x += EV_SPARSE_ROWS * p->x_stride;
        out += EV_SPARSE_ROWS * p->y_stride * bytes;
    }
    for (; rows > 0; rows--, x += p->x_stride, out += p->y_stride * bytes)
        ev_sparse_rows(p, x, out, bytes, 1);
}

#endif
