/* A little of everything that compilers make blocks of: loops, conditional instructions, calls,
   recursion, a jump table, copies of every alignment, and a float where there is an FPU. */
#include "ev_run.h"
#include <string.h>

enum { COUNT = 64 };
EV_INPUT int16_t numbers[COUNT];
static uint8_t copies[3 * COUNT];
static uint32_t initial[2] = {7, 11};

void sort(int16_t *values, int count);
int32_t clip(const int16_t *values, int count, int32_t low, int32_t high);
uint32_t walk(const uint8_t *codes, int count, uint32_t state);
uint32_t fibonacci(uint32_t n);
void spread(const void *from);

#ifdef __ARM_FP
volatile float one_half = 0.5f;
static int32_t half(int32_t value)
{
    return (int32_t)(one_half * (float)value);
}
#else
static int32_t half(int32_t value)
{
    return value / 2;
}
#endif

__attribute__((noinline)) void sort(int16_t *values, int count)
{
    for (int i = 1; i < count; i++) {
        int16_t value = values[i];
        int k = i;
        for (; k > 0 && values[k - 1] > value; k--)
            values[k] = values[k - 1];
        values[k] = value;
    }
}

__attribute__((noinline)) int32_t clip(const int16_t *values, int count, int32_t low, int32_t high)
{
    int32_t sum = 0;
    for (int i = 0; i < count; i++) {
        int32_t value = values[i];
        sum += value < low ? low : value > high ? high : value;
    }
    return sum;
}

__attribute__((noinline)) uint32_t walk(const uint8_t *codes, int count, uint32_t state)
{
    for (int i = 0; i < count; i++) {
        switch (codes[i] & 7) {
        case 0: state += 3; break;
        case 1: state ^= 0x55; break;
        case 2: state = state << 5 | state >> 27; break;
        case 3: state -= codes[i]; break;
        case 4: state *= 5; break;
        case 5: state = ~state; break;
        case 6: state += state >> 3; break;
        default: state |= 1; break;
        }
    }
    return state;
}

__attribute__((noinline)) uint32_t fibonacci(uint32_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__attribute__((noinline)) void spread(const void *from)
{
    memset(copies, 0xA5, sizeof copies);
    memcpy(copies + 1, from, 2 * COUNT);
    memmove(copies + 4, copies + 1, 100);
    memmove(copies + 130, copies + 131, 50);
}

int main(void)
{
    uint32_t results[5];
    results[0] = (uint32_t)clip(numbers, COUNT, -100, 200);
    results[1] = walk((const uint8_t *)numbers, 2 * COUNT, initial[0]);
    results[2] = fibonacci(initial[1]);
    results[3] = (uint32_t)half(numbers[0]);
    spread(numbers);
    sort(numbers, COUNT);
    results[4] = (uint32_t)clip(numbers, COUNT / 2, -5, 5);
    ev_emit(results, sizeof results);
    ev_emit(copies, sizeof copies);
    ev_emit(numbers, sizeof numbers);
    ev_text("sorted\n");
    return (int)initial[1];
}
