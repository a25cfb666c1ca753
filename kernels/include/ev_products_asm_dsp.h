/* SPDX-License-Identifier: Apache-2.0 */
/* Assembly of EV_PRODUCTS(p, tile, y, y_stride, columns) for a tile of EV_ROWS rows, 1 to 3, which stores EV_BITS, 8 or
   16: see ev_products_dsp.h. A file includes this once for each number of rows. With EV_OFFSET the first column of a
   pair has 128 added, and all pairs share the constants. With EV_DEEP sums of second columns are taken out after every
   run of EV_RUN_WORDS words: any weights then. In assembly because the inner loop needs all fourteen registers: sums of
   three rows take six, the words of two to four loads the rest. LDM loads what fits there in one instruction. */
    .syntax unified
    .thumb

/* struct ev_products */
#define WEIGHT 0
#define CONSTANTS 4
#define WORDS 8

/* the frame */
#define TILE 0     /* the head */
#define ENTRY 4    /* where the words of a pair begin: at the loop, or at the rest */
#define REST 8     /* into the words that do not fill the loop */
#define WHOLE 12   /* the tile's words that fill it end here */
#define Y 16
#define Y_STRIDE 20
#define Y_END 24
#define NEXT 28    /* constants */
#define STOP 32    /* where the run is over */
#define FIRST 36   /* where the first one is */
#define SECONDS 40 /* sums of second columns, of the runs before */
#define FRAME 56
#define PUSHED 36

#define HEAD_WORDS 6

#if EV_OFFSET
#define LOW uxtb16
#else
#define LOW sxtb16
#endif

/* lr goes along the weights, r12 along the tile; r0.. are B of each row, then A. */
#if EV_ROWS == 3
#define LOOP_WORDS 24
#define PAIR_BYTES 68
#define C0 r7
#define C1 r8
#define C2 r9
#define C3 r10
#define CONSTANTS_AT r6
#define FREE r6
    .macro word3 w
    ldm     r12!, {r6, r7, r8}
    smlad   r3, r6, \w, r3
    smlad   r4, r7, \w, r4
    smlad   r5, r8, \w, r5
    LOW     \w, \w
    smlad   r0, r6, \w, r0
    smlad   r1, r7, \w, r1
    smlad   r2, r8, \w, r2
    .endm

    .macro loop_words
    .rept 8
    ldm     lr!, {r9, r10, r11}
    word3   r9
    word3   r10
    word3   r11
    .endr
    .endm

    .macro two_words
    ldm     lr!, {r9, r10}
    word3   r9
    word3   r10
    .endm
#elif EV_ROWS == 2
#define LOOP_WORDS 16
#define PAIR_BYTES 48
#define C0 r5
#define C1 r6
#define C2 r7
#define C3 r8
#define CONSTANTS_AT r4
#define FREE r4
    .macro word2 x0, x1, w
    smlad   r2, \x0, \w, r2
    smlad   r3, \x1, \w, r3
    LOW     \w, \w
    smlad   r0, \x0, \w, r0
    smlad   r1, \x1, \w, r1
    .endm

    .macro loop_words
    .rept 4
    ldm     lr!, {r8, r9, r10, r11}
    ldm     r12!, {r4, r5, r6, r7}
    word2   r4, r5, r8
    word2   r6, r7, r9
    ldm     r12!, {r4, r5, r6, r7}
    word2   r4, r5, r10
    word2   r6, r7, r11
    .endr
    .endm

    .macro two_words
    ldm     lr!, {r8, r9}
    ldm     r12!, {r4, r5, r6, r7}
    word2   r4, r5, r8
    word2   r6, r7, r9
    .endm
#else
#define LOOP_WORDS 16
#define PAIR_BYTES 32
#define C0 r3
#define C1 r4
#define C2 r5
#define C3 r6
#define CONSTANTS_AT r2
#define FREE r2
    .macro word1 x, w
    smlad   r1, \x, \w, r1
    LOW     \w, \w
    smlad   r0, \x, \w, r0
    .endm

    .macro loop_words
    .rept 4
    ldm     lr!, {r6, r7, r8, r9}
    ldm     r12!, {r2, r3, r4, r5}
    word1   r2, r6
    word1   r3, r7
    word1   r4, r8
    word1   r5, r9
    .endr
    .endm

    .macro two_words
    ldm     lr!, {r6, r7}
    ldm     r12!, {r2, r3}
    word1   r2, r6
    word1   r3, r7
    .endm
#endif

