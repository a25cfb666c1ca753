/* Sums that stay in registers. */
#ifndef EV_KEEP_H
#define EV_KEEP_H

#if defined(__clang__) || defined(__GNUC__)

/* The value is in a register here, and what comes later is not done before: without it compilers load and multiply
   ahead, which takes the registers of the sums, and make pointers from one another in each round. */
#define EV_KEEP(value) __asm__ volatile("" : "+r"(value))

#else

#define EV_KEEP(value) (void)(value)

#endif

#endif
