/* SPDX-License-Identifier: Apache-2.0 */
/* A depthwise convolution by strips of pixels, of 8 or 16 bits. A kernel's file defines before it includes this: `ev_value`,
   the type of what is read and stored; `ev_pixel`, four channels of a pixel as they are loaded; CHANNELS; and what is done
   with them: `load_some` and `fill_four` of a pixel, `store_pair` to the tile, `requantize_value`, and the name of
   `ev_depthwise_row`. */
#ifndef EV_DEPTHWISE_DSP_H
#define EV_DEPTHWISE_DSP_H

#include <stdbool.h>
#include <stddef.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"

/* Four channels at a time, a strip of pixels of each output row. The image rows under the strip are unpacked to a tile:
   of every channel a word for two columns, with their values as halves. An output whose window begins with the first
   column of a word multiplies the words by `even` weights (w0 w1) (w2 0), one whose window begins with the second by
   `odd` ones (0 w0) (w1 w2). Unpacked rows are reused by the output rows below. */
enum { STRIP = 16, OUTPUTS = 4 };

/* Kernel widths with a loop of their own, and their stride where it is 2. */
enum shape { ANY, WIDTH_3, WIDTH_5, WIDTH_7, WIDTH_3_STRIDE_2, WIDTH_5_STRIDE_2 };

struct taps {
    uint32_t even, odd;
};

/* The pairs of columns under a strip; ev_depthwise_asm_dsp.h knows where each is. */
struct ev_depthwise_pairs {
    uint32_t channel_bytes, pixel_bytes; /* from one to the next, in the tile and in the image */
    uint32_t pad;                        /* in both halves */
    uint32_t before;                     /* pairs of padding */
    uint32_t first;                      /* 1: then a pair of padding and a column; 0: none */
    uint32_t inside;                     /* pairs of columns */
    uint32_t last;                       /* 1: then a pair of a column and padding; 0: none */
    uint32_t after;                      /* pairs of padding */
};
void ev_depthwise_unpack(const struct ev_depthwise_pairs *pairs, uint32_t *to, const ev_value *from);

struct strip {
    /* ev_depthwise_asm_dsp.h knows where each of these is, up to the first two of `pairs`. */
    const uint32_t **rows; /* of the window, in the tile */
    struct taps *taps;     /* channel by channel, row by row */
    const int32_t *bias, *multiplier;
    uint32_t channels; /* 4, or fewer at the end */
    struct ev_depthwise_pairs pairs;
    const struct ev_depthwise *p;
    enum shape shape;
    uint32_t words;     /* of a tap row of one channel */
    int32_t *tile_rows; /* the image row in each row of the tile, counted from the first of the padding; or -1 */
    uint32_t *tile;
    int32_t left;        /* the first column */
    uint32_t first_real; /* value of an image row that is under the strip */
};

/* Words from one channel of a row of the tile to the next. */
static inline uint32_t channel_stride(const struct strip *s)
{
    return s->pairs.channel_bytes / 4;
}

/* `count` outputs of all channels, of 3x3 windows without stride. */
void ev_depthwise_row(const struct strip *s, ev_value *y, uint32_t count);

/* The next four taps of a tap row, of which `count` are left: words of the first two and of the others, as bytes. */
EV_INLINE uint32_t load_taps(const int8_t *packed, uint32_t count)
{
    if (count == 0)
        return 0;
    if (count == 1)
        return (uint8_t)*packed;
    return count < 4 ? ev_load4(packed) & 0xFFFFFFu : ev_load4(packed);
}

/* Packed weights: the taps of a row one after the other, of every four the first, the third, the second and the fourth; of
   the last two a zero between them. Three bytes behind the last may be read. Returns the next channels'. */
