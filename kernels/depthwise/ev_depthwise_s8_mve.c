/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>
#include <stddef.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_mve.h"
#include "ev_round_mve.h"

/* Sixteen channels at a time, and of the image as many columns as fit into TILE_BYTES of scratch. There a word is four
   rows of a column of a channel. Four words are sixteen taps, which VMLAV multiplies and sums at once. Weights shifted
   by a byte are the window one row below, so a word that is loaded serves two rows of the output. */
enum { TILE_BYTES = 4096, CHANNELS = 16, PIXEL = 4 * CHANNELS };

/* How windows are laid over words, and the image over tiles. */
struct tiling {
    uint32_t words;    /* of a column of the window: 1, 2 or 4 */
    uint32_t vectors;  /* of a window */
    uint32_t two_rows; /* 1: two rows of the output share what is loaded */
    uint32_t columns;  /* of the image, in a tile */
    uint32_t pixels;   /* of the output, from a tile: a multiple of 4 */
};

/* The output of one tile: pixels of one row or of two, of up to sixteen channels. */
struct tile {
    const uint32_t *x; /* the words of the first channel */
    const int8_t *weight;
    const int32_t *bias, *multiplier;
    int8_t *y;
    ptrdiff_t row_stride;  /* bytes from row to row of the output */
    uint32_t pixel_stride; /* bytes from pixel to pixel of the output */
    uint32_t pixels;
    uint32_t channels;
    uint32_t vectors;
    uint32_t vector_stride; /* bytes from the words of a vector to those of the next */
    uint32_t window_stride; /* bytes from the words of a pixel's window to those of the next */
};

static inline uint32_t columns_under(const struct ev_window *w, uint32_t pixels)
{
    return (pixels - 1) * w->stride_x + (w->kernel_w - 1u) * w->dilation_x + 1;
}

static struct tiling tiling_of(const struct ev_window *w)
{
    struct tiling s;
    s.words = w->kernel_h <= 4 ? 1 : w->kernel_h <= 8 ? 2 : 4;
    s.vectors = (w->kernel_w * s.words + 3) / 4;
    s.two_rows = s.words < 4 && w->kernel_h % 4 != 0 && w->stride_y == w->dilation_y && w->stride_x == 1;
    s.pixels = (w->out_width + 3u) / 4 * 4;
    while (s.pixels > 4 && columns_under(w, s.pixels) * s.words * PIXEL > TILE_BYTES)
        s.pixels -= 4;
    s.columns = columns_under(w, s.pixels);
    return s;
}

/* Byte offsets of the four words of a vector. */
static inline uint32x4_t word_offsets(const struct ev_window *w, const struct tiling *s)
{
    const uint32_t column = PIXEL * w->dilation_x, word = PIXEL * s->columns;
    const uint32_t offsets[3][4] = {
        {0, column, 2 * column, 3 * column},
        {0, word, column, column + word},
        {0, word, 2 * word, 3 * word},
    };
    return vldrwq_u32(offsets[s->words / 2]);
}

/* The lowest byte of each lane is the result. */
static inline int32x4_t requantize_lanes(int32x4_t acc, int32_t bias, int32_t multiplier)
{
    return ev_requantize_mve(vaddq_n_s32(acc, bias), vdupq_n_s32(multiplier));
}

/* 0, 1, 2 and 3 times `stride`. */
static inline uint32x4_t lane_offsets(uint32_t stride)
{
    return vmulq_n_u32(vidupq_n_u32(0, 1), stride);
}

#define LOAD_TAPS(addresses, bytes) vreinterpretq_s8_u32(vldrwq_gather_base_u32(addresses, bytes))
#define LOAD_TAPS_AT(x, offsets) vreinterpretq_s8_u32(vldrwq_gather_offset_u32(x, offsets))

/* Stores four pixels of a channel, or the first `pixels`. */
static inline void store_pixels(int8_t *y, uint32x4_t offsets, int32x4_t bytes, uint32_t pixels)
{
    if (pixels < 4)
        vstrbq_scatter_offset_p_s32(y, offsets, bytes, vctp32q(pixels));
    else
        vstrbq_scatter_offset_s32(y, offsets, bytes);
}

