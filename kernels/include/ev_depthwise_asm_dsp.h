/* SPDX-License-Identifier: Apache-2.0 */
/* Assembly of ev_depthwise_dsp.h, for values of EV_BITS, 8 or 16. EV_DEPTHWISE(strip, y, count) makes a row of outputs of windows of
   3x3 without stride, channel by channel: six outputs, four words of a row of each window and four of its taps take all
   fourteen registers. EV_UNPACK(pairs, to, from) unpacks four channels of an image row, with its padding. */
    .syntax unified
    .thumb

/* the frame: rows of the window, the rest of the strip in its order, and what is passed */
#define ROWS 0
#define TAPS 12
#define CONSTANTS 16 /* bias, multiplier */
#define CHANNELS 24
#define CHANNEL_BYTES 28
#define PIXEL 32
#define Y 36
#define COUNT 40
#define CHANNEL_TAPS 44 /* of this channel, 12 words */
#define AT 92           /* rows of this channel, from the next outputs on */
#define NEXT 104        /* y of the next outputs, and how many are left */
#define BIAS 112        /* of this channel, and its multiplier */
#define MULTIPLIER 116
#define FRAME 120

#if EV_BITS == 8
#define STORE strb
#define BYTES 1
#else
#define STORE strh
#define BYTES 2
#endif

