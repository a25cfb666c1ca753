#include <arm_mve.h>
#include <stddef.h>

#include "ev_kernels_mve.h"
#include "ev_loops.h"
#include "ev_round_mve.h"

/* Sixteen channels at a time, and of the image as many columns as fit into BYTES of scratch. There a word is four rows
   of a column of a channel. Four words are sixteen taps, which VMLAV multiplies and sums at once; words of weights
   shifted by a byte are the window one row further down, so a word that is fetched serves two rows of the output. */
enum { BYTES = 4096, CHANNELS = 16, PIXEL = 4 * CHANNELS };

/* How a window is laid over words. */
struct shape {
    uint32_t words;   /* of a column: 1, 2 or 4 */
    uint32_t vectors; /* of a window */
    uint32_t pairs;   /* whether two rows of the output are made at a time */
    uint32_t columns; /* of the image, in scratch */
    uint32_t pixels;  /* of the output, that they are for: a multiple of 4 */
};

/* What is made at a time: some pixels of one row or of two, of up to sixteen channels. */
struct part {
    const uint32_t *z; /* the words of the first channel */
    const int8_t *weight;
    const int32_t *bias, *multiplier;
    int8_t *y;
    ptrdiff_t below;   /* from a row of the output to the next */
    uint32_t pixel;    /* bytes from pixel to pixel of the output */
    uint32_t pixels;
    uint32_t channels;
    uint32_t vectors;
    uint32_t ahead; /* bytes from the words of a vector to those of the next */
    uint32_t apart; /* and from those of a pixel */
};

static inline uint32_t columns_under(const struct ev_window *w, uint32_t pixels)
{
    return (pixels - 1) * w->stride_x + (w->wide - 1u) * w->dilation_x + 1;
}

static struct shape shape_of(const struct ev_window *w)
{
    struct shape s;
    s.words = w->high <= 4 ? 1 : w->high <= 8 ? 2 : 4;
    s.vectors = (w->wide * s.words + 3) / 4;
    s.pairs = s.words < 4 && w->high % 4 != 0 && w->stride_y == w->dilation_y && w->stride_x == 1;
    s.pixels = (w->out_width + 3u) / 4 * 4;
    while (s.pixels > 4 && columns_under(w, s.pixels) * s.words * PIXEL > BYTES)
        s.pixels -= 4;
    s.columns = columns_under(w, s.pixels);
    return s;
}

/* Where the four words of a vector are, in bytes from the first. */
static inline uint32x4_t places(const struct ev_window *w, const struct shape *s)
{
    const uint32_t column = PIXEL * w->dilation_x, word = PIXEL * s->columns;
    const uint32_t all[3][4] = {
        {0, column, 2 * column, 3 * column},
        {0, word, column, column + word},
        {0, word, 2 * word, 3 * word},
    };
    return vldrwq_u32(all[s->words / 2]);
}

/* The lowest byte of each lane is the result. */
static inline int32x4_t requantized(int32x4_t acc, int32_t bias, int32_t multiplier)
{
    return ev_requantize_mve(vaddq_n_s32(acc, bias), vdupq_n_s32(multiplier));
}

static inline uint32x4_t four_times(uint32_t step)
{
    return vmulq_n_u32(vidupq_n_u32(0, 1), step);
}

#define TAPS(at, bytes) vreinterpretq_s8_u32(vldrwq_gather_base_u32(at, bytes))
#define TAPS_FROM(z, at) vreinterpretq_s8_u32(vldrwq_gather_offset_u32(z, at))

/* Puts down four pixels, or the first of them. */
static inline void put(int8_t *y, uint32x4_t to, int32x4_t bytes, uint32_t pixels)
{
    if (pixels < 4)
        vstrbq_scatter_offset_p_s32(y, to, bytes, vctp32q(pixels));
    else
        vstrbq_scatter_offset_s32(y, to, bytes);
}

/* The same weights one row further down. Where two words are a column, what a byte's shift pushes out of the first
   comes into the second. */
static inline uint32x4_t lowered(uint32x4_t weights)
{
    return vorrq_u32(vshlq_n_u32(weights, 8), vrev64q_u32(vshrq_n_u32(weights, 24)));
}

/* What one channel needs for two rows of the output, where a window is one vector. */
struct channel {
    int8x16_t upper, lower;
    uint32x4_t to;
    int32_t bias, multiplier;
    ptrdiff_t below;
};

