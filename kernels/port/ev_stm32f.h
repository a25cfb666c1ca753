/* SPDX-License-Identifier: Apache-2.0 */
/* Clock of the STM32F4 and F7, which have RCC, PWR and FLASH at the same addresses: the PLL on the internal oscillator
   of 16 MHz, so that no crystal is needed. ST RM0090, RM0385: "RCC register map", "PWR register map", "Flash interface
   registers". Included by one file of a board. */
#ifndef EV_STM32F_H
#define EV_STM32F_H

#include "ev_wait.h"

#define RCC 0x40023800u
#define PWR 0x40007000u
#define FLASH_ACR 0x40023C00u

enum { EV_RESET_HZ = 16000000 };
static uint32_t hz = EV_RESET_HZ;

/* Starts the PLL with a reference of 2 MHz, times `n`, halved. Bit 29 of PLLCFGR stays as after reset. */
static inline void ev_pll_begin(uint32_t n)
{
    EV_REGISTER(RCC + 0x04) = 1u << 29 | 9u << 24 | n << 6 | 8; /* PLLCFGR: from HSI, Q 9, P 2, M 8 */
    EV_REGISTER(RCC) |= 1u << 24;                              /* CR: PLLON */
}

/* Makes the PLL the system's clock, with the flash's wait states set before; buses are a quarter and a half of it. */
static inline void ev_pll_use(uint32_t rate, uint32_t flash)
{
    EV_REGISTER(FLASH_ACR) = flash;
    const int slow_enough = (EV_REGISTER(FLASH_ACR) & 15) == (flash & 15);
    if (!slow_enough || !ev_until(RCC, 1u << 25, 1u << 25)) /* CR: PLLRDY */
        return;
    ev_set_bits(RCC + 0x08, 0xFCF0u, 4u << 13 | 5u << 10); /* CFGR: PPRE2 / 2, PPRE1 / 4, HPRE / 1 */
    ev_set_bits(RCC + 0x08, 3, 2);                         /* SW: the PLL */
    if (ev_until(RCC + 0x08, 12, 8))                       /* SWS */
        hz = rate;
}

uint32_t ev_port_hz(void)
{
    return hz;
}

#endif
