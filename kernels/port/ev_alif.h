/* SPDX-License-Identifier: Apache-2.0 */
/* Alif Ensemble, its high-performance Cortex-M55. Pins and clocks of its UARTs belong to the secure enclave's
   configuration, so there is no UART here: the self-test talks to the debugger. The enclave sets the core's clock before
   the core starts; the rate is read from the clock generator, and never set. Instruction and data caches are off after
   reset, and empty: MRAM and SRAM are read through them. Alif, Ensemble CMSIS pack, pm_soc_clk.c and system.c. */
#ifndef EV_ALIF_H
#define EV_ALIF_H

#include "ev_dwt.h"
#include "ev_port.h"

#define EV_CGU 0x1A602000u
#define EV_CCR 0xE000ED14u

/* Returns the rate of the PLL's four taps, 0 where it is not known; oscillators are not decoded. */
static inline uint32_t ev_alif_hz(const uint32_t *taps)
{
    if (!(EV_REGISTER(EV_CGU + 0x08) & 1u << 16)) /* PLL_CLK_SEL: ES0, this core on the PLL */
        return 0;
    return taps[EV_REGISTER(EV_CGU + 0x10) & 3]; /* ESCLK_SEL: ES0_PLL */
}

static inline void ev_alif_begin(void)
{
    EV_REGISTER(EV_CCR) |= 1u << 19 | 1u << 17 | 1u << 16; /* LOB, IC, DC */
    __asm volatile("dsb\n isb" ::: "memory");
    ev_ticks_begin();
}

#endif