EV_INLINE const int8_t *unpack_rows(struct taps *to, uint32_t rows, uint32_t taps, const int8_t *packed)
{
    const uint32_t words = taps / 2 + 1, bytes = taps + (taps % 4 == 2);
    EV_NO_UNROLL
    for (; rows > 0; rows--, packed += bytes) {
        uint32_t previous = 0;
#pragma GCC unroll 4
        for (uint32_t k = 0; k < words; k += 2) {
            const uint32_t four = load_taps(packed + 2 * k, taps - 2 * k);
            const uint32_t first = (uint32_t)ev_even_bytes(four);
            *to++ = (struct taps){.even = first, .odd = previous >> 16 | first << 16};
            if (k + 1 == words)
                break;
            const uint32_t second = (uint32_t)ev_odd_bytes(four);
            *to++ = (struct taps){.even = second, .odd = first >> 16 | second << 16};
            previous = second;
        }
    }
    return packed;
}

/* A tap row of three: its first two, and the third as it lies in the low half of `last`. */
static inline struct taps *store_three(struct taps *to, int32_t first, int32_t last)
{
    to[0] = (struct taps){.even = (uint32_t)first, .odd = (uint32_t)first << 16};
    to[1] = (struct taps){.even = (uint16_t)last, .odd = (uint32_t)first >> 16 | (uint32_t)last << 16};
    return to + 2;
}

/* Of a 3x3 window a, b, c: a0 b0 a1 b1, c0 a2 c1 b2, c2. */
static const int8_t *unpack_squares(struct taps *to, const int8_t *packed)
{
    EV_NO_UNROLL
    for (uint32_t c = 0; c < CHANNELS; c++, packed += 9) {
        const uint32_t rows = ev_load4(packed), ends = ev_load4(packed + 4);
        const int32_t thirds = ev_odd_bytes(ends);
        to = store_three(to, ev_even_bytes(rows), thirds);
        to = store_three(to, ev_odd_bytes(rows), thirds >> 16);
        to = store_three(to, ev_even_bytes(ends), packed[8]);
    }
    return packed;
}

static const int8_t *unpack_taps(const struct strip *s, const int8_t *packed)
{
    const struct ev_window *window = &s->p->window;
    const uint32_t rows = CHANNELS * window->kernel_h, taps = window->dilation_x * (window->kernel_w - 1u) + 1;
    if (taps == 3 && window->kernel_h == 3)
        return unpack_squares(s->taps, packed);
    switch (taps) {
    case 5:
        return unpack_rows(s->taps, rows, 5, packed);
    case 7:
        return unpack_rows(s->taps, rows, 7, packed);
    default:
        return unpack_rows(s->taps, rows, taps, packed);
    }
}

/* A pixel of an image row, or the padding. */
static inline ev_pixel some_at(const struct strip *s, const ev_value *x, int32_t column, ev_pixel pad)
{
    const bool inside = (uint32_t)column < s->p->window.in_width;
    return inside ? load_some(x + (uint32_t)column * s->p->window.channels, s->channels) : pad;
}

/* The last channels of an image, fewer than four. */
EV_NOINLINE static void unpack_channels(const struct strip *s, const ev_value *x, uint32_t *to)
{
    const struct ev_depthwise_pairs *pairs = &s->pairs;
    const ev_pixel pad = fill_four(s->p->window.pad_value);
    int32_t column = s->left;
    EV_NO_UNROLL
    for (uint32_t i = pairs->before + pairs->first + pairs->inside + pairs->last + pairs->after; i > 0; i--) {
        store_pair(to, channel_stride(s), some_at(s, x, column, pad), some_at(s, x, column + 1, pad));
        to++;
        column += 2;
    }
}

/* A row outside the image. */
static void fill_row(const struct strip *s, uint32_t *to)
{
    const uint32_t pad = s->pairs.pad;
    for (uint32_t i = CHANNELS * channel_stride(s); i > 0; i--)
        *to++ = pad;
}

/* Unpacks row `row` of the image, which may be outside. noinline: it is rarely called, and needs registers. */
EV_NOINLINE static void load_row(const struct strip *s, const ev_value *x, int32_t row, uint32_t *to)
{
    const struct ev_window *window = &s->p->window;
    if (row < 0 || row >= window->in_height) {
        fill_row(s, to);
        return;
    }
    const uint32_t at = (uint32_t)row < window->in_ring ? (uint32_t)row : (uint32_t)row % window->in_ring;
    x += at * window->in_width * window->channels;
    if (s->channels < CHANNELS)
        unpack_channels(s, x, to);
    else
        ev_depthwise_unpack(&s->pairs, to, x + s->first_real);
}

