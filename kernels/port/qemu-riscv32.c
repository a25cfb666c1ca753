/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's RISC-V `virt`: the 16550 UART, and the cycle counter. Its rate is the emulator's own. */
#include "ev_port.h"

#define UART0 0x10000000u
#define UART_BYTE(offset) (*(volatile uint8_t *)(uintptr_t)(UART0 + (offset)))

void ev_port_init(void)
{
}

uint64_t ev_port_ticks(void)
{
    uint32_t high, low, again;
    do {
        __asm volatile(".option push\n.option arch, +zicsr\n"
                       "csrr %0, mcycleh\ncsrr %1, mcycle\ncsrr %2, mcycleh\n"
                       ".option pop"
                       : "=r"(high), "=r"(low), "=r"(again));
    } while (high != again);
    return ((uint64_t)high << 32) + low;
}

uint32_t ev_port_hz(void)
{
    return 0;
}

void ev_uart_put(char byte)
{
    while (!(UART_BYTE(5) & 0x20)) /* LSR: empty */
        ;
    UART_BYTE(0) = (uint8_t)byte;
}