/* Weights of the same window one row below. Where two words are a column, the byte shifted out of the first is shifted
   into the second. */
static inline uint32x4_t shift_down_one_row(uint32x4_t weights)
{
    return vorrq_u32(vshlq_n_u32(weights, 8), vrev64q_u32(vshrq_n_u32(weights, 24)));
}

/* One channel of two rows of the output, where a window is one vector. */
struct channel {
    int8x16_t upper, lower; /* weights, for each row */
    uint32x4_t offsets;     /* of four pixels of the output */
    int32_t bias, multiplier;
    ptrdiff_t row_stride;
};

/* Two rows by four pixels. Their words are one pixel past `addresses`, which it advances. */
static inline void convolve_two_by_four(const struct channel *c, uint32x4_t *addresses, int8_t *y, uint32_t pixels)
{
    int8x16_t taps = LOAD_TAPS(*addresses, PIXEL);
    const int32_t s0 = vmladavq_s8(taps, c->upper), t0 = vmladavq_s8(taps, c->lower);
    taps = LOAD_TAPS(*addresses, 3 * PIXEL);
    const int32_t s2 = vmladavq_s8(taps, c->upper), t2 = vmladavq_s8(taps, c->lower);
    taps = LOAD_TAPS(*addresses, 2 * PIXEL);
    const int32_t s1 = vmladavq_s8(taps, c->upper), t1 = vmladavq_s8(taps, c->lower);
    taps = vreinterpretq_s8_u32(vldrwq_gather_base_wb_u32(addresses, 4 * PIXEL));
    const int32_t s3 = vmladavq_s8(taps, c->upper), t3 = vmladavq_s8(taps, c->lower);
    store_pixels(y, c->offsets, requantize_lanes(ev_lanes_mve(s0, s1, s2, s3), c->bias, c->multiplier), pixels);
    y += c->row_stride;
    store_pixels(y, c->offsets, requantize_lanes(ev_lanes_mve(t0, t1, t2, t3), c->bias, c->multiplier), pixels);
}

static void convolve_two_rows_of_one_vector(const struct tile *tile, uint32x4_t word_offsets)
{
    const struct tile p = *tile;
    const uint32x4_t offsets = lane_offsets(p.pixel_stride);
    for (uint32_t i = 0; i < p.channels; i++) {
        const uint32x4_t words = vreinterpretq_u32_s8(vldrbq_s8(p.weight + 16 * i));
        const struct channel c = {
            .upper = vreinterpretq_s8_u32(words),
            .lower = vreinterpretq_s8_u32(shift_down_one_row(words)),
            .offsets = offsets,
            .bias = p.bias[i],
            .multiplier = p.multiplier[i],
            .row_stride = p.row_stride,
        };
        uint32x4_t addresses = vaddq_n_u32(word_offsets, (uint32_t)(uintptr_t)(p.x + i) - PIXEL);
        int8_t *y = p.y + i;
        for (uint32_t fours = p.pixels / 4; fours; fours--, y += 4 * p.pixel_stride)
            convolve_two_by_four(&c, &addresses, y, 4);
        if (p.pixels % 4)
            convolve_two_by_four(&c, &addresses, y, p.pixels % 4);
    }
}

/* Writes the weights of a row and of the row below it, vector by vector. */
static void duplicate_weights(const int8_t *weight, uint32_t vectors, int8_t *to)
{
    for (; vectors; vectors--, weight += 16, to += 32) {
        const uint32x4_t upper = vreinterpretq_u32_s8(vldrbq_s8(weight));
        vstrbq_s8(to, vreinterpretq_s8_u32(upper));
        vstrbq_s8(to + 16, vreinterpretq_s8_u32(shift_down_one_row(upper)));
    }
}