/* Points `rows` at the window's rows. The first is `first`, counted from the first of the padding. Rows that the tile
   lacks are unpacked over rows that are not needed any more. */
static inline void update_tile(const struct strip *s, const ev_value *x, uint32_t first)
{
    const struct ev_window *window = &s->p->window;
    const uint32_t kernel_h = window->kernel_h, slot_words = CHANNELS * channel_stride(s);
    uint32_t slot = window->dilation_y == 1 ? first % kernel_h : 0;
    const uint32_t **rows = s->rows;
    int32_t row = (int32_t)first;
    EV_NO_UNROLL
    for (uint32_t k = kernel_h; k > 0; k--, row += window->dilation_y) {
        uint32_t *tile = s->tile + slot * slot_words;
        *rows++ = tile;
        if (s->tile_rows[slot] != row) {
            s->tile_rows[slot] = row;
            load_row(s, x, row - window->pad_top, tile);
        }
        if (++slot == kernel_h)
            slot = 0;
    }
}

/* Adds one tap row of the windows of four outputs; the first begins at `from`. `words` and `stride` are constants. */
EV_INLINE void add_row(int32_t acc[OUTPUTS], const uint32_t *from, const struct taps *w, uint32_t words,
                       uint32_t stride)
{
    const uint32_t last = (OUTPUTS - 1) * stride / 2;
    uint32_t x[OUTPUTS];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < last; i++)
        x[i] = from[i];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < words; i++) {
        x[last] = from[i + last];
#pragma GCC unroll 4
        for (uint32_t o = 0; o < OUTPUTS; o++)
            acc[o] = __smlad((int16x2_t)x[o * stride / 2], (int16x2_t)(o * stride % 2 ? w[i].odd : w[i].even), acc[o]);
#pragma GCC unroll 4
        for (uint32_t o = 0; o < last; o++)
            x[o] = x[o + 1];
    }
#pragma GCC unroll 4
    for (uint32_t o = 0; o < OUTPUTS; o++)
        EV_OPAQUE(acc[o]);
}

/* Stores four outputs, or the first `count`. Returns the place of the next four. */
EV_INLINE ev_value *store_outputs(const int32_t acc[OUTPUTS], int32_t multiplier, ev_value *y, uint32_t pixel_stride,
                                int32_t count)
{
    y[0] = requantize_value(acc[0], multiplier);
    if (count >= OUTPUTS) {
        y[pixel_stride] = requantize_value(acc[1], multiplier);
        y[2 * pixel_stride] = requantize_value(acc[2], multiplier);
        y[3 * pixel_stride] = requantize_value(acc[3], multiplier);
    } else if (count > 1) {
        y[pixel_stride] = requantize_value(acc[1], multiplier);
        if (count > 2)
            y[2 * pixel_stride] = requantize_value(acc[2], multiplier);
    }
    return y + OUTPUTS * pixel_stride;
}

/* `count` outputs of all channels, four by four. The loop over three tap rows is unrolled. */
EV_INLINE void convolve_fours(const struct strip *s, ev_value *y, uint32_t count, uint32_t words, uint32_t stride)
{
    const uint32_t *const *const rows = s->rows;
    const uint32_t kernel_h = s->p->window.kernel_h, pixel_stride = s->p->window.channels;
    const struct taps *w = s->taps;
    for (uint32_t c = 0; c < s->channels; c++, w += kernel_h * words) {
        const int32_t bias = s->bias[c], multiplier = s->multiplier[c];
        uint32_t x = c * channel_stride(s);
        ev_value *to = y + c;
        EV_NO_UNROLL
        for (int32_t left = (int32_t)count; left > 0; left -= OUTPUTS, x += OUTPUTS / 2 * stride) {
            int32_t acc[OUTPUTS] = {bias, bias, bias, bias};
            if (words == 2) {
                add_row(acc, rows[0] + x, w, words, stride);
                add_row(acc, rows[1] + x, w + words, words, stride);
                add_row(acc, rows[2] + x, w + 2 * words, words, stride);
            } else {
                const struct taps *from = w;
                EV_NO_UNROLL
                for (uint32_t k = 0; k < kernel_h; k++, from += words)
                    add_row(acc, rows[k] + x, from, words, stride);
            }
            to = store_outputs(acc, multiplier, to, pixel_stride, left);
        }
    }
}

