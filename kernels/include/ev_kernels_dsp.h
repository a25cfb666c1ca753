/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels for Arm cores with the DSP extension (Cortex-M4, M7, M33): parameters and results as in ev_kernels.h. */
#ifndef EV_KERNELS_DSP_H
#define EV_KERNELS_DSP_H

#include "ev_kernels.h"

void ev_linear_s8_dsp(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_linear_deep_s8_dsp(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
/* One row: its program has no sums of several. Range of rows: 1. */
void ev_linear_deep_row_s8_dsp(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_linear_to_s16_dsp(const struct ev_linear *p, const int8_t *x, int16_t *y, uint32_t rows, void *scratch);
void ev_linear_sparse_s8_dsp(const struct ev_linear_sparse *p, const int8_t *x, int8_t *y, uint32_t rows,
                             void *scratch);
void ev_linear_sparse_to_s16_dsp(const struct ev_linear_sparse *p, const int8_t *x, int16_t *y, uint32_t rows,
                                 void *scratch);
void ev_matmul_pack_s8_dsp(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, void *packed);
void ev_matmul_s8_dsp(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows,
                      void *scratch);
/* groups is 1, here and below. */
void ev_conv2d_s8_dsp(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                      void *scratch);
void ev_conv2d_deep_s8_dsp(const struct ev_conv2d *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                           void *scratch);
void ev_conv2d_to_s16_dsp(const struct ev_conv2d *p, const int8_t *x, int16_t *y, uint32_t first, uint32_t rows,
                          void *scratch);
void ev_depthwise_s8_dsp(const struct ev_depthwise *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                         void *scratch);
void ev_depthwise_s16_dsp(const struct ev_depthwise *p, const int16_t *x, int16_t *y, uint32_t first, uint32_t rows,
                          void *scratch);
/* kernel_h * kernel_w is at most 256. */
void ev_average_pool_s8_dsp(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                            void *scratch);
void ev_max_pool_s8_dsp(const struct ev_pool *p, const int8_t *x, int8_t *y, uint32_t first, uint32_t rows,
                        void *scratch);
void ev_softmax_s8_dsp(const struct ev_softmax *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_norm_s8_dsp(const struct ev_norm *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_norm_s16_dsp(const struct ev_norm *p, const int16_t *x, int8_t *y, uint32_t rows, void *scratch);
void ev_add_s8_dsp(const struct ev_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count);
void ev_add_wide_s8_dsp(const struct ev_add_wide *p, const int16_t *a, const int8_t *b, int16_t *y, uint32_t count);
void ev_add_wide_s16_dsp(const struct ev_add_wide *p, const int16_t *a, const int16_t *b, int16_t *y, uint32_t count);
void ev_rescale_to_s8_dsp(const struct ev_rescale *p, const int16_t *x, int8_t *y, uint32_t count);
void ev_rescale_to_s16_dsp(const struct ev_rescale *p, const int8_t *x, int16_t *y, uint32_t count);
void ev_multiply_s8_dsp(const struct ev_multiply *p, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count);
void ev_move_dsp(const struct ev_move *p, const void *x, void *y);

#endif
