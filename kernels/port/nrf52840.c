/* SPDX-License-Identifier: Apache-2.0 */
/* nRF52840 DK: UARTE0's plain UART on P0.06 is the debugger's serial port. 64 MHz, as always, the flash's cache on.
   Nordic, nRF52840 product specification. */
#include "ev_dwt.h"
#include "ev_port.h"
#include "ev_wait.h"

#define EV_CLOCK_HZ 64000000u
#define CLOCK 0x40000000u
#define NVMC 0x4001E000u
#define P0 0x50000000u
#define UART0 0x40002000u

void ev_port_init(void)
{
    EV_REGISTER(NVMC + 0x540) = 1; /* ICACHECNF: the flash's cache */
    EV_REGISTER(CLOCK) = 1; /* TASKS_HFCLKSTART: the crystal, for a baud rate that is right */
    (void)ev_until(CLOCK + 0x100, 1, 1); /* EVENTS_HFCLKSTARTED */
    EV_REGISTER(P0 + 0x508) = 1u << 6;            /* OUTSET */
    EV_REGISTER(P0 + 0x518) = 1u << 6;            /* DIRSET */
    EV_REGISTER(UART0 + 0x50C) = 6;               /* PSEL.TXD */
    EV_REGISTER(UART0 + 0x524) = 0x01D7E000u;     /* BAUDRATE: 115200 */
    EV_REGISTER(UART0 + 0x500) = 4;               /* ENABLE */
    EV_REGISTER(UART0 + 0x008) = 1;               /* TASKS_STARTTX */
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return EV_CLOCK_HZ;
}

void ev_uart_put(char byte)
{
    EV_REGISTER(UART0 + 0x11C) = 0; /* EVENTS_TXDRDY */
    EV_REGISTER(UART0 + 0x51C) = (uint8_t)byte; /* TXD */
    while (!EV_REGISTER(UART0 + 0x11C))
        ;
}
