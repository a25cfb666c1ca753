/* SPDX-License-Identifier: Apache-2.0 */
/* memcpy, memmove, memset and memcmp for builds without a C library. Words where both sides are
   aligned, bytes elsewhere: no core needs to take unaligned words. */
#include <stddef.h>
#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) word;

static int aligned(const void *left, const void *right)
{
    return (((uintptr_t)left | (uintptr_t)right) & 3) == 0;
}

/* Forward, so that it may also move down to an overlapping place. */
static void copy_up(uint8_t *out, const uint8_t *in, size_t count)
{
    if (aligned(out, in)) {
        for (; count >= 16; count -= 16, out += 16, in += 16) {
            word *target = (word *)out;
            const word *source = (const word *)in;
            word first = source[0], second = source[1], third = source[2], fourth = source[3];
            target[0] = first;
            target[1] = second;
            target[2] = third;
            target[3] = fourth;
        }
        for (; count >= 4; count -= 4, out += 4, in += 4)
            *(word *)out = *(const word *)in;
    }
    while (count--)
        *out++ = *in++;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    copy_up(to, from, count);
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    if ((uintptr_t)to - (uintptr_t)from >= count) {
        copy_up(to, from, count);
        return to;
    }
    uint8_t *out = (uint8_t *)to + count;
    const uint8_t *in = (const uint8_t *)from + count;
    if (aligned(out, in)) {
        for (; count >= 4; count -= 4) {
            out -= 4;
            in -= 4;
            *(word *)out = *(const word *)in;
        }
    }
    while (count--)
        *--out = *--in;
    return to;
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *out = to;
    uint8_t byte = (uint8_t)value;
    if (aligned(out, out)) {
        word four = byte * 0x01010101u;
        for (; count >= 16; count -= 16, out += 16) {
            word *target = (word *)out;
            target[0] = four;
            target[1] = four;
            target[2] = four;
            target[3] = four;
        }
        for (; count >= 4; count -= 4, out += 4)
            *(word *)out = four;
    }
    while (count--)
        *out++ = byte;
    return to;
}

int memcmp(const void *left, const void *right, size_t count)
{
    const uint8_t *first = left;
    const uint8_t *second = right;
    for (size_t i = 0; i < count; i++)
        if (first[i] != second[i])
            return first[i] - second[i];
    return 0;
}
