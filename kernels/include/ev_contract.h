/* SPDX-License-Identifier: Apache-2.0 */
/* Preconditions that several kernels share, as predicates for EV_ASSERT: a release build evaluates none of them.
   The ranges are those of ev_kernels.h, which are those that edgevit/integer/ops checks. */
#ifndef EV_CONTRACT_H
#define EV_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ev_assert.h"
#include "ev_kernels.h"

static inline bool ev_aligned(const void *pointer, uintptr_t bytes)
{
    return (uintptr_t)pointer % bytes == 0;
}

static inline bool ev_disjoint(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    const uintptr_t a_start = (uintptr_t)a, b_start = (uintptr_t)b;
    return a_start + a_bytes <= b_start || b_start + b_bytes <= a_start;
}

/* Either the same array, element for element, or no byte in common. */
static inline bool ev_same_or_disjoint(const void *a, const void *b, size_t bytes)
{
    return a == b || ev_disjoint(a, bytes, b, bytes);
}

/* Elements from the start of the first row to the end of the last. */
static inline size_t ev_extent(uint32_t rows, uint32_t stride, uint32_t columns)
{
    return rows ? (size_t)(rows - 1) * stride + columns : 0;
}

static inline bool ev_between(int64_t low, int64_t x, int64_t high)
{
    return low <= x && x <= high;
}

static inline int64_t ev_magnitude(int64_t x)
{
    return x < 0 ? -x : x;
}

static inline bool ev_all_positive(const int32_t *x, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (x[i] <= 0)
            return false;
    return true;
}

static inline bool ev_valid_strides(uint32_t depth, uint32_t x_stride, uint32_t columns, uint32_t y_stride)
{
    return depth > 0 && columns > 0 && x_stride >= depth && y_stride >= columns;
}

static inline bool ev_valid_matmul(const struct ev_matmul *p)
{
    return ev_valid_strides(p->depth, p->a_stride, p->columns, p->y_stride) &&
           p->b_stride >= (p->b_transposed ? p->depth : p->columns) && ev_between(-128, p->a_zero, 127) &&
           p->multiplier > 0 && (int64_t)p->depth * 255 * 128 + ev_magnitude(p->bias) < (int64_t)1 << 31;
}

static inline bool ev_valid_window(const struct ev_window *w)
{
    return w->in_height > 0 && w->in_width > 0 && w->channels > 0 && w->out_width > 0 && w->kernel_h > 0 &&
           w->kernel_w > 0 && w->stride_y > 0 && w->stride_x > 0 && w->dilation_y > 0 && w->dilation_x > 0 &&
           w->in_ring > 0 && w->out_ring > 0;
}

/* Both rings have room for what one call reads and writes. */
static inline bool ev_rings_hold(const struct ev_window *w, uint32_t first, uint32_t rows)
{
    const int64_t above = (int64_t)first * w->stride_y - w->pad_top, start = above > 0 ? above : 0;
    const int64_t below = above + ((int64_t)rows - 1) * w->stride_y + w->dilation_y * (w->kernel_h - 1) + 1;
    const int64_t end = below < w->in_height ? below : w->in_height;
    return end - start <= w->in_ring && rows <= w->out_ring;
}

/* `x_bytes` and `y_bytes`: of an element. */
static inline bool ev_images_disjoint(const struct ev_window *w, const void *x, size_t x_bytes, const void *y,
                                      size_t y_bytes, uint32_t columns)
{
    const size_t x_rows = w->in_ring < w->in_height ? w->in_ring : w->in_height;
    const size_t y_row = (size_t)w->out_width * columns * y_bytes;
    return ev_aligned(x, x_bytes) && ev_aligned(y, y_bytes) &&
           ev_disjoint(x, x_rows * w->in_width * w->channels * x_bytes, y, w->out_ring * y_row);
}

/* Preconditions of every kernel with a window. `columns` are the channels of the output. */
#define EV_ASSERT_WINDOW(window, x, y, columns, first, rows)                            \
    do {                                                                                \
        EV_ASSERT(ev_valid_window(window));                                             \
        EV_ASSERT(ev_rings_hold(window, first, rows));                                  \
        EV_ASSERT(ev_images_disjoint(window, x, sizeof *(x), y, sizeof *(y), columns)); \
    } while (0)

