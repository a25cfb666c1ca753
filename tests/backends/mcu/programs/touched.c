/* Reads, writes, and reads words where they are not aligned. */
#include "ev_run.h"
#include <string.h>

EV_INPUT uint8_t input[64];
uint8_t output[64];
uint8_t never[64];

uint32_t word_at(const uint8_t *from);
uint32_t misread(const uint8_t *from);
void fill(uint8_t *to, int count);

/* Of <string.h>: as many bytes as one word has are one load, where the core takes it. */
__attribute__((noinline)) uint32_t word_at(const uint8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

__attribute__((noinline)) uint32_t misread(const uint8_t *from)
{
    return *(const volatile uint32_t *)(uintptr_t)from;
}

__attribute__((noinline)) void fill(uint8_t *to, int count)
{
    for (int i = 0; i < count; i++)
        ((volatile uint8_t *)to)[2 * i] = 0;
}

int main(void)
{
    uint32_t sum = word_at(input) + word_at(input + 5);
    fill(output + 3, 10);
#ifdef MISREAD
    sum += misread(input + 33);
#endif
    ev_emit(&sum, sizeof sum);
    ev_emit(never, 0);
    return 0;
}
