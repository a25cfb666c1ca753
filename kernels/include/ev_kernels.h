/* Every kernel and its parameters. What each computes is defined by the operation of the same name in Python
   (edgevit/integer/ops); a kernel equals it bit for bit. `ev_NAME` is portable C99; `ev_NAME_dsp` uses Arm's DSP
   instructions and `ev_NAME_mve` its vectors: same parameters, same result, but weights packed in their own order.

   Kernels that work row by row take `rows`, how many to do: a schedule calls them on tiles. Strides are in elements from
   one row to the next, and may be larger than a row. `scratch` is aligned to 16 bytes, as long as the kernel's card
   says. No kernel reads or writes outside what its parameters span. */
#ifndef EV_KERNELS_H
#define EV_KERNELS_H

#include <stdint.h>

struct ev_linear { /* y[n] = requantize(bias[n] + sum_k x[k] * weight[n][k], multiplier[n]) */
    uint16_t depth;   /* K */
    uint16_t columns; /* N */
    uint16_t x_stride, y_stride;
    const int8_t *weight; /* in the order of the family */
    const int32_t *bias, *multiplier;
};

struct ev_matmul { /* y[j] = requantize(bias + sum_k (a[k] - zero) * b[j][k], multiplier); not turned: b[k][j] */
    uint16_t depth, columns;
    uint16_t a_stride, b_stride, y_stride;
    int16_t zero;
    int32_t bias, multiplier;
    uint8_t turned;
};

struct ev_window {
    uint16_t in_height, in_width, channels;
    uint16_t out_width;
    uint16_t high, wide;
    uint8_t stride_y, stride_x, dilation_y, dilation_x;
    uint8_t top, left; /* padding; below and to the right it follows from the sizes */
    int8_t pad_value;
    /* An image may be kept in fewer rows than it has, the newest over the oldest: row r is at r % ring. */
    uint16_t in_ring, out_ring;
};

struct ev_conv2d {
    struct ev_window window;
    uint16_t columns; /* N, over all groups */
    uint16_t groups;
    const int8_t *weight;
    const int32_t *bias, *multiplier;
};

struct ev_depthwise {
    struct ev_window window;
    const int8_t *weight;
    const int32_t *bias, *multiplier;
};

struct ev_pool {
    struct ev_window window;
    int32_t bias, multiplier; /* of an average */
};

struct ev_softmax {
    uint16_t length;
    uint16_t x_stride, y_stride;
    const uint16_t *table;
    uint32_t numerator;
    uint8_t shift;
};

struct ev_norm {
    uint32_t length;   /* of a row */
    uint32_t channels; /* the period of gain and bias; a divisor of length */
    uint8_t centred;
    uint64_t epsilon;
    uint32_t numerator;
    int8_t shift;
    uint32_t reciprocal; /* of the length, and its shift: the mean has 16 bits of fraction, or 8 */
    uint8_t reciprocal_shift;
    const int16_t *gain; /* or null: then there is no bias either */
    const int32_t *bias;
    uint8_t gain_shift;
};

struct ev_lookup {
    const int8_t *table; /* by the byte as unsigned */
};

struct ev_add {
    int16_t left, right, offset;
    uint8_t shift;
};

struct ev_add_wide {
    int16_t left, right;
    int32_t offset;
    uint8_t shift;
};

struct ev_rescale {
    int16_t factor;
    int32_t offset;
    uint8_t shift;
};

struct ev_multiply {
    int16_t left_zero, right_zero;
    int32_t bias, multiplier;
    uint32_t row; /* elements after which b starts again; 0: never */
};

struct ev_move { /* y[i * y_steps + ...] = x[i * x_steps + ...], the last axis innermost */
    uint16_t sizes[4];
    int32_t x_steps[4], y_steps[4]; /* bytes */
    uint8_t width;                  /* bytes of an element */
};

struct ev_fill {
    int16_t value;
    uint8_t width; /* bytes of an element */
};

void ev_linear_s8(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
/* `pack` puts rows of the right side, as they are stored, and what the zero point takes from each column, in `packed`:
   row `first` and those after it, from `b` on; every row once, in order. Then the product goes rows by rows. */
void ev_matmul_pack_s8(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, void *packed);
void ev_matmul_s8(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows, void *scratch);
/* Over images: output rows `first` up to `first + rows`. */
void ev_conv2d_s8(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch);
void ev_depthwise_s8(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch);
void ev_average_pool_s8(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch);
void ev_max_pool_s8(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch);
void ev_softmax_s8(const struct ev_softmax *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_norm_s8(const struct ev_norm *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_norm_s16(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch);
/* Over `count` elements; y may be an input. */
void ev_lookup_s8(const struct ev_lookup *p, const int8_t *x, int8_t *y, uint32_t count);
void ev_add_s8(const struct ev_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count);
void ev_add_wide_s8(const struct ev_add_wide *p, const int16_t *a, const int8_t *b, int16_t *y, uint32_t count);
void ev_add_wide_s16(const struct ev_add_wide *p, const int16_t *a, const int16_t *b, int16_t *y, uint32_t count);
void ev_rescale_to_s8(const struct ev_rescale *p, const int16_t *x, int8_t *y, uint32_t count);
void ev_rescale_to_s16(const struct ev_rescale *p, const int8_t *x, int16_t *y, uint32_t count);
void ev_multiply_s8(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count);
void ev_move(const struct ev_move *p, const void *x, void *y);
void ev_fill(const struct ev_fill *p, void *y, uint32_t count);

#endif
