/* SPDX-License-Identifier: Apache-2.0 */
/* Four bytes or two halves in a word, by Arm's DSP instructions: those that <arm_acle.h> has no name for, and those
   whose rotation compilers do not fold. */
#ifndef EV_LANES_DSP_H
#define EV_LANES_DSP_H

#include <arm_acle.h>
#include <stdint.h>
#include <string.h>

#include "ev_compiler.h"

enum { EV_ONES = 0x00010001 };

/* Unaligned words are one load or store on the cores that have these instructions. */
static inline uint32_t ev_load4(const void *x)
{
    uint32_t word;
    memcpy(&word, x, 4);
    return word;
}

static inline void ev_store4(void *y, uint32_t word)
{
    memcpy(y, &word, 4);
}

/* Bytes 0 and 2, and bytes 1 and 3, as signed halves. */
static inline int32_t ev_even_bytes(uint32_t word)
{
    return (int32_t)__sxtb16((int32_t)word);
}

static inline int32_t ev_odd_bytes(uint32_t word)
{
    int32_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(word));
    return halves;
}

/* The same added to the halves of `sum`. */
static inline uint32_t ev_add_even_bytes(uint32_t sum, uint32_t word)
{
    __asm__("sxtab16 %0, %1, %2" : "=r"(sum) : "r"(sum), "r"(word));
    return sum;
}

static inline uint32_t ev_add_odd_bytes(uint32_t sum, uint32_t word)
{
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(sum) : "r"(sum), "r"(word));
    return sum;
}

/* The larger of each pair of signed bytes. One asm statement, as SEL reads the flags that SSUB8 leaves. */
static inline uint32_t ev_larger_bytes(uint32_t a, uint32_t b)
{
    uint32_t larger;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(larger) : "r"(a), "r"(b) : "cc");
    return larger;
}

/* The low halves of two words, and their high halves. */
static inline uint32_t ev_low_halves(int32_t first, int32_t second)
{
    uint32_t halves;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(halves) : "r"(first), "r"(second));
    return halves;
}

static inline uint32_t ev_high_halves(int32_t first, int32_t second)
{
    uint32_t halves;
    __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(halves) : "r"(first), "r"(second));
    return halves;
}

#endif
