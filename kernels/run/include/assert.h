/* SPDX-License-Identifier: Apache-2.0 */
/* assert() for builds without a C library: a failed assertion is a fault, at the address where it failed. As the standard
   has it, there is no include guard: NDEBUG counts each time. */
#undef assert

#ifdef NDEBUG
#define assert(x) ((void)0)
#else
#define assert(x) ((x) ? (void)0 : __builtin_trap())
#endif
