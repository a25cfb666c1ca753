/* SPDX-License-Identifier: Apache-2.0 */
/* Raspberry Pi Pico: UART0 on GPIO0, 125 MHz by the PLL on the crystal, ticks by SysTick (a Cortex-M0+ has no cycle
   counter). The image begins with a second stage of its own for the boot ROM (rp2040-boot.S), which has the flash read
   in place by two lines at half the clock: 15.6 MB/s, through its 16 KiB cache. `make uf2` writes the file to copy onto
   the drive that the board is while BOOTSEL is held at power-up. RP2040 datasheet. */
#define EV_RP2_DIVIDE 6
#define EV_RESETS 0x4000C000u
#define EV_CLOCKS 0x40008000u
#define EV_XOSC 0x40024000u
#define EV_PLL_SYS 0x40028000u
#define EV_IO_BANK0 0x40014000u
#define EV_UART0 0x40034000u

#include "ev_rp2.h"
#include "ev_systick.h"

/* rp2040-boot.S, and the CRC that the boot ROM compares. */
extern const uint32_t ev_boot_stage[64];
__attribute__((section(".boot.first"), used)) const uint32_t ev_boot_stage[64] = {
    0x2100480Bu, 0x21026081u, 0x21016141u, 0x508122F0u, 0x60014908u, 0x60412100u, 0x22F44907u, 0x21015081u,
    0x48066081u, 0x60084906u, 0xF380C803u, 0x47088808u, 0x18000000u, 0x003F0300u, 0x3B004218u, 0x10000100u,
    0xE000ED08u, [63] = 0xDEC296F2u,
};

void ev_port_init(void)
{
    ev_rp2_begin(1u << 5 | 1u << 8 | 1u << 12 | 1u << 22); /* IO_BANK0, PADS_BANK0, PLL_SYS, UART0 */
    ev_ticks_begin();
}
