/* SPDX-License-Identifier: Apache-2.0 */
/* Assembly of EV_SPARSE(p, tile, y, y_stride) and of EV_SPARSE_ROW(p, row, y), which store EV_BITS, 8 or 16: see
   ev_sparse_products_dsp.h. In assembly because the inner loop needs all fourteen registers, and the carry flag, which
   says that a block is the last. */
    .syntax unified
    .thumb

/* struct ev_sparse_products */
    .equ WEIGHT, 0
    .equ CONSTANTS, 4
    .equ COLUMNS, 8

/* the frame */
    .equ TILE, 0
    .equ NEXT, 4        /* constants */
    .equ Y, 8
    .equ Y_LAST, 12     /* of the last group */
    .equ Y_END, 16
    .equ Y_STRIDE, 20
    .equ FRAME, 24

    .equ GROUP, 4 * EV_BITS / 8

/* r0-r3: B of two rows by the first column of a pair, for both pairs; r4-r7: A. r8 goes along the tile, r9 along the
   weights. A word of each pair, of each row: 16 products. */
    .macro word
    ldrd    r10, r11, [r9], #8
    ldrd    r12, lr, [r8], #8
    smlad   r4, r12, r10, r4
    smlad   r5, lr, r10, r5
    smlad   r6, r12, r11, r6
    smlad   r7, lr, r11, r7
    sxtb16  r10, r10
    sxtb16  r11, r11
    smlad   r0, r12, r10, r0
    smlad   r1, lr, r10, r1
    smlad   r2, r12, r11, r2
    smlad   r3, lr, r11, r3
    .endm

/* A block, its half of the header in r10. Leaves the carry set if it was the last: no instruction of `word` changes it. */
    .macro block
    lsrs    r10, r10, #1
    add     r8, r8, r10, lsl #4
    word
    word
    .endm

/* The same of one row: r0, r1 are B of both pairs, r2, r3 A. */
    .macro word_of_row x, one, two
    smlad   r2, \x, \one, r2
    smlad   r3, \x, \two, r3
    sxtb16  \one, \one
    sxtb16  \two, \two
    smlad   r0, \x, \one, r0
    smlad   r1, \x, \two, r1
    .endm

    .macro block_of_row
    lsrs    r10, r10, #1
    add     r8, r8, r10, lsl #3
    ldm     r9!, {r4, r5, r6, r7}
    ldrd    r11, r12, [r8], #8
    word_of_row r11, r4, r5
    word_of_row r12, r6, r7
    .endm

/* Two columns of a row, into the low half of the first; r10-lr are the pair's constants. */
    .macro finish first, second
    sub     \second, \second, \first
    add     \first, \first, r10
    add     \second, r11, \second, asr #8
    smmulr  \first, \first, r12
    smmulr  \second, \second, lr
    ssat    \first, #EV_BITS, \first
    ssat    \second, #EV_BITS, \second
    bfi     \first, \second, #EV_BITS, #EV_BITS
    .endm

/* Both rows: y in r8, the bytes to the second row in r4. y need not be aligned to words. */
    .macro store
#if EV_BITS == 8
    pkhbt   r0, r0, r2, lsl #16
    pkhbt   r1, r1, r3, lsl #16
    str     r1, [r8, r4]
    str     r0, [r8], #4
#else
    add     r4, r8
    str     r1, [r4]
    str     r3, [r4, #4]
    str     r2, [r8, #4]
    str     r0, [r8], #8
#endif
    .endm

    .section EV_SECTION, "ax"
    .balign 4
    .global EV_SPARSE
    .type EV_SPARSE, %function
    .thumb_func
EV_SPARSE:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldr     r4, [r0, #COLUMNS]
#if EV_BITS == 16
    lsl     r3, r3, #1
    lsl     r4, r4, #1
#endif
    add     r5, r2, r4
    sub     r4, r5, #GROUP
    ldrd    r9, r0, [r0, #WEIGHT]
    strd    r1, r0, [sp, #TILE]
    strd    r2, r4, [sp, #Y]
    strd    r5, r3, [sp, #Y_END]

.Lgroup:
    ldr     r8, [sp, #TILE]
    ldm     r8!, {r0-r7}
.Lpair:
    ldrh    r10, [r9], #4
    block
    bcs     .Lfinish
    ldrh    r10, [r9, #-18]     /* the high half of the header, before the block that was just done */
    block
    bcc     .Lpair

.Lfinish:
    ldr     r8, [sp, #NEXT]
    ldm     r8!, {r10, r11, r12, lr}
    finish  r0, r4
    finish  r1, r5
    ldm     r8!, {r10, r11, r12, lr}
    finish  r2, r6
    finish  r3, r7
    str     r8, [sp, #NEXT]
    ldr     r8, [sp, #Y]
    ldr     r4, [sp, #Y_STRIDE]
    store
    ldrd    r2, r3, [sp, #Y_LAST]
    cmp     r8, r3
    beq     .Ldone
    cmp     r8, r2
    it      hi
    movhi   r8, r2
    str     r8, [sp, #Y]
    b       .Lgroup

.Ldone:
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size EV_SPARSE, . - EV_SPARSE

    .section EV_ROW_SECTION, "ax"
    .balign 4
    .global EV_SPARSE_ROW
    .type EV_SPARSE_ROW, %function
    .thumb_func
EV_SPARSE_ROW:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldr     r4, [r0, #COLUMNS]
#if EV_BITS == 16
    lsl     r4, r4, #1
#endif
    add     r5, r2, r4
    sub     r4, r5, #GROUP
    ldrd    r9, r0, [r0, #WEIGHT]
    strd    r1, r0, [sp, #TILE]
    strd    r2, r4, [sp, #Y]
    str     r5, [sp, #Y_END]

.Lrow_group:
    ldr     r8, [sp, #TILE]
    mov     r0, #0
    mov     r1, #0
    mov     r2, #0
    mov     r3, #0
.Lrow_pair:
    ldrh    r10, [r9], #4
    block_of_row
    bcs     .Lrow_finish
    ldrh    r10, [r9, #-18]
    block_of_row
    bcc     .Lrow_pair

.Lrow_finish:
    ldr     r8, [sp, #NEXT]
    ldm     r8!, {r10, r11, r12, lr}
    finish  r0, r2
    ldm     r8!, {r10, r11, r12, lr}
    finish  r1, r3
    str     r8, [sp, #NEXT]
    ldr     r8, [sp, #Y]
#if EV_BITS == 8
    pkhbt   r0, r0, r1, lsl #16
#else
    str     r1, [r8, #4]
#endif
    str     r0, [r8], #GROUP
    ldrd    r2, r3, [sp, #Y_LAST]
    cmp     r8, r3
    beq     .Lrow_done
    cmp     r8, r2
    it      hi
    movhi   r8, r2
    str     r8, [sp, #Y]
    b       .Lrow_group

.Lrow_done:
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size EV_SPARSE_ROW, . - EV_SPARSE_ROW
