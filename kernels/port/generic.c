/* SPDX-License-Identifier: Apache-2.0 */
/* A Cortex-M board of your own: the self-test talks to the debugger. Give `ev_uart_put` and the clock's rate
   here for text over a UART. */
#include "ev_port.h"
#include "ev_systick.h"

void ev_port_init(void)
{
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return 0;
}
