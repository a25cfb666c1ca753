/* SPDX-License-Identifier: Apache-2.0 */
/* 32F746GDISCOVERY: USART1 on PA9 is the ST-LINK's serial port (ST UM1907). The core stays at the 16 MHz
   of its internal oscillator, as after reset; the weights' QSPI flash is mapped. ST RM0385. */
#include "ev_dwt.h"
#include "ev_port.h"

#define RCC 0x40023800u
#define GPIO(port) (0x40020000u + 0x400u * (uint32_t)((port) - 'A'))
#define USART1 0x40011000u
#define QUADSPI 0xA0001000u

static void alternate(char port, uint32_t pin, uint32_t function)
{
    const uint32_t base = GPIO(port), select = base + 0x20 + pin / 8 * 4;
    EV_REGISTER(select) = (EV_REGISTER(select) & ~(15u << pin % 8 * 4)) | function << pin % 8 * 4;
    EV_REGISTER(base + 0x08) |= 3u << pin * 2; /* OSPEEDR */
    EV_REGISTER(base) = (EV_REGISTER(base) & ~(3u << pin * 2)) | 2u << pin * 2; /* MODER */
}

/* Reads with one line and the command 0x03, which every such flash knows; IO2 and IO3 are its WP and
   HOLD, and are pulled up on the board. */
static void map_flash(void)
{
    EV_REGISTER(RCC + 0x38) |= 2; /* AHB3ENR: QSPI */
    alternate('B', 2, 9);         /* clock */
    alternate('B', 6, 10);        /* select */
    alternate('D', 11, 9);        /* IO0 */
    alternate('D', 12, 9);        /* IO1 */
    EV_REGISTER(QUADSPI + 0x04) = 23u << 16; /* DCR: 2^24 bytes */
    EV_REGISTER(QUADSPI) = 1u << 24 | 1;     /* CR: half the clock, on */
    /* CCR: mapped, data, 24 address bits, address and command by one line, read */
    EV_REGISTER(QUADSPI + 0x14) = 3u << 26 | 1u << 24 | 2u << 12 | 1u << 10 | 1u << 8 | 0x03;
}

void ev_port_init(void)
{
    EV_REGISTER(RCC + 0x30) |= 0xFu;    /* AHB1ENR: GPIOA to GPIOD */
    EV_REGISTER(RCC + 0x44) |= 1u << 4; /* APB2ENR: USART1 */
    alternate('A', 9, 7);
    EV_REGISTER(USART1 + 0x0C) = 16000000u / 115200u; /* BRR */
    EV_REGISTER(USART1) = 1u << 3 | 1;                /* CR1: transmit, on */
    map_flash();
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return 16000000u;
}

void ev_uart_put(char byte)
{
    while (!(EV_REGISTER(USART1 + 0x1C) & 1u << 7)) /* ISR: empty */
        ;
    EV_REGISTER(USART1 + 0x28) = (uint8_t)byte; /* TDR */
}
