/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_mve.h"
#include "ev_product_pairs_mve.h"
#include "ev_round_mve.h"

/* Two rows by four columns: eight sums use all registers that VMLAVA can add to (even ones), the link register among
   them. Compilers keep the loop count there and spill sums, hence assembly. */
#define BY_COLUMN(MULTIPLY)              \
    "vldrb.8 q2, [%[w]], #16\n\t"        \
    MULTIPLY " r0, q0, q2\n\t"           \
    MULTIPLY " r8, q1, q2\n\t"           \
    "vldrb.8 q2, [%[w]], #16\n\t"        \
    MULTIPLY " r2, q0, q2\n\t"           \
    MULTIPLY " r10, q1, q2\n\t"          \
    "vldrb.8 q2, [%[w]], #16\n\t"        \
    MULTIPLY " r4, q0, q2\n\t"           \
    MULTIPLY " r12, q1, q2\n\t"          \
    "vldrb.8 q2, [%[w]], #16\n\t"        \
    MULTIPLY " r6, q0, q2\n\t"           \
    MULTIPLY " lr, q1, q2\n\t"

#define STEP_16(MULTIPLY)                \
    "vldrb.8 q0, [%[x0]], #16\n\t"       \
    "vldrb.8 q1, [%[x1]], #16\n\t"       \
    BY_COLUMN(MULTIPLY)

/* `more`: steps of 16 after the first. */
#define ALL_STEPS_16                     \
    STEP_16("vmlav.s8")                  \
    "lsrs %[more], %[more], #1\n\t"      \
    "bcc 1f\n\t"                         \
    STEP_16("vmlava.s8")                 \
    "1:\n\t"                             \
    "beq 3f\n"                           \
    "2:\n\t"                             \
    STEP_16("vmlava.s8")                 \
    STEP_16("vmlava.s8")                 \
    "subs %[more], #1\n\t"               \
    "bne 2b\n"                           \
    "3:\n\t"

#define TO_LANES                                    \
    "vmov %q[upper][2], %q[upper][0], r0, r4\n\t"   \
    "vmov %q[upper][3], %q[upper][1], r2, r6\n\t"   \
    "vmov %q[lower][2], %q[lower][0], r8, r12\n\t"  \
    "vmov %q[lower][3], %q[lower][1], r10, lr"

#define CLOBBERED "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "cc", "memory"

enum {
    BLOCK = 4, /* columns */
    CONSTANTS = 2 * 4 * BLOCK, /* bytes of biases and multipliers */
    QUADS = 40, /* rows from which four at a time are quicker than two */
    MAX_SCATTER_STRIDE = 1 << 14 /* of the output, where four rows are scattered by 16-bit offsets */
};

/* Biases and multipliers of a block of four columns. */
struct constants {
    int32x4_t bias, multiplier;
};

static inline struct constants constants_of(const int8_t *block)
{
    const int32_t *words = (const int32_t *)(const void *)block;
    const struct constants c = {.bias = vldrwq_s32(words), .multiplier = vldrwq_s32(words + 4)};
    return c;
}

/* The first column of the next block; `columns` after the last. */
static inline uint32_t next_column(const struct ev_product_mve *p, uint32_t column)
{
    const uint32_t next = column + BLOCK, last = p->columns - BLOCK;
    return next >= p->columns ? p->columns : next > last ? last : next;
}

/* Four columns of two rows. */
struct sums {
    int32x4_t upper, lower;
};

/* The next bytes of both rows and of the weights; the assembly advances them. */
struct cursors {
    const int8_t *x0, *x1, *w;
};

/* The lowest byte of each lane is the result. */
static inline int32x4_t requantize_lanes(int32x4_t acc, const struct constants *c)
{
    return ev_requantize_mve(vaddq_s32(acc, c->bias), c->multiplier);
}

/* Sums of the steps of 16, and of the last depth % 16 bytes of both rows. */
static inline struct sums sum_steps_and_tail(struct cursors *at, uint32_t more, int8x16_t tail0, int8x16_t tail1)
{
    struct sums s;
    __asm__(ALL_STEPS_16
            "vmov q0, %q[tail0]\n\t"
            "vmov q1, %q[tail1]\n\t"
            BY_COLUMN("vmlava.s8")
            TO_LANES
            : [upper] "=&w"(s.upper), [lower] "=&w"(s.lower), [x0] "+&r"(at->x0), [x1] "+&r"(at->x1), [w] "+&r"(at->w),
              [more] "+&r"(more)
            : [tail0] "w"(tail0), [tail1] "w"(tail1)
            : CLOBBERED);
    return s;
}

/* Two rows at a time. Depth is at least 17, columns at least 4.
   noinline: inlined together with other loops it spills. */