static inline bool ev_valid_average(const struct ev_pool *p)
{
    const int64_t taps = (int64_t)p->window.kernel_h * p->window.kernel_w;
    return p->multiplier > 0 && 128 * taps + ev_magnitude(p->bias) < (int64_t)1 << 31;
}

/* `largest`: the first exponential. */
static inline bool ev_valid_softmax(const struct ev_softmax *p, uint32_t largest)
{
    const uint64_t longest = (uint64_t)p->length * largest;
    return p->length > 0 && p->x_stride >= p->length && p->y_stride >= p->length && largest >= 1u << 15 &&
           ev_between(1 << 29, p->numerator, 1 << 30) && ev_between(17, p->shift, 31) &&
           longest >> (47 - p->shift) == 0;
}

/* `bits` of the input without its sign; `mean_bits` of the mean's fraction. */
static inline bool ev_valid_norm(const struct ev_norm *p, int bits, int mean_bits)
{
    const uint64_t one = (uint64_t)1 << (p->reciprocal_shift + mean_bits);
    return p->channels > 0 && p->length > 0 && p->length % p->channels == 0 && p->length < (uint32_t)1 << (31 - bits) &&
           p->epsilon < (uint64_t)1 << 62 && ev_between(1 << 30, p->numerator, 65535ll << 15) &&
           ev_between(1 << 30, p->reciprocal, INT32_MAX) && (uint64_t)p->reciprocal * p->length >= one &&
           (uint64_t)(p->reciprocal - 1) * p->length < one;
}

static inline bool ev_valid_gain(const struct ev_norm *p)
{
    return p->gain == NULL ? p->bias == NULL
                           : p->bias != NULL && ev_aligned(p->bias, 4) && ev_between(1, p->gain_shift, 31);
}

static inline bool ev_valid_add(const struct ev_add *p)
{
    const int64_t factors = ev_magnitude(p->a_factor) + ev_magnitude(p->b_factor);
    return p->shift < 16 && p->a_factor != INT16_MIN && p->b_factor != INT16_MIN &&
           factors / 2 + 2 + ev_magnitude(p->offset) < 1 << 15;
}

/* `largest`: the magnitude that b may have. */
static inline bool ev_valid_add_wide(const struct ev_add_wide *p, int64_t largest)
{
    const int64_t products = (ev_magnitude(p->a_factor) << 15) + largest * ev_magnitude(p->b_factor);
    return ev_between(1, p->shift, 31) && p->a_factor != INT16_MIN && p->b_factor != INT16_MIN &&
           products + ev_magnitude(p->offset) < (int64_t)1 << 31;
}

static inline bool ev_valid_rescale(const struct ev_rescale *p)
{
    return ev_between(1, p->shift, 31) && p->factor > 0 &&
           ((int64_t)p->factor << 15) + ev_magnitude(p->offset) < (int64_t)1 << 31;
}

static inline bool ev_valid_multiply(const struct ev_multiply *p, uint32_t count)
{
    return ev_between(-128, p->a_zero, 127) && ev_between(-128, p->b_zero, 127) && p->multiplier > 0 &&
           255 * 255 + ev_magnitude(p->bias) < (int64_t)1 << 31 && (p->b_period == 0 || count % p->b_period == 0);
}

static inline bool ev_valid_order(const struct ev_order *p)
{
    return ev_between(1, p->length, INT16_MAX) && ev_between(1, p->count, p->length);
}

static inline bool ev_valid_move(const struct ev_move *p, const void *x, const void *y)
{
    bool valid = p->element_bytes == 1 || p->element_bytes == 2;
    valid = valid && ev_aligned(x, p->element_bytes) && ev_aligned(y, p->element_bytes);
    for (int i = 0; i < 4; i++)
        valid = valid && p->sizes[i] > 0 && p->x_strides[i] % p->element_bytes == 0 &&
                p->y_strides[i] % p->element_bytes == 0;
    return valid;
}

#endif
