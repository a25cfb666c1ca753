/* SPDX-License-Identifier: Apache-2.0 */
/* Raspberry Pi Pico: UART0 on GPIO0, 12 MHz from the crystal, ticks by SysTick (a Cortex-M0+ has no cycle
   counter). The first 256 bytes of the flash are left to the second stage of the boot ROM: write
   pico-sdk's `bs2_default_padded_checksummed` there. */
#define EV_RESETS 0x4000C000u
#define EV_CLOCKS 0x40008000u
#define EV_XOSC 0x40024000u
#define EV_IO_BANK0 0x40014000u
#define EV_UART0 0x40034000u

#include "ev_rp2.h"
#include "ev_systick.h"

extern const uint32_t ev_boot_stage[64];
__attribute__((section(".boot.first"), used)) const uint32_t ev_boot_stage[64] = {0xFFFFFFFFu};

void ev_port_init(void)
{
    ev_rp2_begin(1u << 5 | 1u << 8 | 1u << 22); /* IO_BANK0, PADS_BANK0, UART0 */
    ev_ticks_begin();
}
