/* SPDX-License-Identifier: Apache-2.0 */
/* Every kernel and its parameters. What each computes is defined by the operation of the same name in Python
   (edgevit/integer/ops); a kernel equals it bit for bit. `ev_NAME` is portable C99; `ev_NAME_dsp` uses Arm's DSP
   instructions and `ev_NAME_mve` its vectors: same parameters, same result, but weights packed in their own order.

   Arguments that all kernels share:

     p        parameters, constant while the kernel runs; they may be in flash.
     x, a, b  inputs, y the output. int8 and int16 values are quantised; int16 arrays are aligned to 2 bytes.
     rows     rows to do, from 0: a schedule calls kernels on tiles.
     first    first row of the output to do, where the kernel has a window; rows `first` up to `first + rows`.
     count    elements to do, from 0.
     scratch  aligned to 16 bytes, as long as `scratch` of the kernel's card says; null where that is 0.

   Strides are in elements from one row to the next, at least the length of a row. y shares no byte with an input, except
   where "y may be ..." is said: then y is that very array. No kernel reads or writes outside what its parameters span.

   Ranges are inclusive. They are checked by EV_ASSERT in a build with EV_DEBUG, and by the operation's `check` when a
   network is compiled. "Accumulator" is a sum in int32, which the ranges keep from overflowing; requantize() is

     requantize(acc, multiplier) = clamp((acc * multiplier + 2^31) >> 32), to int8, or to int16 where y is          */
#ifndef EV_KERNELS_H
#define EV_KERNELS_H

#include <stdint.h>

/* y[n] = requantize(bias[n] + sum_k x[k] * weight[n][k], multiplier[n]), K = depth, N = columns.
   DSP: y of 8 bits may be x where K is N and both have one stride. */
struct ev_linear {
    uint16_t depth;            /* K, values summed. Range: 1 to 65535 */
    uint16_t columns;          /* N, output channels. Range: 1 to 65535 */
    uint16_t x_stride;         /* Elements. Range: depth to 65535 */
    uint16_t y_stride;         /* Elements. Range: columns to 65535 */
    const int8_t *weight;      /* columns x depth in the family's order. DSP: none is -128, and
                                  sum_k |weight[n][k]| * 128 < 2^23 */
    const int32_t *bias;       /* columns; input and output zero point are in it.
                                  Range: |bias[n]| + 128 * sum_k |weight[n][k]| < 2^31.
                                  DSP: of each pair of columns two biases, two multipliers. MVE: unused */
    const int32_t *multiplier; /* columns; input scale * weight scale / output scale * 2^32. Range: 1 to 2^31 - 1.
                                  DSP and MVE: unused */
    uint8_t tile_rows;         /* DSP: rows that are unpacked to scratch at a time. Range: 2 to 3. Others: unused */
};

/* The same, of weights of which blocks of zeros are not stored. A block is four columns by 4 inputs, MVE: by 16. Columns
   are in groups of four, the last of which overlaps the one before where the columns are no multiple of four; so does the
   last block of a row, and has zeros there. */
struct ev_linear_sparse {
    uint16_t depth;            /* K, values summed. Range: 4 to 65535; MVE: 16 to 32767 */
    uint16_t columns;          /* N, output channels. Range: 4 to 65535 */
    uint16_t x_stride;         /* Elements. Range: depth to 65535 */
    uint16_t y_stride;         /* Elements. Range: columns to 65535 */
    const int8_t *weight;      /* The blocks that are stored, group by group. Plain: inputs x columns.
                                  DSP: as in ev_sparse_products_dsp.h. MVE: of a group first four biases, then four
                                  multipliers, then blocks of columns x inputs */
    const uint16_t *index;     /* Plain: of each group how many blocks it has, then the first input of each.
                                  MVE: of each block 2 * (first input - that of the block before, or 0), and 1 more
                                  if it is the last of its group, which has one. DSP: unused */
    const int32_t *bias;       /* As in ev_linear; of the DSP kernels the constants of each group */
    const int32_t *multiplier; /* As in ev_linear */
};