/* Of words that are a pixel further than `at`, which it moves on. */
static inline void two_by_four(const struct channel *c, uint32x4_t *at, int8_t *y, uint32_t pixels)
{
    int8x16_t taps = TAPS(*at, PIXEL);
    const int32_t s0 = vmladavq_s8(taps, c->upper), t0 = vmladavq_s8(taps, c->lower);
    taps = TAPS(*at, 3 * PIXEL);
    const int32_t s2 = vmladavq_s8(taps, c->upper), t2 = vmladavq_s8(taps, c->lower);
    taps = TAPS(*at, 2 * PIXEL);
    const int32_t s1 = vmladavq_s8(taps, c->upper), t1 = vmladavq_s8(taps, c->lower);
    taps = vreinterpretq_s8_u32(vldrwq_gather_base_wb_u32(at, 4 * PIXEL));
    const int32_t s3 = vmladavq_s8(taps, c->upper), t3 = vmladavq_s8(taps, c->lower);
    put(y, c->to, requantized(ev_lanes_mve(s0, s1, s2, s3), c->bias, c->multiplier), pixels);
    put(y + c->below, c->to, requantized(ev_lanes_mve(t0, t1, t2, t3), c->bias, c->multiplier), pixels);
}

static void pair_of_rows_of_one_vector(const struct part *part, uint32x4_t taps)
{
    const struct part p = *part;
    const uint32x4_t to = four_times(p.pixel);
    for (uint32_t i = 0; i < p.channels; i++) {
        const uint32x4_t words = vreinterpretq_u32_s8(vldrbq_s8(p.weight + 16 * i));
        const struct channel c = {
            vreinterpretq_s8_u32(words), vreinterpretq_s8_u32(lowered(words)), to, p.bias[i], p.multiplier[i], p.below,
        };
        uint32x4_t at = vaddq_n_u32(taps, (uint32_t)(uintptr_t)(p.z + i) - PIXEL);
        int8_t *y = p.y + i;
        for (uint32_t fours = p.pixels / 4; fours; fours--, y += 4 * p.pixel)
            two_by_four(&c, &at, y, 4);
        if (p.pixels % 4)
            two_by_four(&c, &at, y, p.pixels % 4);
    }
}

/* The weights of a row and of the row below it, vector by vector. */
static void weights_of_pair(const int8_t *weight, uint32_t vectors, int8_t *to)
{
    for (; vectors; vectors--, weight += 16, to += 32) {
        const uint32x4_t upper = vreinterpretq_u32_s8(vldrbq_s8(weight));
        vstrbq_s8(to, vreinterpretq_s8_u32(upper));
        vstrbq_s8(to + 16, vreinterpretq_s8_u32(lowered(upper)));
    }
}

/* A vector of the window: two rows by four pixels, as many sums as there are registers for. */
#define EIGHT(MULTIPLY)                      \
    "vldrb.8 q0, [%[w]], #16\n\t"            \
    "vldrb.8 q1, [%[w]], #16\n\t"            \
    "vldrw.u32 q2, [%q[at]]\n\t"             \
    MULTIPLY " %[s0], q2, q0\n\t"            \
    MULTIPLY " %[t0], q2, q1\n\t"            \
    "vldrw.u32 q2, [%q[at], #64]\n\t"        \
    MULTIPLY " %[s1], q2, q0\n\t"            \
    MULTIPLY " %[t1], q2, q1\n\t"            \
    "vldrw.u32 q2, [%q[at], #128]\n\t"       \
    MULTIPLY " %[s2], q2, q0\n\t"            \
    MULTIPLY " %[t2], q2, q1\n\t"            \
    "vldrw.u32 q2, [%q[at], #192]\n\t"       \
    MULTIPLY " %[s3], q2, q0\n\t"            \
    MULTIPLY " %[t3], q2, q1\n\t"

