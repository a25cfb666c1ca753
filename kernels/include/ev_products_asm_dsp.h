/* SPDX-License-Identifier: Apache-2.0 */
/* Assembly of EV_PRODUCTS(p, tile, y, y_stride, columns), which stores EV_BITS, 8 or 16: see ev_products_dsp.h. With
   EV_DEEP, sums of second columns are taken out after every run of EV_RUN_WORDS words: any weights then. In assembly
   because the inner loop needs all fourteen registers: eight sums, two pointers, and four for what is loaded. */
    .syntax unified
    .thumb

/* struct ev_products */
    .equ WEIGHT, 0
    .equ CONSTANTS, 4
    .equ STEP, 8
    .equ WORDS, 12

/* the frame */
    .equ TILE, 0
    .equ WHOLE, 4       /* where the tile's last whole eight words of a row are over */
    .equ END, 8
    .equ Y, 12
    .equ Y_END, 16
    .equ Y_STRIDE, 20
    .equ NEXT, 24       /* constants */
    .equ NEXT_STEP, 28
#if EV_DEEP
    .equ STOP, 32       /* where the run is over */
    .equ SECONDS, 36    /* sums of second columns, of the runs before: as A in r4-r7 */
    .equ FRAME, 52
#else
    .equ FRAME, 32
#endif
    .equ PUSHED, 36

/* r0-r3: B of two rows by the first column of a pair, for both pairs; r4-r7: A. r8 goes along the tile, r9 along the
   weights. A word of each pair, of each row: 16 products. */
    .macro word
    ldrd    r10, r11, [r9], #8
    ldrd    r12, lr, [r8], #8
    smlad   r4, r12, r10, r4
    smlad   r5, lr, r10, r5
    smlad   r6, r12, r11, r6
    smlad   r7, lr, r11, r7
    uxtb16  r10, r10
    uxtb16  r11, r11
    smlad   r0, r12, r10, r0
    smlad   r1, lr, r10, r1
    smlad   r2, r12, r11, r2
    smlad   r3, lr, r11, r3
    .endm

#if EV_DEEP
/* Adds what a second column of a row has in A to `sum`. */
    .macro take_out sum, first, second
    sub     \second, \second, \first
    add     \sum, \sum, \second, asr #8
    .endm

/* The sums of both pairs and rows so far, into r10-lr. */
    .macro take_out_all
    ldrd    r10, r11, [sp, #SECONDS]
    ldrd    r12, lr, [sp, #SECONDS + 8]
    take_out r10, r0, r4
    take_out r11, r1, r5
    take_out r12, r2, r6
    take_out lr, r3, r7
    .endm
#endif

/* Two columns of a row, into the low half of the first; r10-lr are the pair's constants. With EV_DEEP the second is the
   whole sum. */
    .macro finish first, second
#if EV_DEEP
    add     \first, \first, r10
    add     \second, \second, r11
#else
    sub     \second, \second, \first
    add     \first, \first, r10
    add     \second, r11, \second, asr #8
#endif
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
    .global EV_PRODUCTS
    .type EV_PRODUCTS, %function
    .thumb_func
EV_PRODUCTS:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    str     r1, [sp, #TILE]
    ldr     r4, [r0, #WORDS]
    add     r1, r1, #32
    add     r5, r1, r4, lsl #3
    bic     r4, r4, #7
    add     r4, r1, r4, lsl #3
    strd    r4, r5, [sp, #WHOLE]
    ldr     r4, [sp, #FRAME + PUSHED]
#if EV_BITS == 16
    lsl     r3, r3, #1
    lsl     r4, r4, #1
#endif
    add     r4, r4, r2
    strd    r2, r4, [sp, #Y]
    str     r3, [sp, #Y_STRIDE]
    ldrd    r9, r1, [r0, #WEIGHT]
    ldr     r2, [r0, #STEP]
    strd    r1, r2, [sp, #NEXT]

.Lblock:
    ldr     r8, [sp, #TILE]
    ldm     r8!, {r0-r7}
#if EV_DEEP
    mov     r10, #0
    mov     r11, #0
    strd    r10, r11, [sp, #SECONDS]
    strd    r10, r11, [sp, #SECONDS + 8]
.Lrun:
    ldr     r12, [sp, #WHOLE]
    add     r10, r8, #EV_RUN_WORDS * 8
    cmp     r10, r12
    it      hi
    movhi   r10, r12
    str     r10, [sp, #STOP]
    cmp     r8, r12
    beq     .Lrest
.Leight:
    .rept 8
    word
    .endr
    ldr     r12, [sp, #STOP]
    cmp     r8, r12
    bne     .Leight
    take_out_all
    strd    r10, r11, [sp, #SECONDS]
    strd    r12, lr, [sp, #SECONDS + 8]
    mov     r4, r0
    mov     r5, r1
    mov     r6, r2
    mov     r7, r3
    b       .Lrun
#else
    ldr     r12, [sp, #WHOLE]
    cmp     r8, r12
    beq     .Lrest
.Leight:
    .rept 8
    word
    .endr
    ldr     r12, [sp, #WHOLE]
    cmp     r8, r12
    bne     .Leight
#endif

.Lrest:
    ldr     r12, [sp, #END]
    cmp     r8, r12
    beq     .Lfinish
.Ltwo:
    word
    word
    ldr     r12, [sp, #END]
    cmp     r8, r12
    bne     .Ltwo

.Lfinish:
#if EV_DEEP
    take_out_all
    mov     r4, r10
    mov     r5, r11
    mov     r6, r12
    mov     r7, lr
#endif
    ldrd    r8, r10, [sp, #NEXT]
    add     r10, r10, r8
    str     r10, [sp, #NEXT]
    ldm     r8!, {r10, r11, r12, lr}
    finish  r0, r4
    finish  r1, r5
    ldm     r8!, {r10, r11, r12, lr}
    finish  r2, r6
    finish  r3, r7
    ldr     r8, [sp, #Y]
    ldr     r4, [sp, #Y_STRIDE]
    store
    str     r8, [sp, #Y]
    ldr     r2, [sp, #Y_END]
    cmp     r8, r2
    bne     .Lblock

    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size EV_PRODUCTS, . - EV_PRODUCTS