/* y[i][j] = requantize(bias + sum_k (a[i][k] - a_zero) * b[j][k], multiplier), or b[k][j] if not b_transposed */
struct ev_matmul {
    uint16_t depth;       /* K, values summed. Range: 1 to 65535. MVE: to 8191 if not b_transposed */
    uint16_t columns;     /* N, columns of the output. Range: 1 to 65535 */
    uint16_t a_stride;    /* Elements. Range: depth to 65535 */
    uint16_t b_stride;    /* Elements. Range: depth (b_transposed) or columns to 65535 */
    uint16_t y_stride;    /* Elements. Range: columns to 65535 */
    int16_t a_zero;       /* Zero point of a; that of b is 0. Range: -128 to 127 */
    int32_t bias;         /* Output zero point in units of the accumulator. Range: |bias| + depth * 255 * 128 < 2^31.
                             DSP: depth * max(127 - a_zero, 128 + a_zero) * 128 < 2^23 as well */
    int32_t multiplier;   /* a scale * b scale / output scale * 2^32. Range: 1 to 2^31 - 1 */
    uint8_t b_transposed; /* 1: b is columns x depth; 0: b is depth x columns */
    uint8_t tile_rows;    /* As in ev_linear */
};

/* A window over an image of height x width x channels, channels innermost. */
struct ev_window {
    uint16_t in_height, in_width; /* Pixels of the input. Range: 1 to 65535 */
    uint16_t channels;            /* Channels of the input. Range: 1 to 65535 */
    uint16_t out_width;           /* Pixels of a row of the output. Range: 1 to 65535 */
    uint16_t kernel_h, kernel_w;  /* Taps of the window, without gaps. Range: 1 to 65535. Depthwise MVE: kernel_h to 16.
                                     Average pool DSP: kernel_h * kernel_w to 256; MVE: kernel_w to 256 */
    uint8_t stride_y, stride_x;   /* Pixels from window to window. Range: 1 to 255 */
    uint8_t dilation_y;           /* Pixels from tap to tap. Range: 1 to 255 */
    uint8_t dilation_x;           /* Pixels from tap to tap. Range: 1 to 255. Convolution MVE: 1 */
    uint8_t pad_top, pad_left;    /* Pixels; padding below and on the right follows from the sizes. Range: 0 to 255 */
    int8_t pad_value;             /* What lies outside the image: the input's zero point; -128 for a maximum */
    uint16_t in_ring, out_ring;   /* Rows that are kept of input and output, the newest over the oldest: row r is at
                                     r % ring. Range: the rows that one call reads, or writes, to 65535 */
};

/* y[n] = requantize(bias[n] + sum over the window of x * weight[n], multiplier[n]) */
struct ev_conv2d {
    struct ev_window window;
    uint16_t columns;          /* N, output channels over all groups. Range: 1 to 65535, a multiple of groups */
    uint16_t groups;           /* Divides window.channels. Range: 1 to columns. DSP: 1 */
    const int8_t *weight;      /* columns x kernel_h x kernel_w x (channels / groups), in the family's order */
    const int32_t *bias;       /* As in ev_linear, the sum being over the window */
    const int32_t *multiplier; /* As in ev_linear */
    uint8_t tile_rows;         /* As in ev_linear, of windows */
};

/* y[c] = requantize(bias[c] + sum over the window of x[c] * weight[c], multiplier[c]) */
struct ev_depthwise {
    struct ev_window window;
    const int8_t *weight;      /* kernel_h x kernel_w x channels, in the family's order */
    const int32_t *bias;       /* channels. Range: |bias[c]| + (2^7, or 2^15 for int16 x) * sum |weight[c]| < 2^31 */
    const int32_t *multiplier; /* channels. Range: 1 to 2^31 - 1 */
};

/* Average: y = requantize(bias + sum over the window, multiplier). Maximum: y = max over the window. */
struct ev_pool {
    struct ev_window window;
    int32_t bias;       /* Average only. Range: |bias| + 128 * kernel_h * kernel_w < 2^31 */
    int32_t multiplier; /* Average only; input scale / (output scale * taps) * 2^32. Range: 1 to 2^31 - 1 */
};

