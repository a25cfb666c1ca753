/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up for RISC-V: stack, .data and .bss, main. With EV_EMULATED, for the programs that emulators measure, it also
   paints the stack, reports its high-water mark after main, and reports faults. */
    .option arch, +zicsr

#ifndef EV_EMULATED /* there the linker script reserves the stack */
#ifndef EV_STACK_BYTES
#define EV_STACK_BYTES 8192
#endif
    .section .bss.ev_stack, "aw", @nobits
    .balign 16
    .space EV_STACK_BYTES
#endif

    .section .vectors, "ax"
    .global ev_reset
ev_reset:
    j ev_start

    .section .text.ev_run, "ax"
    .global ev_start
    .type ev_start, @function
ev_start:
    la t0, ev_faulted
    csrw mtvec, t0
    la sp, ev_stack_top

#ifdef EV_EMULATED
    la t0, ev_guard_bottom
    mv t1, sp
    li t2, 0xA5A5A5A5
1:  sw t2, 0(t0)
    addi t0, t0, 4
    bltu t0, t1, 1b
#endif

    la t0, ev_data_start
    la t1, ev_data_end
    la t2, ev_data_load
    j 3f
2:  lw t3, 0(t2)
    sw t3, 0(t0)
    addi t0, t0, 4
    addi t2, t2, 4
3:  bltu t0, t1, 2b

    la t0, ev_bss_start
    la t1, ev_bss_end
    j 5f
4:  sw zero, 0(t0)
    addi t0, t0, 4
5:  bltu t0, t1, 4b

    call main

#ifdef EV_EMULATED
    la t0, ev_guard_bottom
    la t1, ev_stack_top
    li t2, 0xA5A5A5A5
6:  bgeu t0, t1, 7f
    lw t3, 0(t0)
    addi t0, t0, 4
    beq t3, t2, 6b
    addi t0, t0, -4
7:  sub a1, t1, t0
    la sp, ev_run_stack_top
    j ev_finish
#endif

    .balign 256 /* an ESP32-C3 has vectors alone, and takes no other place for them */
ev_faulted:
#ifndef EV_EMULATED
    j ev_faulted
#else
    csrr a0, mepc
    csrr a1, mcause
    csrr a2, mtval
    la sp, ev_run_stack_top
    j ev_fault

    .global ev_emit
    .type ev_emit, @function
ev_emit:
    la t0, ev_append_output
    j on_own_stack

    .global ev_text
    .type ev_text, @function
ev_text:
    la t0, ev_append_text
    j on_own_stack

/* Calls t0 without touching the program's stack, whose high-water mark is measured. */
on_own_stack:
    mv t1, sp
    la sp, ev_run_stack_top
    addi sp, sp, -16
    sw t1, 0(sp)
    sw ra, 4(sp)
    jalr t0
    lw ra, 4(sp)
    lw sp, 0(sp)
    ret
#endif