/* Two rows of the output, of a window whose columns are two words. `weights` is for one channel at a time. */
static void pair_of_rows(const struct part *part, uint32x4_t taps, int8_t *weights)
{
    const struct part p = *part;
    const uint32x4_t to = four_times(p.pixel);
    for (uint32_t c = 0; c < p.channels; c++) {
        const int32_t bias = p.bias[c], multiplier = p.multiplier[c];
        uint32x4_t start = vaddq_n_u32(taps, (uint32_t)(uintptr_t)(p.z + c));
        int8_t *y = p.y + c;
        weights_of_pair(p.weight + 16 * p.vectors * c, p.vectors, weights);
        for (int32_t left = (int32_t)p.pixels; left > 0; left -= 4, y += 4 * p.pixel) {
            const int8_t *w = weights;
            uint32x4_t at = start;
            uint32_t more = p.vectors;
            int32_t s0, s1, s2, s3, t0, t1, t2, t3;
            __asm__(EIGHT("vmlav.s8")
                    "subs %[more], #1\n\t"
                    "beq 2f\n"
                    "1:\n\t"
                    "vadd.i32 %q[at], %q[at], %[ahead]\n\t"
                    EIGHT("vmlava.s8")
                    "subs %[more], #1\n\t"
                    "bne 1b\n"
                    "2:"
                    : [s0] "=&Te"(s0), [s1] "=&Te"(s1), [s2] "=&Te"(s2), [s3] "=&Te"(s3), [t0] "=&Te"(t0),
                      [t1] "=&Te"(t1), [t2] "=&Te"(t2), [t3] "=&Te"(t3), [w] "+&r"(w), [more] "+&r"(more),
                      [at] "+&w"(at)
                    : [ahead] "r"(p.ahead)
                    : "q0", "q1", "q2", "cc", "memory");
            const mve_pred16_t inside = vctp32q((uint32_t)left);
            start = vaddq_n_u32(start, 4 * PIXEL);
            const int32x4_t s = requantized(ev_lanes_mve(s0, s1, s2, s3), bias, multiplier);
            vstrbq_scatter_offset_p_s32(y, to, s, inside);
            const int32x4_t t = requantized(ev_lanes_mve(t0, t1, t2, t3), bias, multiplier);
            vstrbq_scatter_offset_p_s32(y + p.below, to, t, inside);
        }
    }
}

/* What a channel needs for one row of the output: any window, any stride. */
struct single {
    uint32x4_t first, second, third, fourth; /* the words of four pixels */
    uint32x4_t to;
    const int8_t *weight;
    int32_t bias, multiplier;
    uint32_t vectors, ahead;
};

static inline void one_by_four(const struct single *c, const uint32_t *z, int8_t *y, uint32_t pixels)
{
    const int8_t *w = c->weight;
    int8x16_t weight = vldrbq_s8(w);
    int32_t s0 = vmladavq_s8(TAPS_FROM(z, c->first), weight), s1 = vmladavq_s8(TAPS_FROM(z, c->second), weight);
    int32_t s2 = vmladavq_s8(TAPS_FROM(z, c->third), weight), s3 = vmladavq_s8(TAPS_FROM(z, c->fourth), weight);
    for (uint32_t more = c->vectors - 1; more; more--) {
        w += 16;
        z += c->ahead / 4;
        weight = vldrbq_s8(w);
        s0 = vmladavaq_s8(s0, TAPS_FROM(z, c->first), weight);
        s1 = vmladavaq_s8(s1, TAPS_FROM(z, c->second), weight);
        s2 = vmladavaq_s8(s2, TAPS_FROM(z, c->third), weight);
        s3 = vmladavaq_s8(s3, TAPS_FROM(z, c->fourth), weight);
    }
    put(y, c->to, requantized(ev_lanes_mve(s0, s1, s2, s3), c->bias, c->multiplier), pixels);
}

static inline void single_row(const struct part *part, uint32x4_t taps, const uint32_t vectors)
{
    const struct part p = *part;
    const uint32x4_t second = vaddq_n_u32(taps, p.apart), third = vaddq_n_u32(second, p.apart);
    struct single c = {
        taps, second, third, vaddq_n_u32(third, p.apart), four_times(p.pixel), NULL, 0, 0, vectors, p.ahead,
    };
    for (uint32_t i = 0; i < p.channels; i++) {
        const uint32_t *z = p.z + i;
        int8_t *y = p.y + i;
        c.weight = p.weight + 16 * vectors * i;
        c.bias = p.bias[i];
        c.multiplier = p.multiplier[i];
        for (uint32_t fours = p.pixels / 4; fours; fours--, y += 4 * p.pixel, z += p.apart)
            one_by_four(&c, z, y, 4);
        if (p.pixels % 4)
            one_by_four(&c, z, y, p.pixels % 4);
    }
}

EV_APART static void made(const struct part *p, uint32x4_t taps, uint32_t rows, int8_t *weights)
{
    if (rows == 1 && p->vectors == 1)
        single_row(p, taps, 1);
    else if (rows == 1)
        single_row(p, taps, p->vectors);
    else if (p->vectors == 1)
        pair_of_rows_of_one_vector(p, taps);
    else
        pair_of_rows(p, taps, weights);
}

