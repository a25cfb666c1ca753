/* SPDX-License-Identifier: Apache-2.0 */
#define EV_DEPTHWISE ev_depthwise_row_s8_dsp
#define EV_UNPACK ev_depthwise_unpack_s8_dsp
#define EV_SECTION .text.ev_depthwise_row_s8_dsp
#define EV_BITS 8
#include "ev_depthwise_asm_dsp.h"