EV_NOINLINE static void pairs_with_tail(const struct ev_product_mve *p, const int8_t *x, int8_t *y, uint32_t pairs)
{
    const uint32_t x_stride = p->x_stride, y_stride = p->y_stride, steps = p->depth / 16, bytes = 16 * steps;
    const uint32_t tail = p->depth % 16;
    const volatile uint32_t more = steps - 1; /* volatile: kept in a register it takes one of the sums' */
    struct cursors at = {.x0 = x, .x1 = x + x_stride, .w = p->blocks};
    for (uint32_t column = 0; column < p->columns; column = next_column(p, column)) {
        const struct constants c = constants_of(at.w);
        const int8_t *weight = at.w + CONSTANTS;
        int8_t *out = y + column;
        at.x0 = x;
        at.x1 = x + x_stride;
        for (uint32_t remaining = pairs; remaining; remaining--) {
            at.w = weight;
            const mve_pred16_t lanes = vctp8q(tail);
            const struct sums s =
                sum_steps_and_tail(&at, more, vldrbq_z_s8(at.x0 + bytes, lanes), vldrbq_z_s8(at.x1 + bytes, lanes));
            vstrbq_s32(out, requantize_lanes(s.upper, &c));
            out += y_stride;
            vstrbq_s32(out, requantize_lanes(s.lower, &c));
            out += y_stride;
            at.x0 += 2 * x_stride - bytes;
            at.x1 += 2 * x_stride - bytes;
        }
    }
}

/* Two rows at a time of a depth of whole sixteens: the blocks up to `end`. */
EV_INLINE void blocks_of_pairs(const struct ev_product_mve *p, const int8_t *x, int8_t *y, uint32_t pairs,
                               const int8_t *blocks, const int8_t *end)
{
    const uint32_t more = p->depth / 16 - 1, half = pairs * p->y_stride;
    const int is_short = more < EV_SHORT, halves = is_short && p->x_stride == p->depth;
    union {
        struct ev_product_pair one;
        struct ev_product_pairs all;
    } s;
    if (pairs == 1) {
        s.one.y_stride = p->y_stride;
        s.one.x0 = x;
        s.one.x1 = x + p->x_stride;
        s.one.end = end;
        s.one.rounds = (int32_t)(more / EV_ROUND);
        if (is_short)
            ev_product_short_pair_mve(&s.one, blocks, more, y);
        else
            ev_product_pair_mve(&s.one, blocks, more % EV_ROUND, y);
        return;
    }
    s.all.step = halves ? half : 2 * p->x_stride - p->depth;
    s.all.y_stride = p->y_stride;
    s.all.y_end = y + (halves ? half : 2 * half);
    s.all.rounds = (int32_t)(more / EV_ROUND);
    s.all.weight_bytes = BLOCK * p->depth;
    s.all.end = end;
    s.all.y = y;
    s.all.x0 = x;
    s.all.x1 = x + (halves ? pairs : 1) * p->x_stride;
    if (halves)
        ev_product_halves_mve(&s.all, blocks, more);
    else
        ev_product_pairs_mve(&s.all, blocks, more % EV_ROUND);
}

static inline void pairs_without_tail(const struct ev_product_mve *p, const int8_t *x, int8_t *y, uint32_t pairs)
{
    const uint32_t bytes = CONSTANTS + BLOCK * p->depth;
    const int8_t *blocks = p->blocks, *end = blocks + p->columns / BLOCK * bytes;
    int8_t *last = y + p->columns - BLOCK;
    EV_NO_UNROLL
    for (uint32_t turns = p->columns % BLOCK ? 2 : 1; turns; turns--, y = last, blocks = end, end += bytes)
        blocks_of_pairs(p, x, y, pairs, blocks, end);
}

