/* SPDX-License-Identifier: Apache-2.0 */
/* 32F746GDISCOVERY: USART1 on PA9 is the ST-LINK's serial port (ST UM1907). 216 MHz by the PLL on the internal
   oscillator in over-drive, 7 wait states of the flash, instruction and data caches on. The weights' QSPI flash
   (N25Q128A, on later boards W25Q128J) is mapped with four lines for data at a third of the core's clock, 72 MHz:
   36 MB/s, cached. What does not start leaves the 16 MHz of after reset. ST RM0385. */
#include "ev_caches.h"
#include "ev_dwt.h"
#include "ev_port.h"
#include "ev_stm32f.h"

#define EV_CLOCK_HZ 216000000u
#define GPIO(port) (0x40020000u + 0x400u * (uint32_t)((port) - 'A'))
#define USART1 0x40011000u
#define QUADSPI 0xA0001000u

static void alternate(char port, uint32_t pin, uint32_t function)
{
    const uint32_t base = GPIO(port), select = base + 0x20 + pin / 8 * 4;
    ev_set_bits(select, 15u << pin % 8 * 4, function << pin % 8 * 4);
    EV_REGISTER(base + 0x08) |= 3u << pin * 2; /* OSPEEDR */
    ev_set_bits(base, 3u << pin * 2, 2u << pin * 2); /* MODER */
}

/* Above 180 MHz the regulator has to be in over-drive. */
static int overdrive(void)
{
    EV_REGISTER(RCC + 0x40) |= 1u << 28; /* APB1ENR: PWR */
    EV_REGISTER(PWR) |= 1u << 16;        /* CR1: ODEN */
    if (!ev_until(PWR + 0x04, 1u << 16, 1u << 16)) /* CSR1: ODRDY */
        return 0;
    EV_REGISTER(PWR) |= 1u << 17; /* CR1: ODSWEN */
    return ev_until(PWR + 0x04, 1u << 17, 1u << 17); /* CSR1: ODSWRDY */
}

/* Quad output fast read, 0x6B: both flashes have 8 dummy cycles for it after reset, while they differ in 0xEB. */
static void map_flash(void)
{
    EV_REGISTER(RCC + 0x38) |= 2; /* AHB3ENR: QSPI */
    alternate('B', 2, 9);         /* clock */
    alternate('B', 6, 10);        /* select */
    alternate('D', 11, 9);        /* IO0 */
    alternate('D', 12, 9);        /* IO1 */
    alternate('E', 2, 9);         /* IO2 */
    alternate('D', 13, 9);        /* IO3 */
    EV_REGISTER(QUADSPI + 0x04) = 23u << 16 | 5u << 8; /* DCR: 2^24 bytes; deselected for 6 clocks, 50 ns */
    EV_REGISTER(QUADSPI) = 2u << 24 | 1u << 4 | 1;     /* CR: a third of the clock, sampled half a clock later, on */
    /* CCR: mapped; data by four lines after 8 dummy cycles, 24 address bits and the command by one */
    EV_REGISTER(QUADSPI + 0x14) = 3u << 26 | 3u << 24 | 8u << 18 | 2u << 12 | 1u << 10 | 1u << 8 | 0x6B;
}

void ev_port_init(void)
{
    ev_pll_begin(216);
    if (overdrive())
        ev_pll_use(EV_CLOCK_HZ, 1u << 8 | 7); /* PRFTEN, LATENCY */
    ev_caches_begin();
    EV_REGISTER(RCC + 0x30) |= 0x1Fu;   /* AHB1ENR: GPIOA to GPIOE */
    EV_REGISTER(RCC + 0x44) |= 1u << 4; /* APB2ENR: USART1 */
    alternate('A', 9, 7);
    const uint32_t bus = hz == EV_CLOCK_HZ ? hz / 2 : hz;
    EV_REGISTER(USART1 + 0x0C) = (bus + 57600) / 115200u; /* BRR */
    EV_REGISTER(USART1) = 1u << 3 | 1;                    /* CR1: transmit, on */
    map_flash();
    ev_ticks_begin();
}

void ev_uart_put(char byte)
{
    while (!(EV_REGISTER(USART1 + 0x1C) & 1u << 7)) /* ISR: empty */
        ;
    EV_REGISTER(USART1 + 0x28) = (uint8_t)byte; /* TDR */
}
