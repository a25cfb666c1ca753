#include <stdbool.h>
#include <stddef.h>

#include "ev_keep.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_round_dsp.h"

/* Four channels at a time, a strip of pixels of each output row. The rows of the image under the strip are unpacked: of
   every two columns a word a channel, with their values as halves. An output whose window begins with the first column
   of a word multiplies the words by `even` weights (w0 w1) (w2 0), one whose window begins with the second by `odd` ones
   (0 w0) (w1 w2). Unpacked rows stay for the output rows below. */
enum { CHANNELS = 4, STRIP = 16, OUTPUTS = 4 };

enum kind { OTHER, THREE, FIVE, SEVEN, THREE_BY_TWO, FIVE_BY_TWO };

struct taps {
    uint32_t even, odd;
};

struct strip {
    const struct ev_depthwise *p;
    enum kind kind;
    uint32_t words;        /* of a row of the window, for a channel */
    uint32_t pitch;        /* words from one row of the tile to the next */
    uint32_t pairs;        /* of columns under the strip */
    struct taps *taps;     /* channel by channel, row by row */
    const uint32_t **rows; /* of the window, in the tile */
    int32_t *kept;         /* which image row each row of the tile has, counted from the first of the padding; or -1 */
    uint32_t *tile;
    const int32_t *bias, *multiplier;
    uint32_t channels; /* of the four, those that there are */
    int32_t left;      /* the first column */
    uint32_t before, inside; /* pairs that are not all inside the image, and those that are */
};

/* Two words of `even` weights are four bytes in flash: taps 0, 2, 1, 3. */
static const int8_t *unpack_taps(const struct strip *s, const int8_t *packed)
{
    struct taps *to = s->taps;
    for (uint32_t row = 0; row < CHANNELS * s->p->window.high; row++) {
        uint32_t before = 0;
        for (uint32_t i = 0; i < s->words; i += 2, packed += 4) {
            const uint32_t bytes = ev_load4(packed);
            const uint32_t first = (uint32_t)ev_even_bytes(bytes), second = (uint32_t)ev_odd_bytes(bytes);
            *to++ = (struct taps){first, before >> 16 | first << 16};
            if (i + 1 < s->words)
                *to++ = (struct taps){second, first >> 16 | second << 16};
            before = second;
        }
    }
    return packed;
}

static inline void put_pair(uint32_t *to, uint32_t left, uint32_t right)
{
    const uint32_t low = ev_low_halves((int32_t)left, (int32_t)right);
    const uint32_t high = ev_high_halves((int32_t)left, (int32_t)right);
    to[0] = (uint32_t)ev_even_bytes(low);
    to[1] = (uint32_t)ev_odd_bytes(low);
    to[2] = (uint32_t)ev_even_bytes(high);
    to[3] = (uint32_t)ev_odd_bytes(high);
}

/* The channels of a pixel of an image row; x is null for a row outside. */
static uint32_t pixel(const struct strip *s, const int8_t *x, int32_t column)
{
    const struct ev_window *window = &s->p->window;
    uint32_t bytes = (uint8_t)window->pad_value * 0x01010101u;
    if (x && column >= 0 && column < window->in_width) {
        x += (uint32_t)column * window->channels;
        if (s->channels == CHANNELS)
            return ev_load4(x);
        for (uint32_t i = s->channels; i > 0; i--)
            bytes = bytes << 8 | (uint8_t)x[i - 1];
    }
    return bytes;
}

static uint32_t *unpack_edge(const struct strip *s, const int8_t *x, int32_t column, uint32_t *to, uint32_t count)
{
    for (; count > 0; count--, to += CHANNELS, column += 2)
        put_pair(to, pixel(s, x, column), pixel(s, x, column + 1));
    return to;
}

/* An image row; x is null for one outside. */
static void unpack_row(const struct strip *s, const int8_t *x, uint32_t *to)
{
    const uint32_t step = s->p->window.channels;
    if (x == NULL || s->channels < CHANNELS) {
        unpack_edge(s, x, s->left, to, s->pairs);
        return;
    }
    to = unpack_edge(s, x, s->left, to, s->before);
    const int32_t column = s->left + 2 * (int32_t)s->before;
    const int8_t *from = x + column * (int32_t)step;
    EV_AS_WRITTEN
    for (uint32_t i = s->inside; i > 0; i--, to += CHANNELS, from += 2 * step)
        put_pair(to, ev_load4(from), ev_load4(from + step));
    unpack_edge(s, x, column + 2 * (int32_t)s->inside, to, s->pairs - s->before - s->inside);
}

