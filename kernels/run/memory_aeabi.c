/* SPDX-License-Identifier: Apache-2.0 */
/* The names under which compilers for Arm call memcpy, memmove and memset themselves. Arm, "Run-time
   ABI for the Arm Architecture", 4.3.4: memset takes the size before the value. */
#include <stddef.h>
#include <string.h>

void __aeabi_memcpy(void *to, const void *from, size_t count);
void __aeabi_memcpy4(void *to, const void *from, size_t count);
void __aeabi_memcpy8(void *to, const void *from, size_t count);
void __aeabi_memmove(void *to, const void *from, size_t count);
void __aeabi_memmove4(void *to, const void *from, size_t count);
void __aeabi_memmove8(void *to, const void *from, size_t count);
void __aeabi_memset(void *to, size_t count, int value);
void __aeabi_memset4(void *to, size_t count, int value);
void __aeabi_memset8(void *to, size_t count, int value);
void __aeabi_memclr(void *to, size_t count);
void __aeabi_memclr4(void *to, size_t count);
void __aeabi_memclr8(void *to, size_t count);

void __aeabi_memcpy(void *to, const void *from, size_t count) { (memcpy)(to, from, count); }
void __aeabi_memcpy4(void *to, const void *from, size_t count) { (memcpy)(to, from, count); }
void __aeabi_memcpy8(void *to, const void *from, size_t count) { (memcpy)(to, from, count); }
void __aeabi_memmove(void *to, const void *from, size_t count) { (memmove)(to, from, count); }
void __aeabi_memmove4(void *to, const void *from, size_t count) { (memmove)(to, from, count); }
void __aeabi_memmove8(void *to, const void *from, size_t count) { (memmove)(to, from, count); }
void __aeabi_memset(void *to, size_t count, int value) { (memset)(to, value, count); }
void __aeabi_memset4(void *to, size_t count, int value) { (memset)(to, value, count); }
void __aeabi_memset8(void *to, size_t count, int value) { (memset)(to, value, count); }
void __aeabi_memclr(void *to, size_t count) { (memset)(to, 0, count); }
void __aeabi_memclr4(void *to, size_t count) { (memset)(to, 0, count); }
void __aeabi_memclr8(void *to, size_t count) { (memset)(to, 0, count); }
