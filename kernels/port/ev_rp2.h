/* SPDX-License-Identifier: Apache-2.0 */
/* What RP2040 and RP2350 share: the crystal as the clock of all, and UART0 on GPIO0. The addresses are
   defined before this is included. RP2040 datasheet, 2.15 to 2.19 and 4.2; RP2350 datasheet, 8, 9, 12.1. */
#ifndef EV_RP2_H
#define EV_RP2_H

#include "ev_port.h"

enum { EV_RP2_HZ = 12000000 };
#define EV_RP2_CLEAR 0x3000u /* a register's alias that clears the bits written */

static inline void ev_rp2_begin(uint32_t resets)
{
    EV_REGISTER(EV_XOSC + 0x0C) = 47;                  /* STARTUP: 1 ms */
    EV_REGISTER(EV_XOSC) = 0xFABu << 12 | 0xAA0;       /* CTRL: on, 1 to 15 MHz */
    while (!(EV_REGISTER(EV_XOSC + 0x04) & 1u << 31)) /* STATUS: stable */
        ;
    EV_REGISTER(EV_CLOCKS + 0x30) = 2; /* CLK_REF_CTRL: the crystal */
    while (!(EV_REGISTER(EV_CLOCKS + 0x38) & 4))
        ;
    EV_REGISTER(EV_CLOCKS + 0x3C) = 0;        /* CLK_SYS_CTRL: the same */
    EV_REGISTER(EV_CLOCKS + 0x48) = 1u << 11; /* CLK_PERI_CTRL: on, from the system's clock */
    EV_REGISTER(EV_RESETS + EV_RP2_CLEAR) = resets;
    while ((EV_REGISTER(EV_RESETS + 0x08) & resets) != resets)
        ;
    EV_REGISTER(EV_IO_BANK0 + 0x04) = 2;                          /* GPIO0: UART0's output */
    EV_REGISTER(EV_UART0 + 0x24) = EV_RP2_HZ / (16 * 115200);     /* IBRD */
    EV_REGISTER(EV_UART0 + 0x28) = (EV_RP2_HZ * 4 / 115200) % 64; /* FBRD */
    EV_REGISTER(EV_UART0 + 0x2C) = 0x70;                          /* LCR_H: 8 bits, FIFO */
    EV_REGISTER(EV_UART0 + 0x30) = 0x101;                         /* CR: on, transmit */
}

uint32_t ev_port_hz(void)
{
    return EV_RP2_HZ;
}

void ev_uart_put(char byte)
{
    while (EV_REGISTER(EV_UART0 + 0x18) & 1u << 5) /* FR: full */
        ;
    EV_REGISTER(EV_UART0) = (uint8_t)byte;
}

#endif
