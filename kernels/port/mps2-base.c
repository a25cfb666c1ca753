/* SPDX-License-Identifier: Apache-2.0 */
/* Arm MPS2 as QEMU models it: UART0 of the CMSDK, SysTick at the board's 25 MHz. */
#include "ev_port.h"
#include "ev_systick.h"

#define UART0 0x40004000u

void ev_port_init(void)
{
    EV_REGISTER(UART0 + 0x10) = 25000000u / 115200u; /* BAUDDIV */
    EV_REGISTER(UART0 + 0x08) = 3;                   /* CTRL: transmit, receive */
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return 25000000u;
}

void ev_uart_put(char byte)
{
    while (EV_REGISTER(UART0 + 0x04) & 1) /* STATE: full */
        ;
    EV_REGISTER(UART0) = (uint8_t)byte;
}

uint8_t ev_uart_get(void)
{
    while (!(EV_REGISTER(UART0 + 0x04) & 2)) /* STATE: nothing received */
        ;
    return (uint8_t)EV_REGISTER(UART0);
}
