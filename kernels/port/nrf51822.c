/* SPDX-License-Identifier: Apache-2.0 */
/* BBC micro:bit V1, nRF51822: its UART on P0.24 is the debugger's serial port. 16 MHz, as always; the flash has no wait
   states. Ticks by SysTick. Nordic, nRF51 Series Reference Manual: "CLOCK", "GPIO", "UART". */
#include "ev_port.h"
#include "ev_systick.h"
#include "ev_wait.h"

#define EV_CLOCK_HZ 16000000u
#define CLOCK 0x40000000u
#define UART0 0x40002000u
#define GPIO 0x50000000u

void ev_port_init(void)
{
    EV_REGISTER(CLOCK) = 1; /* TASKS_HFCLKSTART: the crystal, for a baud rate that is right */
    (void)ev_until(CLOCK + 0x100, 1, 1); /* EVENTS_HFCLKSTARTED */
    EV_REGISTER(GPIO + 0x508) = 1u << 24;     /* OUTSET */
    EV_REGISTER(GPIO + 0x518) = 1u << 24;     /* DIRSET */
    EV_REGISTER(UART0 + 0x50C) = 24;          /* PSELTXD */
    EV_REGISTER(UART0 + 0x524) = 0x01D7E000u; /* BAUDRATE: 115200 */
    EV_REGISTER(UART0 + 0x500) = 4;           /* ENABLE */
    EV_REGISTER(UART0 + 0x008) = 1;           /* TASKS_STARTTX */
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return EV_CLOCK_HZ;
}

void ev_uart_put(char byte)
{
    EV_REGISTER(UART0 + 0x11C) = 0;             /* EVENTS_TXDRDY */
    EV_REGISTER(UART0 + 0x51C) = (uint8_t)byte; /* TXD */
    while (!EV_REGISTER(UART0 + 0x11C))
        ;
}