/* A vector of the window: two rows by four pixels, as many sums as there are registers for. */
#define EIGHT_SUMS(MULTIPLY)                 \
    "vldrb.8 q0, [%[w]], #16\n\t"            \
    "vldrb.8 q1, [%[w]], #16\n\t"            \
    "vldrw.u32 q2, [%q[addresses]]\n\t"             \
    MULTIPLY " %[s0], q2, q0\n\t"            \
    MULTIPLY " %[t0], q2, q1\n\t"            \
    "vldrw.u32 q2, [%q[addresses], #64]\n\t"        \
    MULTIPLY " %[s1], q2, q0\n\t"            \
    MULTIPLY " %[t1], q2, q1\n\t"            \
    "vldrw.u32 q2, [%q[addresses], #128]\n\t"       \
    MULTIPLY " %[s2], q2, q0\n\t"            \
    MULTIPLY " %[t2], q2, q1\n\t"            \
    "vldrw.u32 q2, [%q[addresses], #192]\n\t"       \
    MULTIPLY " %[s3], q2, q0\n\t"            \
    MULTIPLY " %[t3], q2, q1\n\t"

/* Two rows of the output, of windows of several vectors. `weights` is scratch for those of one channel. In assembly
   because compilers spill some of the eight sums. */
static void convolve_two_rows(const struct tile *tile, uint32x4_t word_offsets, int8_t *weights)
{
    const struct tile p = *tile;
    const uint32x4_t offsets = lane_offsets(p.pixel_stride);
    for (uint32_t c = 0; c < p.channels; c++) {
        const int32_t bias = p.bias[c], multiplier = p.multiplier[c];
        uint32x4_t start = vaddq_n_u32(word_offsets, (uint32_t)(uintptr_t)(p.x + c));
        int8_t *y = p.y + c;
        duplicate_weights(p.weight + 16 * p.vectors * c, p.vectors, weights);
        for (int32_t remaining = (int32_t)p.pixels; remaining > 0; remaining -= 4, y += 4 * p.pixel_stride) {
            const int8_t *w = weights;
            uint32x4_t addresses = start;
            uint32_t more = p.vectors;
            int32_t s0, s1, s2, s3, t0, t1, t2, t3;
            __asm__(EIGHT_SUMS("vmlav.s8")
                    "subs %[more], #1\n\t"
                    "beq 2f\n"
                    "1:\n\t"
                    "vadd.i32 %q[addresses], %q[addresses], %[vector_stride]\n\t"
                    EIGHT_SUMS("vmlava.s8")
                    "subs %[more], #1\n\t"
                    "bne 1b\n"
                    "2:"
                    : [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3), [t0] "=&Te"(t0),
                      [t1] "=&Te"(t1), [t2] "=&Te"(t2), [t3] "=&Te"(t3), [w] "+&r"(w), [more] "+&r"(more),
                      [addresses] "+&w"(addresses)
                    : [vector_stride] "r"(p.vector_stride)
                    : "q0", "q1", "q2", "cc", "memory");
            const mve_pred16_t inside = vctp32q((uint32_t)remaining);
            start = vaddq_n_u32(start, 4 * PIXEL);
            const int32x4_t s = requantize_lanes(ev_lanes_mve(s0, s1, s2, s3), bias, multiplier);
            vstrbq_scatter_offset_p_s32(y, offsets, s, inside);
            const int32x4_t t = requantize_lanes(ev_lanes_mve(t0, t1, t2, t3), bias, multiplier);
            vstrbq_scatter_offset_p_s32(y + p.row_stride, offsets, t, inside);
        }
    }
}

/* One channel of one row of the output: any window, any stride. */
struct single {
    uint32x4_t first, second, third, fourth; /* offsets of the words of four pixels */
    uint32x4_t offsets;                      /* of four pixels of the output */
    const int8_t *weight;
    int32_t bias, multiplier;
    uint32_t vectors, vector_stride;
};

