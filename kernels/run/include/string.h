/* SPDX-License-Identifier: Apache-2.0 */
/* The part of <string.h> that kernels use, for builds without a C library.
   The macros matter: with -ffreestanding compilers would call memcpy even for four bytes that are
   one load, and kernels read words that way. */
#ifndef EV_STRING_H
#define EV_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *left, const void *right, size_t count);

#define memcpy(to, from, count) __builtin_memcpy(to, from, count)
#define memmove(to, from, count) __builtin_memmove(to, from, count)
#define memset(to, value, count) __builtin_memset(to, value, count)

#endif
