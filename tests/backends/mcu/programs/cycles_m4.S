/* Instructions whose cycles on a Cortex-M4 are known; cycles_m4.c calls them. */
    .syntax unified
    .thumb
    .text

    .macro function name
    .thumb_func
    .global \name
    .type \name, %function
\name:
    .endm
    .macro ending name
    .size \name, . - \name
    .endm

    function loads              /* 2 + 1 + 1, 3, 1, then 3 for the return: 11 */
    ldr r1, [r0]
    ldrb r2, [r0]
    ldrsh r3, [r0]
    ldrd r2, r3, [r0]
    str r2, [r0, #8]
    bx lr
    ending loads

    function loop               /* 1, ten times 1 + 1, nine jumps of 2, and 3: 42 */
    movs r1, #10
1:  subs r1, #1
    bne 1b
    bx lr
    ending loop

    function moves              /* 4, 4, 5, 7, 1, and 1 + 3 registers + 2: 27 */
    push {r4, r5, lr}
    ldm r0, {r1, r2, r3}
    stm r0, {r1, r2, r3, r4}
    udiv r1, r2, r3
    smlad r1, r2, r3, r1
    pop {r4, r5, pc}
    ending moves