static inline void convolve_one_by_four(const struct single *c, const uint32_t *x, int8_t *y, uint32_t pixels)
{
    const int8_t *w = c->weight;
    int8x16_t weight = vldrbq_s8(w);
    int32_t s0 = vmladavq_s8(LOAD_TAPS_AT(x, c->first), weight), s1 = vmladavq_s8(LOAD_TAPS_AT(x, c->second), weight);
    int32_t s2 = vmladavq_s8(LOAD_TAPS_AT(x, c->third), weight), s3 = vmladavq_s8(LOAD_TAPS_AT(x, c->fourth), weight);
    for (uint32_t more = c->vectors - 1; more; more--) {
        w += 16;
        x += c->vector_stride / 4;
        weight = vldrbq_s8(w);
        s0 = vmladavaq_s8(s0, LOAD_TAPS_AT(x, c->first), weight);
        s1 = vmladavaq_s8(s1, LOAD_TAPS_AT(x, c->second), weight);
        s2 = vmladavaq_s8(s2, LOAD_TAPS_AT(x, c->third), weight);
        s3 = vmladavaq_s8(s3, LOAD_TAPS_AT(x, c->fourth), weight);
    }
    store_pixels(y, c->offsets, requantize_lanes(ev_lanes_mve(s0, s1, s2, s3), c->bias, c->multiplier), pixels);
}

static inline void convolve_one_row(const struct tile *tile, uint32x4_t word_offsets, const uint32_t vectors)
{
    const struct tile p = *tile;
    const uint32x4_t second = vaddq_n_u32(word_offsets, p.window_stride), third = vaddq_n_u32(second, p.window_stride);
    struct single c = {
        .first = word_offsets,
        .second = second,
        .third = third,
        .fourth = vaddq_n_u32(third, p.window_stride),
        .offsets = lane_offsets(p.pixel_stride),
        .vectors = vectors,
        .vector_stride = p.vector_stride,
    };
    for (uint32_t i = 0; i < p.channels; i++) {
        const uint32_t *x = p.x + i;
        int8_t *y = p.y + i;
        c.weight = p.weight + 16 * vectors * i;
        c.bias = p.bias[i];
        c.multiplier = p.multiplier[i];
        for (uint32_t fours = p.pixels / 4; fours; fours--, y += 4 * p.pixel_stride, x += p.window_stride)
            convolve_one_by_four(&c, x, y, 4);
        if (p.pixels % 4)
            convolve_one_by_four(&c, x, y, p.pixels % 4);
    }
}

/* noinline: its loops need all registers. */
EV_NOINLINE static void convolve_tile(const struct tile *p, uint32x4_t word_offsets, uint32_t rows, int8_t *weights)
{
    if (rows == 1 && p->vectors == 1)
        convolve_one_row(p, word_offsets, 1);
    else if (rows == 1)
        convolve_one_row(p, word_offsets, p->vectors);
    else if (p->vectors == 1)
        convolve_two_rows_of_one_vector(p, word_offsets);
    else
        convolve_two_rows(p, word_offsets, weights);
}

static inline uint8_t *fill_padding(uint8_t *words, int8_t value, int32_t columns)
{
    for (; columns > 0; columns--, words += PIXEL)
        for (uint32_t i = 0; i < PIXEL; i += 16)
            vstrbq_s8((int8_t *)words + i, vdupq_n_s8(value));
    return words;
}

/* Four rows of the image. The stride is 0 for a row outside, which is one pixel of padding. */
struct rows {
    const uint8_t *x[4];
    uint32_t pixel_stride[4];
};

static inline uint8_t *interleave_pixels(uint8_t *words, const struct rows *rows, int32_t columns,
                                         const uint32_t channels)
{
    const uint8_t *a = rows->x[0], *b = rows->x[1], *c = rows->x[2], *d = rows->x[3];
    const mve_pred16_t inside = vctp8q(channels);
    for (; columns > 0; columns--, words += PIXEL) {
        uint8x16x4_t four;
        if (channels == CHANNELS)
            four = (uint8x16x4_t){{vldrbq_u8(a), vldrbq_u8(b), vldrbq_u8(c), vldrbq_u8(d)}};
        else
            four = (uint8x16x4_t){{vldrbq_z_u8(a, inside), vldrbq_z_u8(b, inside), vldrbq_z_u8(c, inside),
                                   vldrbq_z_u8(d, inside)}};
        vst4q_u8(words, four);
        a += rows->pixel_stride[0];
        b += rows->pixel_stride[1];
        c += rows->pixel_stride[2];
        d += rows->pixel_stride[3];
    }
    return words;
}

