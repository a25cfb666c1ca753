/* SPDX-License-Identifier: Apache-2.0 */
/* NUCLEO-H743ZI2: USART3 on PD8 is the ST-LINK's serial port (ST UM2407). The core stays at the 64 MHz
   of its internal oscillator, as after reset. ST RM0433. */
#include "ev_dwt.h"
#include "ev_port.h"

#define RCC 0x58024400u
#define GPIOD 0x58020C00u
#define USART3 0x40004800u

void ev_port_init(void)
{
    EV_REGISTER(RCC + 0xE0) |= 1u << 3;  /* AHB4ENR: GPIOD */
    EV_REGISTER(RCC + 0xE8) |= 1u << 18; /* APB1LENR: USART3 */
    EV_REGISTER(GPIOD + 0x24) = (EV_REGISTER(GPIOD + 0x24) & ~15u) | 7; /* AFRH: PD8 */
    EV_REGISTER(GPIOD) = (EV_REGISTER(GPIOD) & ~(3u << 16)) | 2u << 16; /* MODER */
    EV_REGISTER(USART3 + 0x0C) = 64000000u / 115200u;                   /* BRR */
    EV_REGISTER(USART3) = 1u << 3 | 1;                                  /* CR1: transmit, on */
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return 64000000u;
}

void ev_uart_put(char byte)
{
    while (!(EV_REGISTER(USART3 + 0x1C) & 1u << 7)) /* ISR: empty */
        ;
    EV_REGISTER(USART3 + 0x28) = (uint8_t)byte; /* TDR */
}
