/* SPDX-License-Identifier: Apache-2.0 */
#define EV_BITS 8
#define EV_OFFSET 1

#define EV_ROWS 1
#define EV_PRODUCTS ev_products_offset_1_dsp
#define EV_SECTION .text.ev_products_offset_1_dsp
#include "ev_products_asm_dsp.h"

#define EV_ROWS 2
#define EV_PRODUCTS ev_products_offset_2_dsp
#define EV_SECTION .text.ev_products_offset_2_dsp
#include "ev_products_asm_dsp.h"

#define EV_ROWS 3
#define EV_PRODUCTS ev_products_offset_3_dsp
#define EV_SECTION .text.ev_products_offset_3_dsp
#include "ev_products_asm_dsp.h"
