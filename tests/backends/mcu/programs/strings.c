/* Every small copy at every alignment, against bytes one by one. Emits the number of wrong ones. */
#include "ev_run.h"
#include <string.h>

enum { SIZE = 48, GUARD = 0x77 };
static uint8_t from[SIZE], to[SIZE], wanted[SIZE];

static void one_by_one(uint8_t *target, const uint8_t *source, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ((volatile uint8_t *)target)[i] = source[i];
}

static void reset(void)
{
    for (uint32_t i = 0; i < SIZE; i++) {
        ((volatile uint8_t *)from)[i] = (uint8_t)(i + 1);
        ((volatile uint8_t *)to)[i] = GUARD;
        ((volatile uint8_t *)wanted)[i] = GUARD;
    }
}

static uint32_t different(const uint8_t *left, const uint8_t *right)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SIZE; i++)
        count += left[i] != right[i];
    return count != 0 || memcmp(left, right, SIZE) != 0;
}

static uint32_t check(uint32_t target, uint32_t source, uint32_t count)
{
    uint32_t wrong = 0;
    reset();
    memcpy(to + target, from + source, count);
    one_by_one(wanted + target, from + source, count);
    wrong += different(to, wanted);

    reset();
    one_by_one(wanted, from, SIZE);
    one_by_one(wanted + target, from + source, count);
    memmove(from + target, from + source, count);
    wrong += different(from, wanted);

    reset();
    for (uint32_t i = 0; i < count; i++)
        ((volatile uint8_t *)wanted)[target + i] = (uint8_t)(source + 200);
    memset(to + target, (int)(source + 200), count);
    return wrong + different(to, wanted);
}

int main(void)
{
    uint32_t wrong = 0;
    for (uint32_t target = 0; target < 4; target++)
        for (uint32_t source = 0; source < 4; source++)
            for (uint32_t count = 0; count < 39; count += 1 + count / 9)
                wrong += check(target, source, count);
    reset();
    wrong += memcmp(from, from + 1, 4) >= 0;
    wrong += memcmp(from + 1, from, 4) <= 0;
    ev_emit(&wrong, sizeof wrong);
    return 0;
}
