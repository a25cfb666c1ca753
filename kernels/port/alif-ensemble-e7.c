/* SPDX-License-Identifier: Apache-2.0 */
/* Alif Ensemble E7, its high-performance Cortex-M55. Pins and clocks of its UARTs belong to the secure
   enclave's configuration, so there is no UART here: the self-test talks to the debugger. The rate of the
   core's clock is the enclave's choice too. */
#include "ev_dwt.h"
#include "ev_port.h"

void ev_port_init(void)
{
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return 0;
}
