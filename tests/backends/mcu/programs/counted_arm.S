    .syntax unified
    .thumb
    .text

    .macro function name
    .thumb_func
    .global \name
    .type \name, %function
\name:
    .endm

    function loop
    movs r1, #0
1:  subs r0, #1
    bne 1b
    bx lr

    function into_next
    movs r0, #1
    movs r1, #2
    function next
    adds r0, r1
    nop
    bx lr

    function dig
    sub sp, #200
    str r0, [sp]
    add sp, #200
    bx lr

    function choose
    cmp r0, #0
#if __ARM_ARCH >= 7
    ite eq                      /* what is skipped counts */
    moveq r0, #5
    movne r0, #6
#else
    movs r1, #5
    adds r0, r0, r1
    nop
#endif
    bx lr
