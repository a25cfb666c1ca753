/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of rows to a tile, in fours: see ev_products_dsp.h. One STM stores both words of all rows. */
    .syntax unified
    .thumb
    .section .text.ev_tile_dsp, "ax"

/* r0: the tile; r1 to r3: the rows; lr: the offset. */
    .macro four3
    ldr     r7, [r1], #4
    ldr     r8, [r2], #4
    ldr     r9, [r3], #4
    sxtab16 r4, lr, r7
    sxtab16 r5, lr, r8
    sxtab16 r6, lr, r9
    sxtab16 r7, lr, r7, ror #8
    sxtab16 r8, lr, r8, ror #8
    sxtab16 r9, lr, r9, ror #8
    stm     r0!, {r4-r9}
    .endm

    .macro four2
    ldr     r5, [r1], #4
    ldr     r6, [r2], #4
    sxtab16 r3, lr, r5
    sxtab16 r4, lr, r6
    sxtab16 r5, lr, r5, ror #8
    sxtab16 r6, lr, r6, ror #8
    stm     r0!, {r3-r6}
    .endm

    .balign 4
    .global ev_tile_3_dsp
    .type ev_tile_3_dsp, %function
    .thumb_func
ev_tile_3_dsp:
    push    {r4-r9, lr}
    ldr     lr, [sp, #28]
    mov     r12, r3
    add     r3, r1, r2, lsl #1
    add     r2, r1, r2
    lsrs    r12, r12, #1
    bcc     1f
    four3
1:
    cmp     r12, #0
    beq     3f
2:
    four3
    four3
    subs    r12, r12, #1
    bne     2b
3:
    pop     {r4-r9, pc}
    .size ev_tile_3_dsp, . - ev_tile_3_dsp

    .balign 4
    .global ev_tile_2_dsp
    .type ev_tile_2_dsp, %function
    .thumb_func
ev_tile_2_dsp:
    push    {r4-r6, lr}
    ldr     lr, [sp, #16]
    mov     r12, r3
    add     r2, r1, r2
    lsrs    r12, r12, #1
    bcc     1f
    four2
1:
    cmp     r12, #0
    beq     3f
2:
    four2
    four2
    subs    r12, r12, #1
    bne     2b
3:
    pop     {r4-r6, pc}
    .size ev_tile_2_dsp, . - ev_tile_2_dsp
