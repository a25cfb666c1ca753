/* SPDX-License-Identifier: Apache-2.0 */
#define EV_SPARSE ev_sparse_products_dsp
#define EV_SPARSE_ROW ev_sparse_row_dsp
#define EV_SECTION .text.ev_sparse_products_dsp
#define EV_ROW_SECTION .text.ev_sparse_row_dsp
#define EV_BITS 8
#include "ev_sparse_products_asm_dsp.h"
