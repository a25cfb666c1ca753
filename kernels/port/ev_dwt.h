/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks by the DWT's cycle counter, 32 bits wide, extended as it is read. Arm, "Armv7-M Architecture
   Reference Manual", C1.8. Included by one file of a board. */
#ifndef EV_DWT_H
#define EV_DWT_H

#include "ev_port.h"

static inline void ev_ticks_begin(void)
{
    EV_REGISTER(0xE000EDFCu) |= 1u << 24; /* DEMCR: TRCENA */
    EV_REGISTER(0xE0001FB0u) = 0xC5ACCE55u; /* LAR: a Cortex-M7 locks it, others ignore this */
    EV_REGISTER(0xE0001004u) = 0;          /* DWT_CYCCNT */
    EV_REGISTER(0xE0001000u) |= 1;         /* DWT_CTRL: CYCCNTENA */
}

uint64_t ev_port_ticks(void)
{
    static uint32_t last;
    static uint64_t passed;
    const uint32_t now = EV_REGISTER(0xE0001004u);
    passed += (uint32_t)(now - last);
    last = now;
    return passed;
}

#endif