/* The window's rows, of which the first is number `first` from the padding's first; those that the tile lacks are put
   where rows were that are not needed any more. */
static void find_rows(const struct strip *s, const int8_t *x, uint32_t first)
{
    const struct ev_window *window = &s->p->window;
    for (uint32_t k = 0; k < window->high; k++) {
        const int32_t row = (int32_t)(first + k * window->dilation_y), at = row - window->top;
        const uint32_t slot = window->dilation_y == 1 ? (uint32_t)row % window->high : k;
        uint32_t *tile = s->tile + slot * s->pitch;
        s->rows[k] = tile;
        if (s->kept[slot] == row)
            continue;
        s->kept[slot] = row;
        const bool inside = at >= 0 && at < window->in_height;
        const uint32_t pixels = inside ? (uint32_t)at % window->in_ring * window->in_width : 0;
        unpack_row(s, inside ? x + pixels * window->channels : NULL, tile);
    }
}

/* One row of the windows of four outputs: `from` is where the first begins. `words` and `stride` are constants. */
EV_INLINE void add_row(int32_t acc[OUTPUTS], const uint32_t *from, const struct taps *w, uint32_t words, uint32_t stride)
{
    const uint32_t last = (OUTPUTS - 1) * stride / 2;
    uint32_t seen[OUTPUTS];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < last; i++)
        seen[i] = from[i * CHANNELS];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < words; i++) {
        seen[last] = from[(i + last) * CHANNELS];
#pragma GCC unroll 4
        for (uint32_t o = 0; o < OUTPUTS; o++)
            acc[o] = __smlad((int16x2_t)seen[o * stride / 2], (int16x2_t)(o * stride % 2 ? w[i].odd : w[i].even), acc[o]);
#pragma GCC unroll 4
        for (uint32_t o = 0; o < last; o++)
            seen[o] = seen[o + 1];
    }
#pragma GCC unroll 4
    for (uint32_t o = 0; o < OUTPUTS; o++)
        EV_KEEP(acc[o]);
}

/* All of them, or the first `count`; where the next four go. */
EV_INLINE int8_t *put_outputs(const int32_t acc[OUTPUTS], int32_t multiplier, int8_t *y, uint32_t step, int32_t count)
{
    y[0] = ev_requantize_dsp(acc[0], multiplier);
    if (count >= OUTPUTS) {
        y[step] = ev_requantize_dsp(acc[1], multiplier);
        y[2 * step] = ev_requantize_dsp(acc[2], multiplier);
        y[3 * step] = ev_requantize_dsp(acc[3], multiplier);
    } else if (count > 1) {
        y[step] = ev_requantize_dsp(acc[1], multiplier);
        if (count > 2)
            y[2 * step] = ev_requantize_dsp(acc[2], multiplier);
    }
    return y + OUTPUTS * step;
}

/* `count` outputs of all channels, four by four. A window of three rows is not a loop. */
EV_INLINE void by_fours(const struct strip *s, int8_t *y, uint32_t count, uint32_t words, uint32_t stride)
{
    const uint32_t *const *const rows = s->rows;
    const uint32_t high = s->p->window.high, step = s->p->window.channels;
    const struct taps *w = s->taps;
    for (uint32_t c = 0; c < s->channels; c++, w += high * words) {
        const int32_t bias = s->bias[c], multiplier = s->multiplier[c];
        uint32_t x = c;
        int8_t *to = y + c;
        EV_AS_WRITTEN
        for (int32_t left = (int32_t)count; left > 0; left -= OUTPUTS, x += OUTPUTS / 2 * stride * CHANNELS) {
            int32_t acc[OUTPUTS] = {bias, bias, bias, bias};
            if (words == 2) {
                add_row(acc, rows[0] + x, w, words, stride);
                add_row(acc, rows[1] + x, w + words, words, stride);
                add_row(acc, rows[2] + x, w + 2 * words, words, stride);
            } else {
                const struct taps *from = w;
                EV_AS_WRITTEN
                for (uint32_t k = 0; k < high; k++, from += words)
                    add_row(acc, rows[k] + x, from, words, stride);
            }
            to = put_outputs(acc, multiplier, to, step, left);
        }
    }
}

