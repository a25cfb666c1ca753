/* SPDX-License-Identifier: Apache-2.0 */
#define EV_PRODUCTS ev_products_deep_dsp
#define EV_SECTION .text.ev_products_deep_dsp
#define EV_BITS 8
#define EV_DEEP 1
#define EV_RUN_WORDS 256
#include "ev_products_asm_dsp.h"
