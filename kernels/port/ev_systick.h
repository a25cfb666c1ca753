/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks by SysTick, 24 bits wide, extended by its interrupt. Arm, "Armv7-M Architecture Reference
   Manual", B3.3. Included by one file of a board. */
#ifndef EV_SYSTICK_H
#define EV_SYSTICK_H

#include "ev_port.h"

enum { EV_SYSTICK_TOP = 0xFFFFFF };

static volatile uint32_t ev_wraps;

void ev_tick(void);
void ev_tick(void)
{
    ev_wraps++;
}

static inline void ev_ticks_begin(void)
{
    EV_REGISTER(0xE000E014u) = EV_SYSTICK_TOP; /* SYST_RVR */
    EV_REGISTER(0xE000E018u) = 0;              /* SYST_CVR: the top comes next */
    EV_REGISTER(0xE000E010u) = 7;              /* SYST_CSR: enable, interrupt, the core's clock */
    while (EV_REGISTER(0xE000E018u) == 0)
        ;
}

/* The counter may have wrapped just now, and its interrupt not come yet. */
uint64_t ev_port_ticks(void)
{
    uint32_t wraps, now, waiting;
    do {
        wraps = ev_wraps;
        now = EV_SYSTICK_TOP - EV_REGISTER(0xE000E018u);
        waiting = EV_REGISTER(0xE000ED04u) & 1u << 26; /* ICSR: PENDSTSET */
    } while (wraps != ev_wraps);
    if (waiting && now < EV_SYSTICK_TOP / 2)
        wraps++;
    return ((uint64_t)wraps << 24) + now;
}

#endif
