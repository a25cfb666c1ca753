/* SPDX-License-Identifier: Apache-2.0 */
/* What the self-test asks of a board. A board's own file gives the first four; `output_*.c` the rest. */
#ifndef EV_PORT_H
#define EV_PORT_H

#include <stdint.h>

void ev_port_early(void);     /* before anything is written to RAM; few boards have it */
void ev_port_init(void);      /* clocks, pins, the counter */
uint64_t ev_port_ticks(void); /* asked for at least once a wrap of the counter */
uint32_t ev_port_hz(void);    /* ticks a second; 0 where nobody knows */
void ev_uart_put(char byte);  /* waits until there is room */
uint8_t ev_uart_get(void);    /* waits for a byte; few boards have it */

void ev_port_put(char byte); /* to the UART, or to the debugger */
void ev_port_exit(int status);
int ev_port_repeats(void); /* whether the self-test goes on for ever, for who listens later */

/* A register. */
#define EV_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#endif