/* e[i] = table[max(x) - x[i]], s = sum(e) = s16 * 2^k with s16 in 2^15 to 2^16 - 1,
   y[i] = min((e[i] * (numerator / s16) + half) >> (k + shift), 255) - 128, rounded half up */
struct ev_softmax {
    uint16_t length;       /* Elements of a row. Range: 1 to 65535 */
    uint16_t x_stride;     /* Elements. Range: length to 65535 */
    uint16_t y_stride;     /* Elements. Range: length to 65535 */
    const uint16_t *table; /* 256 exponentials, falling; table[d] is exp(-scale * d). Range: table[0] from 2^15.
                              DSP: rising, 2^15 taken from each */
    uint32_t numerator;    /* Range: 2^29 to 2^30 */
    uint8_t shift;         /* Bits. Range: 17 to 47 - bits of (length * table[0]) */
};

/* v = length * sum(x^2) - sum(x)^2 + epsilon, a = numerator / sqrt(v), y = a * (x - mean) >> shift, rounded half up;
   then with a gain y = (clamp(y, int16) * gain + bias) >> gain_shift. See edgevit/integer/ops/norm.py. */
struct ev_norm {
    uint32_t length;          /* Elements of a row. Range: 1 to 2^24 - 1; of int16 input to 2^16 - 1 */
    uint32_t channels;        /* Period of gain and bias. Range: 1 to length, a divisor of it */
    uint8_t centred;          /* 1: layer norm; 0: RMS norm, the mean is taken as 0 */
    uint64_t epsilon;         /* In units of v. Range: 0 to 2^62 - 1 */
    uint32_t numerator;       /* Range: 2^30 to 65535 * 2^15 */
    int8_t shift;             /* Bits, for v of 32 bits; a row's own shift is clamped to 1 to 30.
                                 Range: at most 30 for the largest v */
    uint32_t reciprocal;      /* 2^(reciprocal_shift + mean bits) / length, rounded up. Range: 2^30 to 2^31 - 1 */
    uint8_t reciprocal_shift; /* 30 + bits of (length - 1) - mean bits: 16, or 8 for int16 input */
    const int16_t *gain;      /* channels; null: there is no bias either. MVE: in the order of the lanes, filled up to
                                 whole vectors, as bias is. Range: |gain| * 2^15 + |bias| < 2^31 */
    const int32_t *bias;      /* channels; output zero point and rounding are in it */
    uint8_t gain_shift;       /* Bits. Range: 1 to 31 */
};

/* y = table[x as unsigned] */
struct ev_lookup {
    const int8_t *table; /* 256: for x of 0 to 127, then for -128 to -1 */
};

/* y = table[i] + (((table[i + 1] - table[i]) * (x & 127) + 64) >> 7), i = (x >> 7) + 256 */
struct ev_curve {
    const int16_t *table; /* 513: for x of -2^15, then for every 128th, the last for 2^15 */
};

/* y = clamp((offset + (a * a_factor >> 8) + (b * b_factor >> 8)) >> shift, int8) */
struct ev_add {
    int16_t a_factor, b_factor; /* Range: -(2^15 - 1) to 2^15 - 1 */
    int16_t offset;             /* Zero points and rounding. Range: (|a_factor| + |b_factor|) / 2 + 2 + |offset| < 2^15 */
    uint8_t shift;              /* Bits. Range: 0 to 15 */
};

/* y = clamp((offset + a * a_factor + b * b_factor) >> shift, int16) */
struct ev_add_wide {
    int16_t a_factor, b_factor; /* Range: -(2^15 - 1) to 2^15 - 1 */
    int32_t offset;             /* Zero points and rounding.
                                   Range: 2^15 * |a_factor| + (2^15, or 2^7 for int8 b) * |b_factor| + |offset| < 2^31 */
    uint8_t shift;              /* Bits. Range: 1 to 31 */
};