/* Windows of any size and stride. */
static void singly(const struct strip *s, int8_t *y, uint32_t count)
{
    const struct ev_window *window = &s->p->window;
    const uint32_t high = window->high, stride = window->stride_x;
    const struct taps *taps = s->taps;
    for (uint32_t c = 0; c < s->channels; c++, taps += high * s->words)
        for (uint32_t o = 0; o < count; o++) {
            const struct taps *w = taps;
            int32_t acc = s->bias[c];
            for (uint32_t k = 0; k < high; k++) {
                const uint32_t *x = s->rows[k] + o * stride / 2 * CHANNELS + c;
                for (uint32_t i = 0; i < s->words; i++, w++, x += CHANNELS)
                    acc = __smlad((int16x2_t)*x, (int16x2_t)(o * stride % 2 ? w->odd : w->even), acc);
            }
            y[o * window->channels + c] = ev_requantize_dsp(acc, s->multiplier[c]);
        }
}

EV_APART static void convolve(const struct strip *s, int8_t *y, uint32_t count)
{
    switch (s->kind) {
    case THREE:
        by_fours(s, y, count, 2, 1);
        break;
    case FIVE:
        by_fours(s, y, count, 3, 1);
        break;
    case SEVEN:
        by_fours(s, y, count, 4, 1);
        break;
    case THREE_BY_TWO:
        by_fours(s, y, count, 2, 2);
        break;
    case FIVE_BY_TWO:
        by_fours(s, y, count, 3, 2);
        break;
    default:
        singly(s, y, count);
    }
}

/* To the windows of `count` outputs from one whose window begins with column `left`. */
static void move_strip(struct strip *s, int32_t left, uint32_t count)
{
    const struct ev_window *window = &s->p->window;
    const uint32_t columns = (count - 1) * window->stride_x + window->dilation_x * (window->wide - 1u) + 1;
    const int32_t width = window->in_width, after = left + (int32_t)columns;
    s->left = left;
    s->pairs = (columns + 1) / 2;
    s->before = left < 0 ? (uint32_t)(1 - left) / 2 : 0;
    const int32_t from = left + 2 * (int32_t)s->before, upto = after < width ? after : width;
    s->inside = upto > from ? (uint32_t)(upto - from) / 2 : 0;
    memset(s->kept, -1, s->p->window.high * sizeof *s->kept);
}

/* Wide as said; three are square. Everything else is done one by one. */
static enum kind kind_of(const struct ev_window *window, uint32_t words)
{
    if (window->stride_x > 2 || words > 4 || words < 2 || (words == 2 && window->high != 3))
        return OTHER;
    if (window->stride_x == 1)
        return words == 2 ? THREE : words == 3 ? FIVE : SEVEN;
    return words == 2 ? THREE_BY_TWO : words == 3 ? FIVE_BY_TWO : OTHER;
}

static struct strip strip_of(const struct ev_depthwise *p, uint32_t outputs, void *scratch)
{
    const struct ev_window *window = &p->window;
    const uint32_t words = (window->dilation_x * (window->wide - 1u) + 1) / 2 + 1;
    const uint32_t pitch = ((outputs - 1) * window->stride_x / 2 + words) * CHANNELS;
    struct strip s = {.p = p, .kind = kind_of(window, words), .words = words, .pitch = pitch, .tile = scratch};
    s.taps = (struct taps *)(s.tile + window->high * pitch);
    s.kept = (int32_t *)(s.taps + CHANNELS * window->high * words);
    s.rows = (const uint32_t **)(s.kept + window->high);
    return s;
}

void ev_depthwise_s8_dsp(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                         void *scratch)
{
    const struct ev_window *window = &p->window;
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
            move_strip(&s, (int32_t)(column * window->stride_x) - window->left, count);
            for (uint32_t row = first; row < first + rows; row++) {
                int8_t *out = y + (row % window->out_ring * width + column) * channels + c;
                find_rows(&s, x + c, row * window->stride_y);
                convolve(&s, out, count);
            }
        }
    }
}
