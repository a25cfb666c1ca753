/* SPDX-License-Identifier: Apache-2.0 */
/* NUCLEO-H743ZI2: USART3 on PD8 is the ST-LINK's serial port (ST UM2407). 400 MHz, which every revision of the silicon
   does, by PLL1 on the internal oscillator; buses at 200 and 100 MHz, 2 wait states of the flash, instruction and data
   caches on. The supply is configured before the first write to RAM, which is not permitted until then. What does not
   start leaves the 64 MHz of after reset. ST RM0433. */
#include "ev_caches.h"
#include "ev_dwt.h"
#include "ev_port.h"
#include "ev_wait.h"

#define EV_CLOCK_HZ 400000000u
#define PWR 0x58024800u
#define RCC 0x58024400u
#define FLASH_ACR 0x52002000u
#define GPIOD 0x58020C00u
#define USART3 0x40004800u

enum { EV_RESET_HZ = 64000000 };
static uint32_t hz = EV_RESET_HZ;

/* From Run* to Run mode: CR3 is written once, with the LDO alone, and ACTVOSRDY awaited. In registers only. */
__attribute__((naked, used)) void ev_port_early(void)
{
    __asm volatile("ldr r0, =0x58024800\n" /* PWR */
                   "ldr r1, [r0, #0x0C]\n" /* CR3 */
                   "bic r1, r1, #7\n"      /* SCUEN, LDOEN, BYPASS */
                   "orr r1, r1, #2\n"      /* LDOEN */
                   "str r1, [r0, #0x0C]\n"
                   "1: ldr r1, [r0, #0x04]\n" /* CSR1 */
                   "lsls r1, r1, #18\n"       /* ACTVOSRDY, bit 13 */
                   "bpl 1b\n"
                   "bx lr\n"
                   ".ltorg\n");
}

static void pll_begin(void)
{
    ev_set_bits(PWR + 0x18, 3u << 14, 3u << 14);      /* D3CR: VOS 1 */
    if (!ev_until(PWR + 0x18, 1u << 13, 1u << 13))   /* VOSRDY */
        return;
    EV_REGISTER(RCC + 0x28) = 4u << 4;                          /* PLLCKSELR: HSI / 4, 16 MHz */
    EV_REGISTER(RCC + 0x2C) = 1u << 16 | 3u << 2;               /* PLLCFGR: P on, reference above 8 MHz, wide VCO */
    EV_REGISTER(RCC + 0x30) = 1u << 24 | 1u << 16 | 1u << 9 | 49; /* PLL1DIVR: times 50, halved */
    EV_REGISTER(RCC) |= 1u << 24;                               /* CR: PLL1ON */
    EV_REGISTER(FLASH_ACR) = 2u << 4 | 2;                       /* WRHIGHFREQ, LATENCY, for 200 MHz of AXI */
    if ((EV_REGISTER(FLASH_ACR) & 15) != 2 || !ev_until(RCC, 1u << 25, 1u << 25)) /* PLL1RDY */
        return;
    EV_REGISTER(RCC + 0x18) = 4u << 4 | 8;     /* D1CFGR: HPRE / 2, D1PPRE / 2 */
    EV_REGISTER(RCC + 0x1C) = 4u << 8 | 4u << 4; /* D2CFGR: both / 2 */
    EV_REGISTER(RCC + 0x20) = 4u << 4;         /* D3CFGR: / 2 */
    ev_set_bits(RCC + 0x10, 7, 3);             /* CFGR: SW, PLL1 */
    if (ev_until(RCC + 0x10, 7u << 3, 3u << 3)) /* SWS */
        hz = EV_CLOCK_HZ;
}

void ev_port_init(void)
{
    pll_begin();
    ev_caches_begin();
    EV_REGISTER(RCC + 0xE0) |= 1u << 3;  /* AHB4ENR: GPIOD */
    EV_REGISTER(RCC + 0xE8) |= 1u << 18; /* APB1LENR: USART3 */
    ev_set_bits(GPIOD + 0x24, 15u, 7);   /* AFRH: PD8 */
    ev_set_bits(GPIOD, 3u << 16, 2u << 16); /* MODER */
    const uint32_t bus = hz == EV_CLOCK_HZ ? hz / 4 : hz;
    EV_REGISTER(USART3 + 0x0C) = (bus + 57600) / 115200u; /* BRR */
    EV_REGISTER(USART3) = 1u << 3 | 1;                    /* CR1: transmit, on */
    ev_ticks_begin();
}

uint32_t ev_port_hz(void)
{
    return hz;
}

void ev_uart_put(char byte)
{
    while (!(EV_REGISTER(USART3 + 0x1C) & 1u << 7)) /* ISR: empty */
        ;
    EV_REGISTER(USART3 + 0x28) = (uint8_t)byte; /* TDR */
}