/* Interleaves four rows of the image to words, from column `left` and row `y` on. Rows from `used` on are multiplied by
   zero weights. noinline: inlined into the loop over words it spills. */
EV_NOINLINE static void interleave_rows(const struct ev_window *w, const int8_t *x, int32_t y, int32_t used,
                                        int32_t left, int32_t columns, uint32_t channels, uint8_t *words)
{
    uint8_t outside[CHANNELS];
    struct rows rows;
    const int32_t before = left > 0 ? 0 : -left < columns ? -left : columns;
    const int32_t until = w->in_width - left < columns ? w->in_width - left : columns;
    const int32_t end = until > before ? until : before;
    vstrbq_s8((int8_t *)outside, vdupq_n_s8(w->pad_value));
    for (int32_t i = 0; i < 4; i++, y += w->dilation_y) {
        const int inside = i < used && y >= 0 && y < w->in_height;
        const uint32_t pixel = (uint32_t)y % w->in_ring * w->in_width + (uint32_t)(left + before);
        rows.pixel_stride[i] = inside ? w->channels : 0;
        rows.x[i] = inside ? (const uint8_t *)x + (size_t)pixel * w->channels : outside;
    }
    words = fill_padding(words, w->pad_value, before);
    if (channels == CHANNELS)
        words = interleave_pixels(words, &rows, end - before, CHANNELS);
    else
        words = interleave_pixels(words, &rows, end - before, channels);
    fill_padding(words, w->pad_value, columns - end);
}

void ev_depthwise_s8_mve(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                         void *scratch)
{
    const struct ev_window *w = &p->window;
    EV_ASSERT_WINDOW(w, x, y, w->channels, first, rows);
    EV_ASSERT(w->kernel_h <= 16);
    EV_ASSERT(ev_all_positive(p->multiplier, w->channels));
    EV_ASSERT(ev_aligned(scratch, 16));
    const struct tiling s = tiling_of(w);
    const uint32x4_t offsets = word_offsets(w, &s);
    const uint32_t vector_stride = 4 / s.words * PIXEL * w->dilation_x, plane = s.columns * PIXEL;
    const ptrdiff_t row_bytes = (ptrdiff_t)w->out_width * w->channels;
    int8_t *pair_weights = (int8_t *)scratch + s.words * plane;
    for (uint32_t channel = 0; channel < w->channels; channel += CHANNELS) {
        const uint32_t channels = w->channels - channel < CHANNELS ? w->channels - channel : CHANNELS;
        uint32_t count;
        for (uint32_t row = first; row < first + rows; row += count) {
            count = s.two_rows && row + 1 < first + rows ? 2 : 1;
            const ptrdiff_t y_row = (ptrdiff_t)(row % w->out_ring) * row_bytes;
            const ptrdiff_t row_stride = (ptrdiff_t)((row + 1) % w->out_ring) * row_bytes - y_row;
            const int32_t used = w->kernel_h + (int32_t)count - 1, top = (int32_t)(row * w->stride_y) - w->pad_top;
            for (uint32_t column = 0; column < w->out_width; column += s.pixels) {
                const uint32_t more = w->out_width - column;
                const int32_t left = (int32_t)(column * w->stride_x) - w->pad_left;
                for (uint32_t word = 0; word < s.words; word++)
                    interleave_rows(w, x + channel, top + 4 * (int32_t)word * w->dilation_y, used - 4 * (int32_t)word,
                                  left, (int32_t)s.columns, channels, (uint8_t *)scratch + word * plane);
                const struct tile tile = {
                    .x = scratch,
                    .weight = p->weight + 16 * s.vectors * channel,
                    .bias = p->bias + channel,
                    .multiplier = p->multiplier + channel,
                    .y = y + y_row + (ptrdiff_t)(column * w->channels + channel),
                    .row_stride = row_stride,
                    .pixel_stride = w->channels,
                    .pixels = more < s.pixels ? more : s.pixels,
                    .channels = channels,
                    .vectors = s.vectors,
                    .vector_stride = vector_stride,
                    .window_stride = PIXEL * w->stride_x,
                };
                convolve_tile(&tile, offsets, count, pair_weights);
            }
        }
    }
}
