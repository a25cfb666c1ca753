/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F4DISCOVERY: USART2 on PA2. The core stays at the 16 MHz of its internal oscillator, as after
   reset. ST RM0090. */
#include "ev_dwt.h"
#include "ev_port.h"

#define RCC 0x40023800u
#define GPIOA 0x40020000u
#define USART2 0x40004400u

void ev_port_init(void)
{
    EV_REGISTER(RCC + 0x30) |= 1;                      /* AHB1ENR: GPIOA */
    EV_REGISTER(RCC + 0x40) |= 1u << 17;               /* APB1ENR: USART2 */
    EV_REGISTER(GPIOA + 0x20) |= 7u << 2 * 4;          /* AFRL: PA2 is USART2's output */
    EV_REGISTER(GPIOA) |= 2u << 2 * 2;                 /* MODER */
    EV_REGISTER(USART2 + 0x08) = 16000000u / 115200u;  /* BRR */
    EV_REGISTER(USART2 + 0x0C) = 1u << 13 | 1u << 3;   /* CR1: on, transmit */
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return 16000000u;
}

void ev_uart_put(char byte)
{
    while (!(EV_REGISTER(USART2) & 1u << 7)) /* SR: empty */
        ;
    EV_REGISTER(USART2 + 0x04) = (uint8_t)byte; /* DR */
}
