/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>
#include <stddef.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_mve.h"

/* Output pixels for which the image is gathered at a time: as many as STRIP_BYTES hold, within these limits. */
enum { STRIP_BYTES = 2048, MIN_PIXELS = 4, MAX_PIXELS = 16 };

enum { CONSTANTS = 32 }; /* bytes of biases and multipliers at the start of a block */

/* The part of the image under consecutive windows of a row, gathered in scratch (im2col): unit by unit from left to
   right, row by row within a unit. Where windows overlap, a unit is one column, and a window is kernel_w consecutive
   units, so nothing is gathered twice. Where they do not, a unit is a window. */
struct strip {
    uint32_t columns;       /* of a unit */
    uint32_t column_step;   /* columns of the image from unit to unit */
    uint32_t first_channel; /* of the group */
    uint32_t channels;      /* of the group */
    uint32_t row_bytes;     /* of a row of a unit */
    uint32_t unit_stride;   /* bytes from unit to unit in scratch */
};

static inline void copy_bytes(int8_t *to, const int8_t *from, uint32_t count)
{
    for (int32_t left = (int32_t)count; left > 0; left -= 16, to += 16, from += 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)left);
        vstrbq_p_s8(to, vldrbq_z_s8(from, lanes), lanes);
    }
}

static inline void fill_bytes(int8_t *to, int8_t value, uint32_t count)
{
    for (int32_t left = (int32_t)count; left > 0; left -= 16, to += 16)
        vstrbq_p_s8(to, vdupq_n_s8(value), vctp8q((uint32_t)left));
}

/* noinline, as copy_units: inlined into gather_row they spill. */
EV_NOINLINE static void fill_units(int8_t *to, int8_t value, uint32_t bytes, uint32_t stride, uint32_t units)
{
    for (; units; units--, to += stride)
        fill_bytes(to, value, bytes);
}

EV_NOINLINE static void copy_units(int8_t *to, uint32_t to_stride, const int8_t *from, uint32_t from_stride,
                                   uint32_t bytes, uint32_t units)
{
    if (bytes > 16) {
        for (; units; units--, to += to_stride, from += from_stride)
            copy_bytes(to, from, bytes);
        return;
    }
    const mve_pred16_t lanes = vctp8q(bytes);
    for (; units; units--, to += to_stride, from += from_stride)
        vstrbq_p_s8(to, vldrbq_z_s8(from, lanes), lanes);
}

/* Units that are partly or wholly outside the image. */
static void gather_edge_units(const struct ev_window *w, const struct strip *s, const int8_t *row, int32_t left,
                              int8_t *to, uint32_t units)
{
    for (; units; units--, left += (int32_t)s->column_step, to += s->unit_stride)
        for (uint32_t i = 0; i < s->columns; i++) {
            const int32_t column = left + (int32_t)i;
            if (column < 0 || column >= w->in_width)
                fill_bytes(to + i * s->channels, w->pad_value, s->channels);
            else
                copy_bytes(to + i * s->channels, row + (uint32_t)column * w->channels, s->channels);
        }
}

/* How many of `units`, the first at column `left`, begin before column `end`. */
static uint32_t units_before(int32_t end, const struct strip *s, int32_t left, uint32_t units)
{
    if (left >= end)
        return 0;
    const uint32_t before = ((uint32_t)(end - left) + s->column_step - 1) / s->column_step;
    return before < units ? before : units;
}

static void gather_row(const struct ev_window *w, const struct strip *s, const int8_t *x, int32_t y, int32_t left,
                       int8_t *to, uint32_t units)
{
    if (y < 0 || y >= w->in_height) {
        fill_units(to, w->pad_value, s->row_bytes, s->unit_stride, units);
        return;
    }
    const int8_t *row = x + (uint32_t)y % w->in_ring * w->in_width * w->channels + s->first_channel;
    const uint32_t first = units_before(0, s, left, units);
    const uint32_t end = units_before(w->in_width - (int32_t)s->columns + 1, s, left, units);
    gather_edge_units(w, s, row, left, to, first);
    if (first < end)
        copy_units(to + first * s->unit_stride, s->unit_stride,
                   row + (left + (int32_t)(first * s->column_step)) * w->channels, s->column_step * w->channels, s->row_bytes, end - first);
    const uint32_t last = first < end ? end : first;
    gather_edge_units(w, s, row, left + (int32_t)(last * s->column_step), to + last * s->unit_stride, units - last);
}

static inline struct strip strip_of(const struct ev_conv2d *p)
{
    const struct ev_window *w = &p->window;
    const uint32_t disjoint = p->groups == 1 && w->stride_x >= w->kernel_w;
    const uint32_t channels = (uint32_t)w->channels / p->groups;
    struct strip s = {
        .columns = disjoint ? w->kernel_w : 1u, .column_step = disjoint ? w->stride_x : 1u, .channels = channels,
    };
    s.row_bytes = s.columns * channels;
    s.unit_stride = s.row_bytes * w->kernel_h;
    return s;
}

/* `bytes` that a pixel adds to the strip. */
static inline uint32_t pixels_per_strip(uint32_t bytes)
{
    const uint32_t fit = STRIP_BYTES / bytes / MIN_PIXELS * MIN_PIXELS;
    return fit < MIN_PIXELS ? MIN_PIXELS : fit > MAX_PIXELS ? MAX_PIXELS : fit;
}

/* A window is multiplied in whole vectors, with whatever follows it in scratch: weights are zero there. */
void ev_conv2d_s8_mve(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                      void *scratch)
{
    const struct ev_window *w = &p->window;
    struct strip s = strip_of(p);
    EV_ASSERT_WINDOW(w, x, y, p->columns, first, rows);
    EV_ASSERT(w->dilation_x == 1);
    EV_ASSERT(p->groups > 0 && w->channels % p->groups == 0 && p->columns % p->groups == 0);
    EV_ASSERT(ev_aligned(p->weight, 4) && ev_aligned(scratch, 16));
    const uint32_t window_units = w->kernel_w / s.columns, stride_units = w->stride_x / s.column_step;
    const uint32_t depth = (window_units * s.unit_stride + 15) / 16 * 16, columns = (uint32_t)p->columns / p->groups;
    const uint32_t blocks = (columns + 3) / 4, max_pixels = pixels_per_strip(stride_units * s.unit_stride);
    struct ev_product_mve product = {
        .depth = depth,
        .columns = columns,
        .x_stride = stride_units * s.unit_stride,
        .y_stride = p->columns,
        .blocks = p->weight,
    };
    for (; s.first_channel < w->channels; s.first_channel += s.channels, y += columns) {
        for (uint32_t row = first; row < first + rows; row++) {
            int8_t *out = y + (size_t)(row % w->out_ring) * w->out_width * p->columns;
            for (uint32_t column = 0; column < w->out_width; column += max_pixels, out += max_pixels * p->columns) {
                const uint32_t more = w->out_width - column, pixels = more < max_pixels ? more : max_pixels;
                const int32_t left = (int32_t)(column * w->stride_x) - w->pad_left;
                int32_t in_row = (int32_t)(row * w->stride_y) - w->pad_top;
                int8_t *to = scratch;
                for (uint32_t i = 0; i < w->kernel_h; i++, in_row += w->dilation_y, to += s.row_bytes)
                    gather_row(w, &s, x, in_row, left, to, (pixels - 1) * stride_units + window_units);
                ev_product_s8_mve(&product, scratch, out, pixels);
            }
        }
        product.blocks += blocks * (CONSTANTS + 4 * depth);
    }
}