/* y = clamp((x * factor + offset) >> shift), to int8 or int16 */
struct ev_rescale {
    int16_t factor; /* Range: 1 to 2^15 - 1 */
    int32_t offset; /* Zero points and rounding. Range: 2^15 * factor + |offset| < 2^31 */
    uint8_t shift;  /* Bits. Range: 1 to 31 */
};

/* y = requantize((a - a_zero) * (b - b_zero) + bias, multiplier) */
struct ev_multiply {
    int16_t a_zero, b_zero; /* Zero points. Range: -128 to 127 */
    int32_t bias;           /* Output zero point in units of the accumulator. Range: |bias| + 255 * 255 < 2^31 */
    int32_t multiplier;     /* a scale * b scale / output scale * 2^32. Range: 1 to 2^31 - 1 */
    uint32_t b_period;      /* Elements after which b starts again, a divisor of count; 0: b is as long as a */
};

/* y[r][n] = x[r][table[r / repeat % period][n]], rows from the first of the value on */
struct ev_pick {
    uint16_t x_columns, y_columns; /* Range: 1 to 65535 */
    uint32_t repeat, period;       /* Range: from 1 */
    const uint8_t *narrow;         /* period * y_columns, each below x_columns; null where `wide` is given */
    const uint16_t *wide;
};

/* y[r][d] = requantize(256 * sum of (x[r][j] - zero) for each j in bin d + bias, multiplier). The table of a row has its
   columns bin by bin, and `ends` where each bin ends in it. */
struct ev_bin_sum {
    uint16_t x_columns, y_columns; /* Range: 1 to 65535 */
    uint32_t repeat, period;       /* Range: from 1 */
    const uint8_t *narrow;         /* period * x_columns, each column once; null where `wide` is given */
    const uint16_t *wide;
    const uint16_t *ends; /* period * y_columns, rising, the last x_columns */
    int16_t zero;         /* Range: -128 to 127 */
    int32_t bias;         /* Output zero point in units of the accumulator. Range: |bias| + x_columns * 65280 < 2^31 */
    int32_t multiplier;   /* x scale / 256 / output scale * 2^32. Range: 1 to 2^31 - 1 */
};

/* y[sum_i n[i] * y_strides[i]] = x[sum_i n[i] * x_strides[i]] for all n below sizes, the last axis innermost */
struct ev_move {
    uint16_t sizes[4];     /* Elements along each axis. Range: 1 to 65535 */
    int32_t x_strides[4];  /* Bytes, multiples of element_bytes */
    int32_t y_strides[4];  /* Bytes, multiples of element_bytes */
    uint8_t element_bytes; /* Range: 1 to 2 */
};

struct ev_fill {
    int16_t value;         /* Range: -128 to 127 for elements of 1 byte, -2^15 to 2^15 - 1 for 2 */
    uint8_t element_bytes; /* Range: 1 to 2 */
};

/* Places of the `count` largest of a row, the largest first, or of the smallest; of equals the first one comes first. */
struct ev_order {
    uint16_t length; /* Elements of a row of x. Range: 1 to 2^15 - 1 */
    uint16_t count;  /* Elements of a row of y. Range: 1 to length */
    uint8_t rising;  /* 1: the smallest first */
};

/* y[k] = x[places[k]], rows of bytes. Here as below, a place outside is the nearest there is. */
struct ev_gather {
    uint16_t rows;      /* Of x. Range: 1 to 2^15 - 1 */
    uint32_t row_bytes; /* From 1 */
};

/* y = x, then for each k in order y[places[k]] = rows[k], or clamp(y[places[k]] + rows[k] - zero) */
struct ev_scatter {
    uint16_t rows;  /* Of x and y. Range: 1 to 2^15 - 1 */
    uint32_t width; /* Elements of a row. From 1 */
    int16_t zero;   /* Zero point of all three */
    uint8_t adds;   /* 1: to what is there */
};

/* y[k][j] = one where places[k] = first + j, else zero */
struct ev_one_hot {
    int16_t first;    /* Range: -(2^15 - 1) to 2^15 - 1 */
    uint16_t columns; /* Of y. Range: 1 to 2^15 - 1 */
    int8_t zero, one;
};

