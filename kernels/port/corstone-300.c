/* SPDX-License-Identifier: Apache-2.0 */
/* Arm Corstone-300 on MPS3 (AN547): UART0 of the CMSDK by its secure alias, for the core starts secure;
   SysTick at 32 MHz. */
#include "ev_port.h"
#include "ev_systick.h"

#define UART0 0x59303000u

void ev_port_init(void)
{
    EV_REGISTER(UART0 + 0x10) = 25000000u / 115200u; /* BAUDDIV, of the peripherals' 25 MHz */
    EV_REGISTER(UART0 + 0x08) = 1;                   /* CTRL: transmit */
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return 32000000u;
}

void ev_uart_put(char byte)
{
    while (EV_REGISTER(UART0 + 0x04) & 1) /* STATE: full */
        ;
    EV_REGISTER(UART0) = (uint8_t)byte;
}
