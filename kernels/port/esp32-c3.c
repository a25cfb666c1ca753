/* SPDX-License-Identifier: Apache-2.0 */
/* ESP32-C3, started by "direct boot": the ROM finds the two words at the start of the flash and jumps to
   what follows them; the chip has to be of revision v0.3 or later. `make bin`, then
   `esptool --chip esp32c3 write-flash 0x0 build/.../selftest.bin`. 160 MHz by the PLL. Its UART0 goes on as the ROM set it
   up, 115200 baud of the crystal. Ticks are the system timer's 16 MHz, whatever the core's clock. Espressif, ESP32-C3
   technical reference manual; the PLL's own registers, which it does not describe: Espressif, ESP-IDF, clk_tree_ll.h. */
#include "ev_port.h"
#include "ev_wait.h"

#define EV_CLOCK_HZ 160000000u
#define UART0 0x60000000u
#define RTC 0x60008000u
#define TIMER_GROUP0 0x6001F000u
#define TIMER_GROUP1 0x60020000u
#define SYSTIMER 0x60023000u
#define SYSTEM 0x600C0000u
#define ANALOG 0x6000E000u

enum { PLL = 0x66 }; /* its address on the chip's analog bus */

/* The ROM's writers of analog registers: ESP-IDF, esp32c3.rom.ld and esp_rom_regi2c.h. */
typedef void write_register(uint8_t block, uint8_t host, uint8_t place, uint8_t value);
typedef void write_bits(uint8_t block, uint8_t host, uint8_t place, uint8_t high, uint8_t low, uint8_t value);
#define EV_ROM_WRITE ((write_register *)(uintptr_t)0x4000195Cu)
#define EV_ROM_WRITE_BITS ((write_bits *)(uintptr_t)0x40001960u)

extern const uint32_t ev_direct_boot[2];
__attribute__((section(".boot.first"), used)) const uint32_t ev_direct_boot[2] = {
    0xAEDB041Du,
    0xAEDB041Du,
};

/* They run from reset on. */
static void stop_watchdogs(void)
{
    EV_REGISTER(RTC + 0xA8) = 0x50D83AA1u; /* RTC_CNTL_WDTWPROTECT */
    EV_REGISTER(RTC + 0x90) = 0;           /* RTC_CNTL_WDTCONFIG0 */
    EV_REGISTER(RTC + 0xB0) = 0x8F1D312Au; /* RTC_CNTL_SWD_WPROTECT */
    EV_REGISTER(RTC + 0xAC) |= 1u << 31;   /* RTC_CNTL_SWD_CONF: feeds itself */
    EV_REGISTER(TIMER_GROUP0 + 0x64) = 0x50D83AA1u; /* TIMG_WDTWPROTECT */
    EV_REGISTER(TIMER_GROUP0 + 0x48) = 0;           /* TIMG_WDTCONFIG0 */
    EV_REGISTER(TIMER_GROUP1 + 0x64) = 0x50D83AA1u;
    EV_REGISTER(TIMER_GROUP1 + 0x48) = 0;
}

/* 480 MHz of a crystal of 40, which every module has. */
static void pll_begin(void)
{
    EV_REGISTER(RTC) &= ~(1u << 6 | 1u << 8 | 1u << 10); /* OPTIONS0: no power-down of the PLL and its bus */
    EV_REGISTER(ANALOG + 0x44) &= ~(1u << 17);           /* ANA_CONFIG: its bus on */
    ev_set_bits(SYSTEM + 0x08, 1u << 2, 1u << 2);        /* CPU_PER_CONF: PLL_FREQ_SEL, 480 MHz */
    ev_set_bits(ANALOG + 0x40, 3u << 2, 1u << 3);        /* ANA_CONF0: calibrate */
    EV_ROM_WRITE(PLL, 0, 4, 0x6B);
    EV_ROM_WRITE(PLL, 0, 2, 5u << 4); /* OC_DCHGP; the crystal undivided */
    EV_ROM_WRITE(PLL, 0, 3, 8);       /* OC_DIV: times 12 */
    EV_ROM_WRITE_BITS(PLL, 0, 5, 2, 0, 0);
    EV_ROM_WRITE_BITS(PLL, 0, 5, 6, 4, 0);
    EV_ROM_WRITE(PLL, 0, 6, 2u << 6 | 1u << 4 | 3);
    EV_ROM_WRITE_BITS(PLL, 0, 9, 1, 0, 2);
    EV_ROM_WRITE_BITS(PLL, 0, 6, 5, 4, 2);
    EV_ROM_WRITE_BITS(PLL, 0, 6, 7, 6, 1);
}

static void clock_begin(void)
{
    if ((EV_REGISTER(SYSTEM + 0x58) >> 10 & 3) != 1) /* SYSCLK_CONF: SOC_CLK_SEL */
        pll_begin();
    ev_set_bits(SYSTEM + 0x08, 3, 1);                 /* CPU_PER_CONF: CPUPERIOD_SEL, 160 MHz */
    ev_set_bits(SYSTEM + 0x58, 3u << 10 | 0x3FF, 1u << 10); /* SYSCLK_CONF: the PLL, undivided */
}

void ev_port_init(void)
{
    stop_watchdogs();
    clock_begin();
}

uint64_t ev_port_ticks(void)
{
    EV_REGISTER(SYSTIMER + 0x04) = 1u << 30;              /* UNIT0_OP: take the count */
    while (!(EV_REGISTER(SYSTIMER + 0x04) & 1u << 29)) /* ... it is there */
        ;
    return ((uint64_t)EV_REGISTER(SYSTIMER + 0x40) << 32) + EV_REGISTER(SYSTIMER + 0x44);
}

uint32_t ev_port_hz(void)
{
    return 16000000u;
}

void ev_uart_put(char byte)
{
    while ((EV_REGISTER(UART0 + 0x1C) >> 16 & 0x3FF) > 100) /* STATUS: bytes waiting, of 128 */
        ;
    EV_REGISTER(UART0) = (uint8_t)byte;
}