/* Whether sum_i table[max(x) - x[i]] is at most `most`: the largest softmax is at least 65535 / most */
struct ev_exit {
    uint16_t length;       /* Logits. From 1 */
    const uint16_t *table; /* 256 exponentials, falling; table[d] is exp(-scale * d) */
};

void ev_linear_s8(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_linear_to_s16(const struct ev_linear *p, const int8_t *x, int16_t *y, uint32_t rows, void *scratch);
void ev_linear_sparse_s8(const struct ev_linear_sparse *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_linear_sparse_to_s16(const struct ev_linear_sparse *p, const int8_t *x, int16_t *y, uint32_t rows,
                             void *scratch);
/* Packs rows `first` up to `first + rows` of the right side, which begin at `b`, and the zero point's share of each
   column. Every row once, in order, before the first product. `packed` is aligned to 16 bytes, as long as the card's
   packing says. */
void ev_matmul_pack_s8(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, void *packed);
void ev_matmul_s8(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows,
                  void *scratch);
void ev_conv2d_s8(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch);
void ev_conv2d_to_s16(const struct ev_conv2d *p, const int8_t *x, int16_t *y, uint32_t first, uint32_t rows,
                      void *scratch);
void ev_depthwise_s8(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                     void *scratch);
void ev_depthwise_s16(const struct ev_depthwise *p, const int16_t *x, int16_t *y, uint32_t first, uint32_t rows,
                      void *scratch);
void ev_average_pool_s8(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                        void *scratch);
void ev_max_pool_s8(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows, void *scratch);
/* y may be x, if the strides are equal. Scratch keeps the exponentials of a row. */
void ev_softmax_s8(const struct ev_softmax *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
/* y may be x. */
void ev_norm_s8(const struct ev_norm *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_norm_s16(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch);
/* y may be x. */
void ev_lookup_s8(const struct ev_lookup *p, const int8_t *x, int8_t *y, uint32_t count);
void ev_curve_s16(const struct ev_curve *p, const int16_t *x, int16_t *y, uint32_t count);
/* y may be a or b; of ev_add_wide_s8 it may be a; of ev_multiply_s8 it may be a, and b if b_period is 0. */
void ev_add_s8(const struct ev_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count);
void ev_add_wide_s8(const struct ev_add_wide *p, const int16_t *a, const int8_t *b, int16_t *y, uint32_t count);
void ev_add_wide_s16(const struct ev_add_wide *p, const int16_t *a, const int16_t *b, int16_t *y, uint32_t count);
void ev_rescale_to_s8(const struct ev_rescale *p, const int16_t *x, int8_t *y, uint32_t count);
void ev_rescale_to_s16(const struct ev_rescale *p, const int8_t *x, int16_t *y, uint32_t count);
void ev_multiply_s8(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count);
/* Rows `first` up to `first + rows` of the value, which begin at x and y. */
void ev_pick_s8(const struct ev_pick *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows);
void ev_bin_sum_s8(const struct ev_bin_sum *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows);
void ev_move(const struct ev_move *p, const void *x, void *y);
void ev_fill(const struct ev_fill *p, void *y, uint32_t count);
void ev_order_s8(const struct ev_order *p, const int8_t *x, int16_t *y, uint32_t rows);
void ev_order_s16(const struct ev_order *p, const int16_t *x, int16_t *y, uint32_t rows);
/* `count` places. */
void ev_gather(const struct ev_gather *p, const void *x, const int16_t *places, void *y, uint32_t count);
void ev_scatter_s8(const struct ev_scatter *p, const int8_t *x, const int16_t *places, const int8_t *rows, int8_t *y,
                   uint32_t count);
void ev_scatter_s16(const struct ev_scatter *p, const int16_t *x, const int16_t *places, const int16_t *rows,
                    int16_t *y, uint32_t count);
void ev_one_hot_s8(const struct ev_one_hot *p, const int16_t *places, int8_t *y, uint32_t count);
int ev_exit_s8(const struct ev_exit *p, const int8_t *x, uint32_t most);

#endif
