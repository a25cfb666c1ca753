#include <arm_mve.h>
#include <stddef.h>

#include "ev_kernels_mve.h"
#include "ev_loops.h"

/* Pixels of the output for which the image is gathered at a time: as many as fit into BYTES, between these. */
enum { BYTES = 2048, FEWEST = 4, MOST = 16 };

enum { CONSTANTS = 32 }; /* bytes of a block in front of the weights */

/* The part of the image under some windows in a row, in scratch: unit by unit from left to right, row by row within a
   unit. Where windows overlap, a unit is a column, and a window is some units on end: nothing is there twice. Where
   they do not, a unit is a window. */
struct strip {
    uint32_t columns;  /* of a unit */
    uint32_t step;     /* columns of the image from unit to unit */
    uint32_t channel;  /* the first of its group, */
    uint32_t channels; /* and how many */
    uint32_t bytes;    /* of a row of a unit */
    uint32_t stride;   /* bytes of a unit */
};

static inline void copied(int8_t *to, const int8_t *from, uint32_t count)
{
    for (int32_t left = (int32_t)count; left > 0; left -= 16, to += 16, from += 16) {
        const mve_pred16_t inside = vctp8q((uint32_t)left);
        vstrbq_p_s8(to, vldrbq_z_s8(from, inside), inside);
    }
}

static inline void filled(int8_t *to, int8_t value, uint32_t count)
{
    for (int32_t left = (int32_t)count; left > 0; left -= 16, to += 16)
        vstrbq_p_s8(to, vdupq_n_s8(value), vctp8q((uint32_t)left));
}

EV_APART static void fill_units(int8_t *to, int8_t value, uint32_t bytes, uint32_t stride, uint32_t units)
{
    for (; units; units--, to += stride)
        filled(to, value, bytes);
}

EV_APART static void copy_units(int8_t *to, uint32_t to_step, const int8_t *from, uint32_t from_step, uint32_t bytes,
                                uint32_t units)
{
    if (bytes > 16) {
        for (; units; units--, to += to_step, from += from_step)
            copied(to, from, bytes);
        return;
    }
    const mve_pred16_t inside = vctp8q(bytes);
    for (; units; units--, to += to_step, from += from_step)
        vstrbq_p_s8(to, vldrbq_z_s8(from, inside), inside);
}

/* Units that lie across the side of the image, or outside. */
static void units_at_side(const struct ev_window *w, const struct strip *s, const int8_t *row, int32_t left, int8_t *to,
                          uint32_t units)
{
    for (; units; units--, left += (int32_t)s->step, to += s->stride)
        for (uint32_t i = 0; i < s->columns; i++) {
            const int32_t column = left + (int32_t)i;
            if (column < 0 || column >= w->in_width)
                filled(to + i * s->channels, w->pad_value, s->channels);
            else
                copied(to + i * s->channels, row + (uint32_t)column * w->channels, s->channels);
        }
}

/* How many of the units, the first at column `left`, begin before column `end`. */
static uint32_t units_before(int32_t end, const struct strip *s, int32_t left, uint32_t units)
{
    if (left >= end)
        return 0;
    const uint32_t before = ((uint32_t)(end - left) + s->step - 1) / s->step;
    return before < units ? before : units;
}

static void row_of_strip(const struct ev_window *w, const struct strip *s, const int8_t *x, int32_t y, int32_t left,
                         int8_t *to, uint32_t units)
{
    if (y < 0 || y >= w->in_height) {
        fill_units(to, w->pad_value, s->bytes, s->stride, units);
        return;
    }
    const int8_t *row = x + (uint32_t)y % w->in_ring * w->in_width * w->channels + s->channel;
    const uint32_t first = units_before(0, s, left, units);
    const uint32_t end = units_before(w->in_width - (int32_t)s->columns + 1, s, left, units);
    units_at_side(w, s, row, left, to, first);
    if (first < end)
        copy_units(to + first * s->stride, s->stride, row + (left + (int32_t)(first * s->step)) * w->channels,
                   s->step * w->channels, s->bytes, end - first);
    const uint32_t last = first < end ? end : first;
    units_at_side(w, s, row, left + (int32_t)(last * s->step), to + last * s->stride, units - last);
}

static inline struct strip strip_of(const struct ev_conv2d *p)
{
    const struct ev_window *w = &p->window;
    const uint32_t apart = p->groups == 1 && w->stride_x >= w->wide, channels = (uint32_t)w->channels / p->groups;
    struct strip s = {apart ? w->wide : 1u, apart ? w->stride_x : 1u, 0, channels, 0, 0};
    s.bytes = s.columns * channels;
    s.stride = s.bytes * w->high;
    return s;
}

static inline uint32_t pixels_at_a_time(uint32_t bytes)
{
    const uint32_t fit = BYTES / bytes / FEWEST * FEWEST;
    return fit < FEWEST ? FEWEST : fit > MOST ? MOST : fit;
}

/* Columns of a window are next to each other: `dilation_x` is 1. A window is multiplied up to whole vectors with
   whatever follows it: weights are zero there. */
void ev_conv2d_s8_mve(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                      void *scratch)
{
    const struct ev_window *w = &p->window;
    struct strip s = strip_of(p);
    const uint32_t window = w->wide / s.columns, advance = w->stride_x / s.step; /* in units */
    const uint32_t depth = (window * s.stride + 15) / 16 * 16, columns = (uint32_t)p->columns / p->groups;
    const uint32_t blocks = (columns + 3) / 4, most = pixels_at_a_time(advance * s.stride);
    struct ev_product_mve product = {depth, columns, advance * s.stride, p->columns, p->weight};
    for (; s.channel < w->channels; s.channel += s.channels, y += columns) {
        for (uint32_t row = first; row < first + rows; row++) {
            int8_t *out = y + (size_t)(row % w->out_ring) * w->out_width * p->columns;
            for (uint32_t column = 0; column < w->out_width; column += most, out += most * p->columns) {
                const uint32_t more = w->out_width - column, pixels = more < most ? more : most;
                const int32_t left = (int32_t)(column * w->stride_x) - w->left;
                int32_t from = (int32_t)(row * w->stride_y) - w->top;
                int8_t *to = scratch;
                for (uint32_t i = 0; i < w->high; i++, from += w->dilation_y, to += s.bytes)
                    row_of_strip(w, &s, x, from, left, to, (pixels - 1) * advance + window);
                ev_product_s8_mve(&product, scratch, out, pixels);
            }
        }
        product.blocks += blocks * (CONSTANTS + 4 * depth);
    }
}
