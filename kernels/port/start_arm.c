/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up for Cortex-M: vectors, the FPU, .data and .bss, main. */
#include <stdint.h>

extern uint32_t ev_stack_top[], ev_data_start[], ev_data_end[], ev_bss_start[], ev_bss_end[];
extern const uint32_t ev_data_load[];

int main(void);
void ev_reset(void);
void ev_fault(void);
void ev_tick(void);
void ev_port_early(void);

/* The counter's interrupt, where a board counts by one. */
__attribute__((weak)) void ev_tick(void)
{
}

void ev_fault(void)
{
    for (;;)
        ;
}

#ifndef EV_STACK_BYTES
#define EV_STACK_BYTES 8192
#endif
__attribute__((section(".bss.ev_stack"), used, aligned(16))) static uint8_t stack[EV_STACK_BYTES];

typedef void (*handler)(void);

struct vectors {
    uint32_t *stack;
    handler exceptions[15]; /* reset, NMI, HardFault ... PendSV, SysTick; no interrupt is enabled */
};

extern const struct vectors ev_vectors;
__attribute__((section(".vectors"), used, aligned(128))) const struct vectors ev_vectors = {
    ev_stack_top,
    {ev_reset, ev_fault, ev_fault, ev_fault, ev_fault, ev_fault, ev_fault, ev_fault, ev_fault,
     ev_fault, ev_fault, ev_fault, ev_fault, ev_fault, ev_tick},
};

#define VTOR (*(volatile uintptr_t *)0xE000ED08u)
#define CPACR (*(volatile uint32_t *)0xE000ED88u)

/* What a board has to do before the first write to RAM, in registers alone. */
__attribute__((weak, naked, used)) void ev_port_early(void)
{
    __asm volatile("bx lr\n");
}

/* A debugger or a boot ROM may come here on another stack; the vectors' own one is set first. */
__attribute__((naked)) void ev_reset(void)
{
    __asm volatile("ldr r0, =ev_stack_top\n"
                   "mov sp, r0\n"
                   "bl ev_port_early\n"
                   "ldr r0, =ev_start\n"
                   "bx r0\n"
                   ".ltorg\n");
}

__attribute__((used, noreturn)) void ev_start(void);
void ev_start(void)
{
#ifdef __ARM_FP
    CPACR = CPACR | 0x00F00000u; /* coprocessors 10 and 11: the FPU and MVE */
    __asm volatile("dsb\n isb" ::: "memory");
#endif
    VTOR = (uintptr_t)&ev_vectors;
    const uint32_t *from = ev_data_load;
    for (uint32_t *to = ev_data_start; to < ev_data_end; to++)
        *to = *from++;
    for (uint32_t *to = ev_bss_start; to < ev_bss_end; to++)
        *to = 0;
    (void)main();
    for (;;)
        ;
}
