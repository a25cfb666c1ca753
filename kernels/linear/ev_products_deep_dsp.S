/* SPDX-License-Identifier: Apache-2.0 */
#define EV_BITS 8
#define EV_DEEP 1
#define EV_RUN_WORDS 240 /* a multiple of both loops' words */

#define EV_ROWS 1
#define EV_PRODUCTS ev_products_deep_1_dsp
#define EV_SECTION .text.ev_products_deep_1_dsp
#include "ev_products_asm_dsp.h"

#define EV_ROWS 2
#define EV_PRODUCTS ev_products_deep_2_dsp
#define EV_SECTION .text.ev_products_deep_2_dsp
#include "ev_products_asm_dsp.h"

#define EV_ROWS 3
#define EV_PRODUCTS ev_products_deep_3_dsp
#define EV_SECTION .text.ev_products_deep_3_dsp
#include "ev_products_asm_dsp.h"