#if EV_DEEP
/* Adds what a row has in A to the sum of its second column, and begins A again. */
    .macro take_out row, low, all
    sub     \all, \all, \low
    ldr     C0, [sp, #SECONDS + 4 * \row]
    add     C0, C0, \all, asr #8
    str     C0, [sp, #SECONDS + 4 * \row]
    mov     \all, \low
    .endm

    .macro take_out_all
#if EV_ROWS == 3
    take_out 0, r0, r3
    take_out 1, r1, r4
    take_out 2, r2, r5
#elif EV_ROWS == 2
    take_out 0, r0, r2
    take_out 1, r1, r3
#else
    take_out 0, r0, r1
#endif
    .endm
#endif

/* Two columns of a row, into the low bytes of the first. C0 to C3 are the pair's constants. */
    .macro finish row, first, second
    sub     \second, \second, \first
    add     \first, \first, C0
    add     \second, C1, \second, asr #8
#if EV_DEEP
    ldr     FREE, [sp, #SECONDS + 4 * \row]
    add     \second, FREE
#endif
    smmulr  \first, \first, C2
    smmulr  \second, \second, C3
    ssat    \first, #EV_BITS, \first
    ssat    \second, #EV_BITS, \second
    bfi     \first, \second, #EV_BITS, #EV_BITS
    .endm

/* y need not be aligned to what is stored at once. */
#if EV_BITS == 8
#define STORE strh
#define STORED 2
#else
#define STORE str
#define STORED 4
#endif

    .section EV_SECTION, "ax"
    .balign 4
    .global EV_PRODUCTS
    .type EV_PRODUCTS, %function
    .thumb_func
EV_PRODUCTS:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldr     r4, [r0, #WORDS]
    add     r5, r1, #(HEAD_WORDS - 2 * EV_ROWS) * 4
    str     r5, [sp, #TILE]
    mov     r5, #LOOP_WORDS
    udiv    r6, r4, r5
    mul     r6, r6, r5
    sub     r7, r4, r6
    add     r8, r1, #HEAD_WORDS * 4
#if EV_DEEP
    add     r10, r8, #EV_RUN_WORDS * EV_ROWS * 4
#endif
    mov     r5, #EV_ROWS * 4
    mla     r8, r6, r5, r8
    str     r8, [sp, #WHOLE]
#if EV_DEEP
    cmp     r10, r8
    it      hi
    movhi   r10, r8
    str     r10, [sp, #FIRST]
#endif
    mov     r9, #PAIR_BYTES / 2
    mul     r9, r7, r9
    adr.w   r10, 4f
    sub     r9, r10, r9
    orr     r9, r9, #1
    adr.w   r10, 2f
    orr     r10, r10, #1
    cmp     r6, #0
    it      eq
    moveq   r10, r9
    strd    r10, r9, [sp, #ENTRY]
    ldr     r7, [sp, #FRAME + PUSHED]
#if EV_BITS == 16
    lsl     r3, r3, #1
    lsl     r7, r7, #1
#endif
    add     r7, r7, r2
    strd    r2, r3, [sp, #Y]
    str     r7, [sp, #Y_END]
    ldrd    lr, r8, [r0, #WEIGHT]
    str     r8, [sp, #NEXT]

1:
    ldr     r12, [sp, #TILE]
#if EV_ROWS == 3
    ldm     r12!, {r0-r5}
#elif EV_ROWS == 2
    ldm     r12!, {r0-r3}
#else
    ldm     r12!, {r0, r1}
#endif
#if EV_DEEP
    ldr     FREE, [sp, #FIRST]
    str     FREE, [sp, #STOP]
    mov     FREE, #0
    strd    FREE, FREE, [sp, #SECONDS]
    str     FREE, [sp, #SECONDS + 8]
#endif
    ldr     pc, [sp, #ENTRY]
2:
    loop_words
#if EV_DEEP
    ldr     FREE, [sp, #STOP]
    cmp     r12, FREE
    bne     2b
    take_out_all
    ldr     FREE, [sp, #WHOLE]
    add     C0, r12, #EV_RUN_WORDS * EV_ROWS * 4
    cmp     C0, FREE
    it      hi
    movhi   C0, FREE
    str     C0, [sp, #STOP]
    cmp     r12, FREE
    bne     2b
#else
    ldr     FREE, [sp, #WHOLE]
    cmp     r12, FREE
    bne     2b
#endif
    ldr     pc, [sp, #REST]
3:
    .rept LOOP_WORDS / 2 - 1
    two_words
    .endr
4:
    ldr     CONSTANTS_AT, [sp, #NEXT]
#if EV_OFFSET
    ldm     CONSTANTS_AT, {C0, C1, C2, C3}
#else
    ldm     CONSTANTS_AT!, {C0, C1, C2, C3}
    str     CONSTANTS_AT, [sp, #NEXT]
#endif
#if EV_ROWS == 3
    finish  0, r0, r3
    finish  1, r1, r4
    finish  2, r2, r5
#elif EV_ROWS == 2
    finish  0, r0, r2
    finish  1, r1, r3
#else
    finish  0, r0, r1
#endif
    ldrd    FREE, C0, [sp, #Y]
#if EV_ROWS > 1
    STORE   r1, [FREE, C0]
#endif
#if EV_ROWS == 3
    STORE   r2, [FREE, C0, lsl #1]
#endif
    STORE   r0, [FREE], #STORED
    str     FREE, [sp, #Y]
    ldr     C0, [sp, #Y_END]
    cmp     FREE, C0
    bne     1b

    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size EV_PRODUCTS, . - EV_PRODUCTS

#if EV_DEEP
    .purgem take_out
    .purgem take_out_all
#endif
    .purgem finish
    .purgem loop_words
    .purgem two_words
#undef LOOP_WORDS
#undef PAIR_BYTES
#undef C0
#undef C1
#undef C2
#undef C3
#undef CONSTANTS_AT
#undef FREE
#undef EV_ROWS
#undef EV_PRODUCTS
#undef EV_SECTION
