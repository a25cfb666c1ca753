/* Ends in a way that is not an end; which one, WAY says. */
#include "ev_run.h"

volatile uint32_t address = 0xF0000000;
volatile uint32_t turns;

int deeper(volatile char *of, int level);
void wrong_address(void);
void forever(void);
void undefined(void);

__attribute__((noinline)) int deeper(volatile char *of, int level)
{
    volatile char own[128];
    own[level & 127] = *of;
    return level ? deeper(own, level - 1) + own[1] : own[0];
}

__attribute__((noinline)) void wrong_address(void)
{
    *(volatile uint32_t *)(uintptr_t)address = 1;
    turns++;
}

__attribute__((noinline)) void forever(void)
{
    for (;;)
        turns++;
}

__attribute__((noinline)) void undefined(void)
{
    turns++;
    __builtin_trap();
}

int main(void)
{
    char first = 1;
    (void)first;
    WAY;
    return 0;
}
