/* SPDX-License-Identifier: Apache-2.0 */
/* Hints for compilers, where their heuristics lose registers or unroll too much. None of them changes a result. */
#ifndef EV_COMPILER_H
#define EV_COMPILER_H

#if defined(__clang__) || defined(__GNUC__)

/* Before a loop that is unrolled by hand, or runs a few times only: unrolled further it is longer and no faster. */
#if defined(__clang__)
#define EV_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define EV_NO_UNROLL _Pragma("GCC unroll 1")
#endif

/* Before a short loop over many elements. */
#if defined(__clang__)
#define EV_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define EV_UNROLL_4 _Pragma("GCC unroll 4")
#endif

/* Puts a value in a register here, and orders it before all that follows: otherwise compilers load and multiply ahead,
   which takes the registers of the accumulators, and recompute one pointer from another in every iteration. */
#define EV_OPAQUE(value) __asm__ volatile("" : "+r"(value))

/* At the end of a loop over several pointers: otherwise compilers replace them by one index, which takes more
   registers. Unlike EV_OPAQUE it orders nothing. */
#define EV_OPAQUE_PTR(pointer) __asm__("" : "+r"(pointer))

/* For a function called with constants that must reach its loops. */
#define EV_INLINE static inline __attribute__((always_inline))

/* For a function whose loop needs all registers: inlined into its caller it spills. */
#define EV_NOINLINE __attribute__((noinline))

#else

#define EV_NO_UNROLL
#define EV_UNROLL_4
#define EV_OPAQUE(value) (void)(value)
#define EV_OPAQUE_PTR(pointer) (void)(pointer)
#define EV_INLINE static inline
#define EV_NOINLINE

#endif

#endif
