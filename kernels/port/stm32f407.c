/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F4DISCOVERY: USART2 on PA2. 168 MHz by the PLL on the internal oscillator, 5 wait states of the flash, its
   prefetch and caches on. A PLL that does not start leaves the 16 MHz of after reset. ST RM0090. */
#include "ev_dwt.h"
#include "ev_port.h"
#include "ev_stm32f.h"

#define EV_CLOCK_HZ 168000000u
#define GPIOA 0x40020000u
#define USART2 0x40004400u

void ev_port_init(void)
{
    ev_pll_begin(168);
    ev_pll_use(EV_CLOCK_HZ, 1u << 10 | 1u << 9 | 1u << 8 | 5); /* DCEN, ICEN, PRFTEN, LATENCY */
    EV_REGISTER(RCC + 0x30) |= 1;                      /* AHB1ENR: GPIOA */
    EV_REGISTER(RCC + 0x40) |= 1u << 17;               /* APB1ENR: USART2 */
    EV_REGISTER(GPIOA + 0x20) |= 7u << 2 * 4;          /* AFRL: PA2 is USART2's output */
    EV_REGISTER(GPIOA) |= 2u << 2 * 2;                 /* MODER */
    const uint32_t bus = hz == EV_CLOCK_HZ ? hz / 4 : hz;
    EV_REGISTER(USART2 + 0x08) = (bus + 57600) / 115200u; /* BRR */
    EV_REGISTER(USART2 + 0x0C) = 1u << 13 | 1u << 3;   /* CR1: on, transmit */
    ev_ticks_begin();
}

void ev_uart_put(char byte)
{
    while (!(EV_REGISTER(USART2) & 1u << 7)) /* SR: empty */
        ;
    EV_REGISTER(USART2 + 0x04) = (uint8_t)byte; /* DR */
}
