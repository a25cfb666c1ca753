/* Start-up for RISC-V: stack painting, .data and .bss, main, the stack's high-water mark. */
    .option arch, +zicsr
    .section .vectors, "ax"
    j ev_start

    .section .text.ev_run, "ax"
    .global ev_start
    .type ev_start, @function
ev_start:
    la t0, ev_faulted
    csrw mtvec, t0
    la t0, ev_guard_bottom
    la t1, ev_stack_top
    li t2, 0xA5A5A5A5
    mv sp, t1
1:  sw t2, 0(t0)
    addi t0, t0, 4
    bltu t0, t1, 1b

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

    .balign 4
ev_faulted:
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

/* The call is three instructions that must be four bytes each and lie in one page. */
    .balign 16
    .global ev_semihost
ev_semihost:
    .option push
    .option norvc
    slli zero, zero, 0x1f
    ebreak
    srai zero, zero, 7
    .option pop
    ret
