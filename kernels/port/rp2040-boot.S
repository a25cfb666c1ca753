/* SPDX-License-Identifier: Apache-2.0 */
/* Second stage of RP2040's boot, 252 bytes and their CRC: the boot ROM copies it to RAM and calls it there. It has the
   flash read in place by the command 0x3B, data by two lines, which every flash of this kind knows and which needs no
   bit set in it, at half the system's clock; then it starts what the vectors behind it say. rp2040.c has it as numbers,
   which a test compares with this. RP2040 datasheet, 2.8.1.3 (Boot Sequence) and 4.10 (SSI). */
    .syntax unified
    .cpu cortex-m0plus
    .thumb
    .text
    ldr r0, =0x18000000 /* XIP_SSI */
    movs r1, #0
    str r1, [r0, #0x08] /* SSIENR: off while it is set up */
    movs r1, #2
    str r1, [r0, #0x14] /* BAUDR: clk_sys / 2 */
    movs r1, #1
    movs r2, #0xF0
    str r1, [r0, r2]     /* RX_SAMPLE_DLY */
    ldr r1, =0x003F0300 /* CTRLR0: SPI_FRF dual, DFS_32 31, TMOD "EEPROM read" */
    str r1, [r0, #0x00]
    movs r1, #0
    str r1, [r0, #0x04] /* CTRLR1: NDF */
    ldr r1, =0x3B004218 /* SPI_CTRLR0: XIP_CMD 0x3B, WAIT_CYCLES 8, INST_L 8 bits, ADDR_L 24 bits, TRANS_TYPE 0 */
    movs r2, #0xF4
    str r1, [r0, r2]
    movs r1, #1
    str r1, [r0, #0x08] /* SSIENR: on */
    ldr r0, =0x10000100 /* the vectors */
    ldr r1, =0xE000ED08 /* VTOR */
    str r0, [r1]
    ldmia r0, {r0, r1}
    msr msp, r0
    bx r1
    .ltorg
