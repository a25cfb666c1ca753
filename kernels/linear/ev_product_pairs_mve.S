/* SPDX-License-Identifier: Apache-2.0 */
/* Two rows by four columns: see ev_product_pairs_mve.h. Eight sums use all registers that VMLAVA can add to (even ones),
   the link register among them. So the inner loop begins by a jump into its round, and needs one count.

   Up to EV_SHORT steps are no loop. Rows without gaps are paired with those half of all rows
   further, so that the end of one is the begin of the next.

   r1, r3: the rows; r5: the block; r7: the output; r9: rounds; r11: the struct. q3, q4: biases and multipliers. */
    .syntax unified
    .thumb
    .section .text.ev_product_pairs_mve, "ax"

    .macro column multiply, upper, lower
    vldrb.8   q2, [r5], #16
    \multiply \upper, q0, q2
    \multiply \lower, q1, q2
    .endm

    .macro step multiply
    vldrb.8 q0, [r1], #16
    vldrb.8 q1, [r3], #16
    column  \multiply, r0, r8
    column  \multiply, r2, r10
    column  \multiply, r4, r12
    column  \multiply, r6, lr
    .endm

    .macro round steps
    .rept   \steps
    step    vmlava.s8
    .endr
    .endm

/* Stores the address in the round after which r2 steps are left: a step has 14 instructions of 4 bytes. */
    .macro set_entry end
    adr.w   r4, \end
    movs    r6, #56
    mls     r4, r2, r6, r4
    orr     r4, r4, #1
    str     r4, [r11, #20]
    .endm

    .macro to_lanes
    vmov    q0[2], q0[0], r0, r4
    vmov    q0[3], q0[1], r2, r6
    vmov    q1[2], q1[0], r8, r12
    vmov    q1[3], q1[1], r10, lr
    .endm

    .macro requantize
    vadd.i32    q0, q0, q3
    vadd.i32    q1, q1, q3
    vrmulh.s32  q0, q0, q4
    vrmulh.s32  q1, q1, q4
    vqmovnb.s32 q0, q0
    vqmovnb.s32 q1, q1
    vqmovnb.s16 q0, q0
    vqmovnb.s16 q1, q1
    .endm

    .macro begin end
    push    {r4-r11, lr}
    vpush   {d8-d9}
    mov     r11, r0
    mov     r5, r1
    set_entry \end
    .endm

    .macro finish
    vpop    {d8-d9}
    pop     {r4-r11, pc}
    .endm

    .macro constants
    vldrw.32 q3, [r5], #16
    vldrw.32 q4, [r5], #16
    .endm

    .macro begin_block
    constants
    ldrd    r1, r3, [r11, #36]
    str     r5, [r11, #12]
    .endm

    .macro next_block again
    ldrd    r0, r2, [r11, #24]
    ldr     r7, [r11, #32]
    adds    r4, r4, #4
    adds    r7, r7, #4
    str     r4, [r11, #8]
    str     r7, [r11, #32]
    add     r5, r5, r0
    cmp     r5, r2
    bne.w   \again
    .endm

    .balign 4
    .global ev_product_pairs_mve
    .type ev_product_pairs_mve, %function
    .thumb_func
ev_product_pairs_mve:
    begin   3f
    ldr     r7, [r11, #32]
1:
    begin_block
    ldr     r9, [r11, #16]
2:
    step    vmlav.s8
    ldr.w   pc, [r11, #20]
4:
    round   8
3:
    subs    r9, r9, #1
    bpl.w   4b
    to_lanes
    ldm     r11, {r0, r2, r4, r5, r9}
    requantize
    vstrb.32 q0, [r7]
    add     r7, r7, r2
    vstrb.32 q1, [r7]
    add     r7, r7, r2
    add     r1, r1, r0
    add     r3, r3, r0
    cmp     r7, r4
    bne.w   2b
    next_block 1b
    finish
    .size ev_product_pairs_mve, . - ev_product_pairs_mve

    .section .text.ev_product_halves_mve, "ax"
    .balign 4
    .global ev_product_halves_mve
    .type ev_product_halves_mve, %function
    .thumb_func
ev_product_halves_mve:
    begin   3f
    ldr     r7, [r11, #32]
1:
    begin_block
2:
    step    vmlav.s8
    ldr.w   pc, [r11, #20]
    round   6
3:
    to_lanes
    ldm     r11, {r0, r2, r4, r5}
    requantize
    add     r0, r0, r7
    vstrb.32 q1, [r0]
    vstrb.32 q0, [r7]
    add     r7, r7, r2
    cmp     r7, r4
    bne.w   2b
    next_block 1b
    finish
    .size ev_product_halves_mve, . - ev_product_halves_mve

/* One pair. */
    .macro store_pair again
    ldm     r11, {r0, r1, r3, r4, r9}
    requantize
    add     r0, r0, r7
    vstrb.32 q1, [r0]
    vstrb.32 q0, [r7], #4
    cmp     r5, r4
    bne.w   \again
    .endm

    .section .text.ev_product_pair_mve, "ax"
    .balign 4
    .global ev_product_pair_mve
    .type ev_product_pair_mve, %function
    .thumb_func
ev_product_pair_mve:
    begin   3f
    mov     r7, r3
    ldrd    r1, r3, [r11, #4]
    ldr     r9, [r11, #16]
2:
    constants
    step    vmlav.s8
    ldr.w   pc, [r11, #20]
4:
    round   8
3:
    subs    r9, r9, #1
    bpl.w   4b
    to_lanes
    store_pair 2b
    finish
    .size ev_product_pair_mve, . - ev_product_pair_mve

    .section .text.ev_product_short_pair_mve, "ax"
    .balign 4
    .global ev_product_short_pair_mve
    .type ev_product_short_pair_mve, %function
    .thumb_func
ev_product_short_pair_mve:
    begin   3f
    mov     r7, r3
    ldrd    r1, r3, [r11, #4]
2:
    constants
    step    vmlav.s8
    ldr.w   pc, [r11, #20]
    round   6
3:
    to_lanes
    store_pair 2b
    finish
    .size ev_product_short_pair_mve, . - ev_product_short_pair_mve
