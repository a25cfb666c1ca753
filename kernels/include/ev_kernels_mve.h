/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of cores with Helium, the M-profile vector extension (Cortex-M55, M85): integer vectors are enough. */
#ifndef EV_KERNELS_MVE_H
#define EV_KERNELS_MVE_H

#include "ev_kernels.h"

/* Columns are in blocks of four; where their count is no multiple of four, the last block overlaps the one before.
   A block is four biases and four multipliers, then the depth in steps of 16, the last padded with zeros; in each step
   16 weights of every column in turn. */
struct ev_product_mve {
    uint32_t depth;       /* Range: from 1 */
    uint32_t columns;     /* Range: from 1 */
    uint32_t x_stride;    /* Elements. Range: from 1; less than depth where rows overlap */
    uint32_t y_stride;    /* Elements. Range: from columns */
    const int8_t *blocks; /* Aligned to 4 bytes */
};

/* The product of linear, matmul and conv2d. */
void ev_product_s8_mve(const struct ev_product_mve *p, const int8_t *x, int8_t *y, uint32_t rows);

/* Weights of linear and conv2d are such blocks, those of conv2d group by group; bias and multiplier are in them. */
void ev_linear_s8_mve(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_linear_sparse_s8_mve(const struct ev_linear_sparse *p, const int8_t *x, int8_t *y, uint32_t rows,
                             void *scratch);
void ev_matmul_pack_s8_mve(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, void *packed);
void ev_matmul_s8_mve(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows,
                      void *scratch);
/* dilation_x is 1. */
void ev_conv2d_s8_mve(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                      void *scratch);
/* kernel_h is at most 16. */
void ev_depthwise_s8_mve(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                         void *scratch);
/* Weights as for the portable kernel. */
void ev_depthwise_s16_mve(const struct ev_depthwise *p, const int16_t *x, int16_t *y, uint32_t first, uint32_t rows,
                          void *scratch);
/* kernel_w is at most 256. */
void ev_average_pool_s8_mve(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                            void *scratch);
void ev_max_pool_s8_mve(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                        void *scratch);
void ev_softmax_s8_mve(const struct ev_softmax *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_norm_s8_mve(const struct ev_norm *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_norm_s16_mve(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_lookup_s8_mve(const struct ev_lookup *p, const int8_t *x, int8_t *y, uint32_t count);
void ev_add_s8_mve(const struct ev_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count);
void ev_add_wide_s8_mve(const struct ev_add_wide *p, const int16_t *a, const int8_t *b, int16_t *y, uint32_t count);
void ev_add_wide_s16_mve(const struct ev_add_wide *p, const int16_t *a, const int16_t *b, int16_t *y, uint32_t count);
void ev_rescale_to_s8_mve(const struct ev_rescale *p, const int16_t *x, int8_t *y, uint32_t count);
void ev_rescale_to_s16_mve(const struct ev_rescale *p, const int8_t *x, int16_t *y, uint32_t count);
void ev_multiply_s8_mve(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count);
void ev_move_mve(const struct ev_move *p, const void *x, void *y);

#endif