static inline uint8_t *padded(uint8_t *z, int8_t value, int32_t columns)
{
    for (; columns > 0; columns--, z += PIXEL)
        for (uint32_t i = 0; i < PIXEL; i += 16)
            vstrbq_s8((int8_t *)z + i, vdupq_n_s8(value));
    return z;
}

/* Four rows of the image, each with its step from pixel to pixel. */
struct rows {
    const uint8_t *from[4];
    uint32_t step[4];
};

static inline uint8_t *interleaved(uint8_t *z, const struct rows *rows, int32_t columns, const uint32_t channels)
{
    const uint8_t *a = rows->from[0], *b = rows->from[1], *c = rows->from[2], *d = rows->from[3];
    const mve_pred16_t inside = vctp8q(channels);
    for (; columns > 0; columns--, z += PIXEL) {
        uint8x16x4_t four;
        if (channels == CHANNELS)
            four = (uint8x16x4_t){{vldrbq_u8(a), vldrbq_u8(b), vldrbq_u8(c), vldrbq_u8(d)}};
        else
            four = (uint8x16x4_t){{vldrbq_z_u8(a, inside), vldrbq_z_u8(b, inside), vldrbq_z_u8(c, inside),
                                   vldrbq_z_u8(d, inside)}};
        vst4q_u8(z, four);
        a += rows->step[0];
        b += rows->step[1];
        c += rows->step[2];
        d += rows->step[3];
    }
    return z;
}

/* Columns of four rows of the image, from column `left` and row `y` on, in words; `used` of the rows matter. */
EV_APART static void words_of_rows(const struct ev_window *w, const int8_t *x, int32_t y, int32_t used, int32_t left,
                                   int32_t columns, uint32_t channels, uint8_t *z)
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
        rows.step[i] = inside ? w->channels : 0;
        rows.from[i] = inside ? (const uint8_t *)x + (size_t)pixel * w->channels : outside;
    }
    z = padded(z, w->pad_value, before);
    if (channels == CHANNELS)
        z = interleaved(z, &rows, end - before, CHANNELS);
    else
        z = interleaved(z, &rows, end - before, channels);
    padded(z, w->pad_value, columns - end);
}

/* For windows of at most 16 rows. */
void ev_depthwise_s8_mve(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                         void *scratch)
{
    const struct ev_window *w = &p->window;
    const struct shape s = shape_of(w);
    const uint32x4_t taps = places(w, &s);
    const uint32_t ahead = 4 / s.words * PIXEL * w->dilation_x, plane = s.columns * PIXEL;
    const ptrdiff_t row_bytes = (ptrdiff_t)w->out_width * w->channels;
    int8_t *pair_weights = (int8_t *)scratch + s.words * plane;
    for (uint32_t channel = 0; channel < w->channels; channel += CHANNELS) {
        const uint32_t channels = w->channels - channel < CHANNELS ? w->channels - channel : CHANNELS;
        uint32_t count;
        for (uint32_t row = first; row < first + rows; row += count) {
            count = s.pairs && row + 1 < first + rows ? 2 : 1;
            const ptrdiff_t here = (ptrdiff_t)(row % w->out_ring) * row_bytes;
            const ptrdiff_t below = (ptrdiff_t)((row + 1) % w->out_ring) * row_bytes - here;
            const int32_t used = w->high + (int32_t)count - 1, top = (int32_t)(row * w->stride_y) - w->top;
            for (uint32_t column = 0; column < w->out_width; column += s.pixels) {
                const uint32_t more = w->out_width - column;
                const int32_t left = (int32_t)(column * w->stride_x) - w->left;
                for (uint32_t word = 0; word < s.words; word++)
                    words_of_rows(w, x + channel, top + 4 * (int32_t)word * w->dilation_y, used - 4 * (int32_t)word,
                                  left, (int32_t)s.columns, channels, (uint8_t *)scratch + word * plane);
                const struct part part = {
                    scratch,
                    p->weight + 16 * s.vectors * channel,
                    p->bias + channel,
                    p->multiplier + channel,
                    y + here + (ptrdiff_t)(column * w->channels + channel),
                    below,
                    w->channels,
                    more < s.pixels ? more : s.pixels,
                    channels,
                    s.vectors,
                    ahead,
                    PIXEL * w->stride_x,
                };
                made(&part, taps, count, pair_weights);
            }
        }
    }
}
