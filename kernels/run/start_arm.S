/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up for Cortex-M: vectors, stack painting, .data and .bss, main, the stack's high-water mark.
   Instructions of Armv6-M only, so that one file serves every core. */
    .syntax unified
    .thumb

    .section .vectors, "a"
    .global ev_vectors
ev_vectors:
    .word ev_stack_top
    .word ev_start
    .rept 14
    .word ev_faulted
    .endr

    .section .text.ev_run, "ax"

    .thumb_func
    .type ev_start, %function
    .global ev_start
ev_start:
#ifdef __ARM_FP
    ldr r0, =0xE000ED88         /* CPACR: full access to CP10 and CP11, the FPU and MVE */
    ldr r1, [r0]
    ldr r2, =0x00F00000
    orrs r1, r2
    str r1, [r0]
    dsb
    isb
#endif
    ldr r0, =ev_guard_bottom
    ldr r1, =ev_stack_top
    ldr r2, =0xA5A5A5A5
    mov sp, r1
1:  str r2, [r0]
    adds r0, #4
    cmp r0, r1
    blo 1b

    ldr r0, =ev_data_start
    ldr r1, =ev_data_end
    ldr r2, =ev_data_load
    b 3f
2:  ldr r3, [r2]
    str r3, [r0]
    adds r0, #4
    adds r2, #4
3:  cmp r0, r1
    blo 2b

    ldr r0, =ev_bss_start
    ldr r1, =ev_bss_end
    movs r2, #0
    b 5f
4:  str r2, [r0]
    adds r0, #4
5:  cmp r0, r1
    blo 4b

    bl main

    ldr r2, =ev_guard_bottom
    ldr r1, =ev_stack_top
    ldr r4, =0xA5A5A5A5
6:  cmp r2, r1
    bhs 7f
    ldr r3, [r2]
    adds r2, #4
    cmp r3, r4
    beq 6b
    subs r2, #4
7:  subs r1, r1, r2
    ldr r2, =ev_run_stack_top
    mov sp, r2
    b ev_finish

    .thumb_func
    .type ev_faulted, %function
ev_faulted:
    movs r0, #0                 /* the pc, as far as it is known */
    movs r1, #0                 /* the exception; 0 where the stack ran out */
    movs r2, #0                 /* the fault's status */
    mov r3, sp
    ldr r4, =ev_guard_bottom
    cmp r3, r4
    blo 8f                      /* nothing was stacked there */
    ldr r0, [r3, #24]
    mrs r1, ipsr
#if __ARM_ARCH >= 7
    ldr r2, =0xE000ED28         /* CFSR */
    ldr r2, [r2]
#endif
8:
    ldr r3, =ev_run_stack_top
    mov sp, r3
    b ev_fault

    .thumb_func
    .type ev_emit, %function
    .global ev_emit
ev_emit:
    ldr r3, =ev_append_output
    b on_own_stack

    .thumb_func
    .type ev_text, %function
    .global ev_text
ev_text:
    ldr r3, =ev_append_text
    b on_own_stack

/* Calls r3 without touching the program's stack, whose high-water mark is measured. */
    .thumb_func
    .type on_own_stack, %function
on_own_stack:
    mov r12, sp
    ldr r2, =ev_run_stack_top
    mov sp, r2
    mov r2, r12
    push {r2, lr}
    blx r3
    pop {r2, r3}
    mov sp, r2
    bx r3