/* Four rows at a time, of a depth of 32: the weights of two columns stay in registers. */
EV_NOINLINE static void quads_of_rows(const struct ev_product_mve *p, const int8_t *x, int8_t *y, uint32_t quads)
{
    const uint32_t x_stride = p->x_stride, y_stride = p->y_stride;
    const uint32x4_t row = vmulq_n_u32(vidupq_n_u32(0, 1), y_stride);
    const uint32x4_t both = vorrq_u32(row, vshlq_n_u32(vaddq_n_u32(row, 1), 16));
    const uint16x8_t offsets = vreinterpretq_u16_u32(both);
    const int8_t *block = p->blocks;
    for (uint32_t column = 0; column < p->columns; column = next_column(p, column), block += CONSTANTS + 32 * BLOCK) {
        const int32_t *constants = (const int32_t *)(const void *)block;
        for (uint32_t i = 0; i < BLOCK; i += 2) {
            const int8_t *w = block + CONSTANTS + 16 * i, *a = x;
            const int8x16_t c0 = vldrbq_s8(w), d0 = vldrbq_s8(w + 16), c1 = vldrbq_s8(w + 64), d1 = vldrbq_s8(w + 80);
            const int32_t c_bias = constants[i], d_bias = constants[i + 1];
            const int32x4_t c_multiplier = vdupq_n_s32(constants[BLOCK + i]);
            const int32x4_t d_multiplier = vdupq_n_s32(constants[BLOCK + i + 1]);
            int8_t *out = y + column + i;
            for (uint32_t remaining = quads; remaining; remaining--, out += 4 * y_stride) {
                int32_t c[4], d[4];
                for (uint32_t r = 0; r < 4; r++, a += x_stride) {
                    int8x16_t values = vldrbq_s8(a);
                    c[r] = vmladavq_s8(values, c0);
                    d[r] = vmladavq_s8(values, d0);
                    values = vldrbq_s8(a + 16);
                    c[r] = vmladavaq_s8(c[r], values, c1);
                    d[r] = vmladavaq_s8(d[r], values, d1);
                }
                const int32x4_t even = vaddq_n_s32(ev_lanes_mve(c[0], c[1], c[2], c[3]), c_bias);
                const int32x4_t odd = vaddq_n_s32(ev_lanes_mve(d[0], d[1], d[2], d[3]), d_bias);
                const int16x8_t bytes = ev_requantize_halves_mve(even, c_multiplier, odd, d_multiplier);
                vstrbq_scatter_offset_s16(out, offsets, bytes);
            }
        }
    }
}

/* One row at a time: the last of an odd count, and shapes that the other loops do not take. */
EV_NOINLINE static void single_rows(const struct ev_product_mve *p, const int8_t *x, int8_t *y, uint32_t rows)
{
    const uint32_t tail = p->depth % 16;
    const mve_pred16_t columns = vctp32q(p->columns);
    const int8_t *w = p->blocks;
    for (uint32_t column = 0; column < p->columns; column = next_column(p, column)) {
        const struct constants c = constants_of(w);
        const int8_t *a = x, *weight = w + CONSTANTS;
        int8_t *out = y + column;
        for (uint32_t remaining = rows; remaining; remaining--) {
            w = weight;
            int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            for (uint32_t steps = p->depth / 16; steps; steps--, a += 16, w += 64) {
                const int8x16_t values = vldrbq_s8(a);
                s0 = vmladavaq_s8(s0, values, vldrbq_s8(w));
                s1 = vmladavaq_s8(s1, values, vldrbq_s8(w + 16));
                s2 = vmladavaq_s8(s2, values, vldrbq_s8(w + 32));
                s3 = vmladavaq_s8(s3, values, vldrbq_s8(w + 48));
            }
            if (tail) {
                const int8x16_t values = vldrbq_z_s8(a, vctp8q(tail));
                s0 = vmladavaq_s8(s0, values, vldrbq_s8(w));
                s1 = vmladavaq_s8(s1, values, vldrbq_s8(w + 16));
                s2 = vmladavaq_s8(s2, values, vldrbq_s8(w + 32));
                s3 = vmladavaq_s8(s3, values, vldrbq_s8(w + 48));
                w += 64;
            }
            vstrbq_p_s32(out, requantize_lanes(ev_lanes_mve(s0, s1, s2, s3), &c), columns);
            out += p->y_stride;
            a += p->x_stride - (p->depth - tail);
        }
    }
}

void ev_product_s8_mve(const struct ev_product_mve *p, const int8_t *x, int8_t *y, uint32_t rows)
{
    EV_ASSERT(p->depth > 0 && p->columns > 0 && p->y_stride >= p->columns);
    EV_ASSERT(ev_aligned(p->blocks, 4));
    const uint32_t depth = p->depth;
    uint32_t done = 0;
    if (depth == 32 && p->columns >= BLOCK && p->y_stride < MAX_SCATTER_STRIDE && rows >= QUADS) {
        quads_of_rows(p, x, y, rows / 4);
        done = rows & ~3u;
    }
    if (depth >= 16 && p->columns >= BLOCK && rows - done >= 2) {
        const int8_t *from = x + done * p->x_stride;
        int8_t *to = y + done * p->y_stride;
        if (depth % 16)
            pairs_with_tail(p, from, to, (rows - done) / 2);
        else
            pairs_without_tail(p, from, to, (rows - done) / 2);
        done = rows & ~1u;
    }
    if (done < rows)
        single_rows(p, x + done * p->x_stride, y + done * p->y_stride, rows - done);
}