/* Outputs one by one, of windows of any size and stride. */
static void convolve_any(const struct strip *s, ev_value *y, uint32_t count)
{
    const struct ev_window *window = &s->p->window;
    const uint32_t kernel_h = window->kernel_h, stride = window->stride_x;
    const struct taps *taps = s->taps;
    for (uint32_t c = 0; c < s->channels; c++, taps += kernel_h * s->words)
        for (uint32_t o = 0; o < count; o++) {
            const struct taps *w = taps;
            int32_t acc = s->bias[c];
            for (uint32_t k = 0; k < kernel_h; k++) {
                const uint32_t *x = s->rows[k] + o * stride / 2 + c * channel_stride(s);
                for (uint32_t i = 0; i < s->words; i++, w++, x++)
                    acc = __smlad((int16x2_t)*x, (int16x2_t)(o * stride % 2 ? w->odd : w->even), acc);
            }
            y[o * window->channels + c] = requantize_value(acc, s->multiplier[c]);
        }
}

/* Of other windows. noinline: its loops need all registers. */
EV_NOINLINE static void convolve_row(const struct strip *s, ev_value *y, uint32_t count)
{
    switch (s->shape) {
    case WIDTH_5:
        convolve_fours(s, y, count, 3, 1);
        break;
    case WIDTH_7:
        convolve_fours(s, y, count, 4, 1);
        break;
    case WIDTH_3_STRIDE_2:
        convolve_fours(s, y, count, 2, 2);
        break;
    case WIDTH_5_STRIDE_2:
        convolve_fours(s, y, count, 3, 2);
        break;
    default:
        convolve_any(s, y, count);
    }
}

/* Moves the strip to `count` outputs; the window of the first begins at column `left`. */
static void move_strip(struct strip *s, int32_t left, uint32_t count)
{
    const struct ev_window *window = &s->p->window;
    const uint32_t columns = (count - 1) * window->stride_x + window->dilation_x * (window->kernel_w - 1u) + 1;
    const int32_t width = window->in_width;
    s->left = left;
    const uint32_t pair_count = (columns + 1) / 2;
    const int32_t end = left + 2 * (int32_t)pair_count, real_end = end < width ? end : width;
    const int32_t real = left > 0 ? left : 0;
    struct ev_depthwise_pairs *pairs = &s->pairs;
    if (real >= real_end) {
        pairs->before = pair_count;
        pairs->first = pairs->inside = pairs->last = pairs->after = 0;
    } else {
        s->first_real = (uint32_t)real * window->channels;
        pairs->before = (uint32_t)(real - left) / 2;
        pairs->first = (uint32_t)(real - left) % 2;
        pairs->inside = ((uint32_t)(real_end - real) - pairs->first) / 2;
        pairs->last = ((uint32_t)(real_end - real) - pairs->first) % 2;
        pairs->after = pair_count - pairs->before - pairs->first - pairs->inside - pairs->last;
    }
    memset(s->tile_rows, -1, s->p->window.kernel_h * sizeof *s->tile_rows);
}

/* By the words of a tap row. Of width 3 only square windows have a loop. */
static enum shape shape_of(const struct ev_window *window, uint32_t words)
{
    if (window->stride_x > 2 || words > 4 || words < 2 || (words == 2 && window->kernel_h != 3))
        return ANY;
    if (window->stride_x == 1)
        return words == 2 ? WIDTH_3 : words == 3 ? WIDTH_5 : WIDTH_7;
    return words == 2 ? WIDTH_3_STRIDE_2 : words == 3 ? WIDTH_5_STRIDE_2 : ANY;
}

