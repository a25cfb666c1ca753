/* What compilers are told about loops, where they know better than to do the obvious. None of it changes a result. */
#ifndef EV_LOOPS_H
#define EV_LOOPS_H

#if defined(__clang__) || defined(__GNUC__)

/* Before a loop that is unrolled by hand as far as it pays, or runs a few times: compilers would make it long. */
#if defined(__clang__)
#define EV_AS_WRITTEN _Pragma("clang loop unroll(disable)")
#else
#define EV_AS_WRITTEN _Pragma("GCC unroll 1")
#endif

/* Before a short loop over many elements. */
#if defined(__clang__)
#define EV_BY_FOUR _Pragma("clang loop unroll_count(4)")
#else
#define EV_BY_FOUR _Pragma("GCC unroll 4")
#endif

/* At the end of a loop over several pointers: compilers would make them one index, which takes more registers. */
#define EV_POINTER(x) __asm__("" : "+r"(x))

/* For what is called with constants that must reach its loop. */
#define EV_INLINE static inline __attribute__((always_inline))

/* For a loop that needs all registers: inlined, it would share them with what is around it. */
#define EV_APART __attribute__((noinline))

#else

#define EV_AS_WRITTEN
#define EV_BY_FOUR
#define EV_POINTER(x) (void)(x)
#define EV_INLINE static inline
#define EV_APART

#endif

#endif
