/* SPDX-License-Identifier: Apache-2.0 */
#define EV_DEPTHWISE ev_depthwise_row_s16_dsp
#define EV_UNPACK ev_depthwise_unpack_s16_dsp
#define EV_SECTION .text.ev_depthwise_row_s16_dsp
#define EV_BITS 16
#include "ev_depthwise_asm_dsp.h"