static struct strip strip_of(const struct ev_depthwise *p, uint32_t outputs, void *scratch)
{
    const struct ev_window *window = &p->window;
    const uint32_t words = (window->dilation_x * (window->kernel_w - 1u) + 1) / 2 + 1;
    const uint32_t pair_count = (outputs - 1) * window->stride_x / 2 + words;
    struct strip s = {
        .p = p,
        .shape = shape_of(window, words),
        .words = words,
        .tile = scratch,
        .pairs = {.channel_bytes = pair_count * 4,
                  .pixel_bytes = window->channels * sizeof(ev_value),
                  .pad = (uint16_t)window->pad_value * EV_ONES},
    };
    s.taps = (struct taps *)(s.tile + window->kernel_h * CHANNELS * pair_count);
    s.tile_rows = (int32_t *)(s.taps + CHANNELS * window->kernel_h * words);
    s.rows = (const uint32_t **)(s.tile_rows + window->kernel_h);
    return s;
}

/* Windows of a single tap: y = requantize(bias + x * weight), channel by channel. */
static void scale_row(const struct ev_depthwise *p, const ev_value *x, ev_value *y)
{
    const uint32_t channels = p->window.channels, width = p->window.out_width;
    for (uint32_t c = 0; c < channels; c++) {
        const int32_t bias = p->bias[c], multiplier = p->multiplier[c], weight = p->weight[c];
        const ev_value *from = x + c;
        ev_value *to = y + c;
        EV_UNROLL_4
        for (uint32_t i = width; i > 0; i--, from += channels, to += channels)
            *to = requantize_value(bias + *from * weight, multiplier);
    }
}

/* Whether the first `rows` have such windows, none of them outside the image. */
static bool is_single_tap(const struct ev_window *window, uint32_t rows)
{
    return rows <= window->in_height && window->kernel_h == 1 && window->kernel_w == 1 && window->stride_y == 1 && window->stride_x == 1 &&
           window->pad_top == 0 && window->pad_left == 0 && window->out_width == window->in_width;
}

static void scale_rows(const struct ev_depthwise *p, const ev_value *x, ev_value *y, uint32_t first, uint32_t rows)
{
    const uint32_t values = p->window.in_width * p->window.channels;
    for (uint32_t row = first; row < first + rows; row++)
        scale_row(p, x + row % p->window.in_ring * values, y + row % p->window.out_ring * values);
}

EV_INLINE void ev_depthwise_strips(const struct ev_depthwise *p, const ev_value *x, ev_value *y, uint32_t first,
                                   uint32_t rows, void *scratch)
{
    const struct ev_window *window = &p->window;
    EV_ASSERT_WINDOW(window, x, y, window->channels, first, rows);
    EV_ASSERT(ev_all_positive(p->multiplier, window->channels));
    EV_ASSERT(ev_aligned(scratch, 16));
    if (is_single_tap(window, first + rows)) {
        scale_rows(p, x, y, first, rows);
        return;
    }
    const uint32_t width = window->out_width, channels = window->channels;
    const uint32_t outputs = width < STRIP ? (width + OUTPUTS - 1) / OUTPUTS * OUTPUTS : STRIP;
    struct strip s = strip_of(p, outputs, scratch);
    const int8_t *weight = p->weight;
    for (uint32_t c = 0; c < channels; c += CHANNELS) {
        s.channels = channels - c < CHANNELS ? channels - c : CHANNELS;
        s.bias = p->bias + c;
        s.multiplier = p->multiplier + c;
        weight = unpack_taps(&s, weight);
        for (uint32_t column = 0; column < width; column += outputs) {
            const uint32_t count = width - column < outputs ? width - column : outputs;
            move_strip(&s, (int32_t)(column * window->stride_x) - window->pad_left, count);
            for (uint32_t row = first; row < first + rows; row++) {
                ev_value *out = y + (row % window->out_ring * width + column) * channels + c;
                update_tile(&s, x + c, row * window->stride_y);
                if (s.shape == WIDTH_3)
                    ev_depthwise_row(&s, out, count);
                else
                    convolve_row(&s, out, count);
            }
        }
    }
}

#endif
