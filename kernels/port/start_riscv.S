/* Start-up for RISC-V: stack, .data and .bss, main. */
#ifndef EV_STACK_BYTES
#define EV_STACK_BYTES 8192
#endif
    .section .bss.ev_stack, "aw", @nobits
    .balign 16
    .space EV_STACK_BYTES

    .option arch, +zicsr
    .section .vectors, "ax"
    .global ev_reset
ev_reset:
    j ev_start

    .text
    .type ev_start, @function
ev_start:
    la t0, ev_fault
    csrw mtvec, t0
    la sp, ev_stack_top

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
    .balign 4
ev_fault:
    j ev_fault