/* A tap row of the windows of six outputs, r0 to r5. */
    .macro six row
    ldr     r9, [sp, #AT + 4 * \row]
    ldm     r9, {r6, r7, r8, r9}
    ldrd    r10, r11, [sp, #CHANNEL_TAPS + 16 * \row]
    ldrd    r12, lr, [sp, #CHANNEL_TAPS + 16 * \row + 8]
    smlad   r0, r6, r10, r0
    smlad   r1, r6, r11, r1
    smlad   r2, r7, r10, r2
    smlad   r3, r7, r11, r3
    smlad   r4, r8, r10, r4
    smlad   r5, r8, r11, r5
    smlad   r0, r7, r12, r0
    smlad   r1, r7, lr, r1
    smlad   r2, r8, r12, r2
    smlad   r3, r8, lr, r3
    smlad   r4, r9, r12, r4
    smlad   r5, r9, lr, r5
    .endm

    .macro four row
    ldr     r9, [sp, #AT + 4 * \row]
    ldm     r9, {r6, r7, r8}
    ldrd    r10, r11, [sp, #CHANNEL_TAPS + 16 * \row]
    ldrd    r12, lr, [sp, #CHANNEL_TAPS + 16 * \row + 8]
    smlad   r0, r6, r10, r0
    smlad   r1, r6, r11, r1
    smlad   r2, r7, r10, r2
    smlad   r3, r7, r11, r3
    smlad   r0, r7, r12, r0
    smlad   r1, r7, lr, r1
    smlad   r2, r8, r12, r2
    smlad   r3, r8, lr, r3
    .endm

    .macro requantize acc
    smmulr  \acc, \acc, r6
    ssat    \acc, #EV_BITS, \acc
    .endm

    .section EV_SECTION, "ax"
    .balign 4
    .global EV_DEPTHWISE
    .type EV_DEPTHWISE, %function
    .thumb_func
EV_DEPTHWISE:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldm     r0, {r3-r9}
    ldm     r3, {r10, r11, r12}
    stm     sp, {r10, r11, r12}
    add     r3, sp, #TAPS
    stm     r3, {r4-r9}
    strd    r1, r2, [sp, #Y]

.Lchannel:
    ldr     r0, [sp, #TAPS]
    ldm     r0!, {r1-r12}
    str     r0, [sp, #TAPS]
    add     r0, sp, #CHANNEL_TAPS
    stm     r0, {r1-r12}
    ldrd    r0, r1, [sp, #CONSTANTS]
    ldr     r2, [r0], #4
    ldr     r3, [r1], #4
    strd    r0, r1, [sp, #CONSTANTS]
    strd    r2, r3, [sp, #BIAS]
    ldm     sp, {r0, r1, r2}
    strd    r0, r1, [sp, #AT]
    str     r2, [sp, #AT + 8]
    ldr     r3, [sp, #CHANNEL_BYTES]
    add     r0, r3
    add     r1, r3
    add     r2, r3
    stm     sp, {r0, r1, r2}
    ldr     r0, [sp, #Y]
    ldr     r1, [sp, #COUNT]
    strd    r0, r1, [sp, #NEXT]
    add     r0, #BYTES
    str     r0, [sp, #Y]
    cmp     r1, #4
    ble     .Lfour

.Lsix:
    ldr     r0, [sp, #BIAS]
    mov     r1, r0
    mov     r2, r0
    mov     r3, r0
    mov     r4, r0
    mov     r5, r0
    six     0
    six     1
    six     2
    ldr     r6, [sp, #MULTIPLIER]
    requantize r0
    requantize r1
    requantize r2
    requantize r3
    requantize r4
    requantize r5
    ldrd    r7, r10, [sp, #NEXT]
    ldr     r8, [sp, #PIXEL]
    add     r9, r7, r8, lsl #1
    add     r9, r8
    STORE   r0, [r7]
    STORE   r1, [r7, r8]
    STORE   r2, [r7, r8, lsl #1]
    STORE   r3, [r9]
    STORE   r4, [r9, r8]
    subs    r10, #6
    blt     .Lnext
    STORE   r5, [r9, r8, lsl #1]
    beq     .Lnext
    add     r7, r9, r8, lsl #1
    add     r7, r8
    strd    r7, r10, [sp, #NEXT]
    ldrd    r0, r1, [sp, #AT]
    ldr     r2, [sp, #AT + 8]
    add     r0, #12
    add     r1, #12
    add     r2, #12
    strd    r0, r1, [sp, #AT]
    str     r2, [sp, #AT + 8]
    cmp     r10, #4
    bgt     .Lsix

.Lfour:
    ldr     r0, [sp, #BIAS]
    mov     r1, r0
    mov     r2, r0
    mov     r3, r0
    four    0
    four    1
    four    2
    ldr     r6, [sp, #MULTIPLIER]
    requantize r0
    requantize r1
    requantize r2
    requantize r3
    ldrd    r7, r10, [sp, #NEXT]
    ldr     r8, [sp, #PIXEL]
    add     r9, r7, r8, lsl #1
    STORE   r0, [r7]
    cmp     r10, #2
    blt     .Lnext
    STORE   r1, [r7, r8]
    beq     .Lnext
    STORE   r2, [r9]
    cmp     r10, #4
    blt     .Lnext
    STORE   r3, [r9, r8]

.Lnext:
    ldr     r0, [sp, #CHANNELS]
    subs    r0, #1
    str     r0, [sp, #CHANNELS]
    bne     .Lchannel

    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size EV_DEPTHWISE, . - EV_DEPTHWISE

/* r1: the word of the first channel; r3: bytes to the next, and r0 to the one after the next two; r2: the pixel; r4: bytes
   to the next; r5: padding. */
    .macro store a, b, c, d
    str     \a, [r1]
    str     \b, [r1, r3]
    str     \c, [r1, r3, lsl #1]
    str     \d, [r1, r0]
    add     r1, #4
    .endm

    .macro pads count
    cbz     \count, 2f
1:
    store   r5, r5, r5, r5
    subs    \count, #1
    bne     1b
2:
    .endm

/* Each of four channels of a pixel with padding before it, and with padding after it. */
#if EV_BITS == 8
    .macro pad_before
    ldr     r11, [r2]
    add     r2, r4
    sxtb16  r12, r11
    sxtb16  r11, r11, ror #8
    pkhbt   r7, r5, r12, lsl #16
    pkhbt   lr, r5, r11, lsl #16
    pkhtb   r12, r12, r5
    pkhtb   r11, r11, r5
    store   r7, lr, r12, r11
    .endm

    .macro pad_after
    ldr     r11, [r2]
    sxtb16  r12, r11
    sxtb16  r11, r11, ror #8
    pkhbt   r7, r12, r5
    pkhbt   lr, r11, r5
    pkhtb   r12, r5, r12, asr #16
    pkhtb   r11, r5, r11, asr #16
    store   r7, lr, r12, r11
    .endm

    .macro two_pixels
    ldr     r11, [r2]
    ldr     r12, [r2, r4]
    add     r2, r2, r4, lsl #1
    pkhbt   lr, r11, r12, lsl #16
    pkhtb   r12, r12, r11, asr #16
    sxtb16  r7, lr
    sxtb16  lr, lr, ror #8
    sxtb16  r11, r12
    sxtb16  r12, r12, ror #8
    store   r7, lr, r11, r12
    .endm
#else
    .macro pad_before
    ldr     r11, [r2, #4]
    ldr     r12, [r2]
    add     r2, r4
    pkhbt   r7, r5, r12, lsl #16
    pkhtb   r12, r12, r5
    pkhbt   lr, r5, r11, lsl #16
    pkhtb   r11, r11, r5
    store   r7, r12, lr, r11
    .endm

    .macro pad_after
    ldr     r11, [r2, #4]
    ldr     r12, [r2]
    pkhbt   r7, r12, r5
    pkhtb   r12, r5, r12, asr #16
    pkhbt   lr, r11, r5
    pkhtb   r11, r5, r11, asr #16
    store   r7, r12, lr, r11
    .endm

    .macro two_pixels
    ldr     r7, [r2]
    ldr     r11, [r2, #4]
    add     r2, r4
    ldr     r12, [r2]
    ldr     lr, [r2, #4]
    add     r2, r4
    pkhbt   r6, r7, r12, lsl #16
    pkhtb   r12, r12, r7, asr #16
    pkhbt   r7, r11, lr, lsl #16
    pkhtb   lr, lr, r11, asr #16
    store   r6, r12, r7, lr
    .endm
#endif

    .balign 4
    .global EV_UNPACK
    .type EV_UNPACK, %function
    .thumb_func
EV_UNPACK:
    push    {r4-r11, lr}
    ldm     r0, {r3-r10}
    add     r0, r3, r3, lsl #1
    pads    r6
    cbz     r7, 1f
    pad_before
1:
    cmp     r8, #0
    beq     2f
1:
    two_pixels
    subs    r8, #1
    bne     1b
2:
    cmp     r9, #0
    beq     1f
    pad_after
1:
    cmp     r10, #0
    beq     2f
1:
    store   r5, r5, r5, r5
    subs    r10, #1
    bne     1b
2:
    pop     {r4-r11, pc}
    .size EV_UNPACK, . - EV_UNPACK
