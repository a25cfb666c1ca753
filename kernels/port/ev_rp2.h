/* SPDX-License-Identifier: Apache-2.0 */
/* What RP2040 and RP2350 share: the PLL on the crystal of 12 MHz as the clock of all, and UART0 on GPIO0. Addresses and
   EV_RP2_DIVIDE are defined before this is included. RP2040 datasheet, 2.15 to 2.19 and 4.2; RP2350 datasheet, 8, 9,
   12.1. */
#ifndef EV_RP2_H
#define EV_RP2_H

#include "ev_wait.h"

enum { EV_CRYSTAL_HZ = 12000000 };
#define EV_CLOCK_HZ (125u * EV_CRYSTAL_HZ / (EV_RP2_DIVIDE * 2u))
#define EV_RP2_CLEAR 0x3000u /* a register's alias that clears the bits written */

static uint32_t hz = EV_CRYSTAL_HZ;

/* The VCO is 125 times the crystal's rate, 1500 MHz; it is divided twice. */
static inline void ev_rp2_pll(void)
{
    EV_REGISTER(EV_PLL_SYS) = 1;          /* CS: REFDIV */
    EV_REGISTER(EV_PLL_SYS + 0x08) = 125; /* FBDIV_INT */
    EV_REGISTER(EV_PLL_SYS + 0x04 + EV_RP2_CLEAR) = 1u << 5 | 1; /* PWR: the VCO, and all of it */
    if (!ev_until(EV_PLL_SYS, 1u << 31, 1u << 31))               /* CS: LOCK */
        return;
    EV_REGISTER(EV_PLL_SYS + 0x0C) = (uint32_t)EV_RP2_DIVIDE << 16 | 2u << 12; /* PRIM */
    EV_REGISTER(EV_PLL_SYS + 0x04 + EV_RP2_CLEAR) = 1u << 3;                   /* PWR: the dividers */
    EV_REGISTER(EV_CLOCKS + 0x3C) = 1; /* CLK_SYS_CTRL: from its other sources, of which the PLL is the first */
    if (ev_until(EV_CLOCKS + 0x44, 2, 2)) /* CLK_SYS_SELECTED */
        hz = EV_CLOCK_HZ;
}

static inline void ev_rp2_begin(uint32_t resets)
{
    EV_REGISTER(EV_XOSC + 0x0C) = 47;                  /* STARTUP: 1 ms */
    EV_REGISTER(EV_XOSC) = 0xFABu << 12 | 0xAA0;       /* CTRL: on, 1 to 15 MHz */
    (void)ev_until(EV_XOSC + 0x04, 1u << 31, 1u << 31); /* STATUS: stable */
    EV_REGISTER(EV_CLOCKS + 0x30) = 2;                 /* CLK_REF_CTRL: the crystal */
    (void)ev_until(EV_CLOCKS + 0x38, 4, 4);
    EV_REGISTER(EV_CLOCKS + 0x3C) = 0; /* CLK_SYS_CTRL: the same */
    (void)ev_until(EV_CLOCKS + 0x44, 1, 1);
    EV_REGISTER(EV_RESETS + EV_RP2_CLEAR) = resets;
    (void)ev_until(EV_RESETS + 0x08, resets, resets);
    ev_rp2_pll();
    EV_REGISTER(EV_CLOCKS + 0x48) = 1u << 11; /* CLK_PERI_CTRL: on, from the system's clock */
    EV_REGISTER(EV_IO_BANK0 + 0x04) = 2;      /* GPIO0: UART0's output */
    EV_REGISTER(EV_UART0 + 0x24) = hz / (16 * 115200);        /* IBRD */
    EV_REGISTER(EV_UART0 + 0x28) = hz * 4 / 115200 % 64;       /* FBRD */
    EV_REGISTER(EV_UART0 + 0x2C) = 0x70;                      /* LCR_H: 8 bits, FIFO */
    EV_REGISTER(EV_UART0 + 0x30) = 0x101;                     /* CR: on, transmit */
}

uint32_t ev_port_hz(void)
{
    return hz;
}

void ev_uart_put(char byte)
{
    while (EV_REGISTER(EV_UART0 + 0x18) & 1u << 5) /* FR: full */
        ;
    EV_REGISTER(EV_UART0) = (uint8_t)byte;
}

#endif
