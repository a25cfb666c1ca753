/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels_mve.h"
#include "ev_round_mve.h"
#include "ev_sparse_contract.h"

enum {
    BLOCK = 4, /* columns */
    DEPTH = 16, /* inputs of a block */
    CONSTANTS = 8 /* words of biases and multipliers before the blocks of a group */
};

/* Two rows by a block of 16 inputs and four columns. Eight sums use all registers that VMLAVA can add to, the link
   register among them. The carry, which nothing in between changes, says that the block is the last. */
#define STEP(MULTIPLY)                       \
    "ldrh %[step], [%[index]], #2\n\t"       \
    "lsrs %[step], %[step], #1\n\t"          \
    "add %[x0], %[step]\n\t"                 \
    "add %[x1], %[step]\n\t"                 \
    "vldrb.8 q0, [%[x0]]\n\t"                \
    "vldrb.8 q1, [%[x1]]\n\t"                \
    "vldrb.8 q2, [%[w]], #16\n\t"            \
    MULTIPLY " r0, q0, q2\n\t"               \
    MULTIPLY " r8, q1, q2\n\t"               \
    "vldrb.8 q2, [%[w]], #16\n\t"            \
    MULTIPLY " r2, q0, q2\n\t"               \
    MULTIPLY " r10, q1, q2\n\t"              \
    "vldrb.8 q2, [%[w]], #16\n\t"            \
    MULTIPLY " r4, q0, q2\n\t"               \
    MULTIPLY " r12, q1, q2\n\t"              \
    "vldrb.8 q2, [%[w]], #16\n\t"            \
    MULTIPLY " r6, q0, q2\n\t"               \
    MULTIPLY " lr, q1, q2\n\t"

#define ALL_STEPS                                   \
    STEP("vmlav.s8")                                \
    "bcs 2f\n"                                      \
    "1:\n\t"                                        \
    STEP("vmlava.s8")                               \
    "bcs 2f\n\t"                                    \
    STEP("vmlava.s8")                               \
    "bcc 1b\n"                                      \
    "2:\n\t"                                        \
    "vmov %q[upper][2], %q[upper][0], r0, r4\n\t"   \
    "vmov %q[upper][3], %q[upper][1], r2, r6\n\t"   \
    "vmov %q[lower][2], %q[lower][0], r8, r12\n\t"  \
    "vmov %q[lower][3], %q[lower][1], r10, lr"

#define CLOBBERED "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "cc", "memory"

/* Where a group of columns begins. */
struct group {
    const uint16_t *index;
    const int8_t *w;
};

static struct group next_group(struct group group)
{
    uint32_t mark;
    group.w += 4 * CONSTANTS;
    do {
        mark = *group.index++;
        group.w += BLOCK * DEPTH;
    } while (!(mark & 1));
    return group;
}

struct sums {
    int32x4_t upper, lower;
};

/* Biases and multipliers of a group. */
struct constants {
    int32x4_t bias, multiplier;
};

static inline struct constants constants_of(const int8_t *w)
{
    const int32_t *words = (const int32_t *)(const void *)w;
    const struct constants c = {.bias = vldrwq_s32(words), .multiplier = vldrwq_s32(words + BLOCK)};
    return c;
}

/* The lowest byte of each lane is the result. */
static inline int32x4_t requantize_lanes(int32x4_t acc, struct constants c)
{
    return ev_requantize_mve(vaddq_s32(acc, c.bias), c.multiplier);
}

static inline struct sums sum_blocks(struct group at, const int8_t *x0, const int8_t *x1)
{
    struct sums s;
    uint32_t step;
    __asm__(ALL_STEPS
            : [upper] "=&w"(s.upper), [lower] "=&w"(s.lower), [x0] "+&r"(x0), [x1] "+&r"(x1), [w] "+&r"(at.w),
              [index] "+&r"(at.index), [step] "=&r"(step)
            :
            : CLOBBERED);
    return s;
}

/* noinline: inlined it spills. */
EV_NOINLINE static void pairs_of_rows(const struct ev_linear_sparse *p, struct group group, const int8_t *x, int8_t *y,
                                      uint32_t pairs)
{
    const struct constants constants = constants_of(group.w);
    const uint32_t x_stride = p->x_stride, y_stride = p->y_stride;
    group.w += 4 * CONSTANTS;
    EV_NO_UNROLL
    for (; pairs; pairs--) {
        const struct sums s = sum_blocks(group, x, x + x_stride);
        x += 2 * x_stride;
        vstrbq_s32(y, requantize_lanes(s.upper, constants));
        y += y_stride;
        vstrbq_s32(y, requantize_lanes(s.lower, constants));
        y += y_stride;
    }
}

/* The last of an odd count of rows. */
static void single_row(struct group at, const int8_t *x, int8_t *y)
{
    const struct constants constants = constants_of(at.w);
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    at.w += 4 * CONSTANTS;
    for (uint32_t mark = 0; !(mark & 1); at.w += BLOCK * DEPTH) {
        mark = *at.index++;
        x += mark >> 1;
        const int8x16_t values = vldrbq_s8(x);
        s0 = vmladavaq_s8(s0, values, vldrbq_s8(at.w));
        s1 = vmladavaq_s8(s1, values, vldrbq_s8(at.w + 16));
        s2 = vmladavaq_s8(s2, values, vldrbq_s8(at.w + 32));
        s3 = vmladavaq_s8(s3, values, vldrbq_s8(at.w + 48));
    }
    vstrbq_s32(y, requantize_lanes(ev_lanes_mve(s0, s1, s2, s3), constants));
}

void ev_linear_sparse_s8_mve(const struct ev_linear_sparse *p, const int8_t *x, int8_t *y, uint32_t rows,
                             void *scratch)
{
    (void)scratch;
    EV_ASSERT(ev_valid_strides(p->depth, p->x_stride, p->columns, p->y_stride));
    EV_ASSERT(p->columns >= BLOCK && p->depth >= DEPTH);
    EV_ASSERT(ev_disjoint(x, ev_extent(rows, p->x_stride, p->depth), y, ev_extent(rows, p->y_stride, p->columns)));
    EV_ASSERT(ev_aligned(p->weight, 4) && ev_aligned(p->index, 2) && ev_valid_marked_blocks(p));
    struct group group = {.index = p->index, .w = p->weight};
    const uint32_t last = p->columns - BLOCK, even = rows & ~1u;
    for (uint32_t next = 0; next < p->columns && rows; next += BLOCK, group = next_group(group)) {
        const uint32_t column = next < last ? next : last;
        if (even)
            pairs_of_rows(p, group, x, y + column, even / 2);
        if (even < rows)
            single_row(group, x + even * p->x_stride, y + even * p->y_stride + column);
    }
}
