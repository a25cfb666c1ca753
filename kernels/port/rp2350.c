/* SPDX-License-Identifier: Apache-2.0 */
/* Raspberry Pi Pico 2, its Arm cores: UART0 on GPIO0, 150 MHz by the PLL on the crystal. The block tells the boot
   ROM that this is a secure Arm program (RP2350 datasheet, 5.9.5, "Minimum viable image metadata"). The
   boot ROM sets the flash up. `make uf2` writes the file to copy onto the drive that the board is while BOOTSEL is held. */
#define EV_RP2_DIVIDE 5
#define EV_RESETS 0x40020000u
#define EV_CLOCKS 0x40010000u
#define EV_XOSC 0x40048000u
#define EV_PLL_SYS 0x40050000u
#define EV_IO_BANK0 0x40028000u
#define EV_PADS_BANK0 0x40038000u
#define EV_UART0 0x40070000u

#include "ev_dwt.h"
#include "ev_rp2.h"

extern const uint32_t ev_image_block[5];
__attribute__((section(".boot.last"), used)) const uint32_t ev_image_block[5] = {
    0xFFFFDED3u, 0x10210142u, 0x000001FFu, 0, 0xAB123579u,
};

void ev_port_init(void)
{
    ev_rp2_begin(1u << 6 | 1u << 9 | 1u << 14 | 1u << 26); /* IO_BANK0, PADS_BANK0, PLL_SYS, UART0 */
    EV_REGISTER(EV_PADS_BANK0 + 0x04 + EV_RP2_CLEAR) = 1u << 8 | 1u << 7; /* GPIO0: joined, driven */
    ev_ticks_begin();
}
