/* SPDX-License-Identifier: Apache-2.0 */
/* Turns on the caches of a Cortex-M7: first emptied, as their contents are undefined after reset. Arm, "Armv7-M
   Architecture Reference Manual", B2.2.7 and B3.2; Arm, "Cortex-M7 Technical Reference Manual", chapter 5. */
#ifndef EV_CACHES_H
#define EV_CACHES_H

#include "ev_port.h"

#define EV_CCR 0xE000ED14u
#define EV_CCSIDR 0xE000ED80u
#define EV_CSSELR 0xE000ED84u
#define EV_ICIALLU 0xE000EF50u
#define EV_DCISW 0xE000EF60u

static inline void ev_barrier(void)
{
    __asm volatile("dsb\n isb" ::: "memory");
}

static inline void ev_caches_begin(void)
{
    EV_REGISTER(EV_ICIALLU) = 0;
    ev_barrier();
    EV_REGISTER(EV_CCR) |= 1u << 17; /* IC */
    ev_barrier();
    EV_REGISTER(EV_CSSELR) = 0; /* the data cache of level 1 */
    ev_barrier();
    const uint32_t size = EV_REGISTER(EV_CCSIDR), sets = size >> 13 & 0x7FFF, ways = size >> 3 & 0x3FF;
    for (uint32_t set = 0; set <= sets; set++)
        for (uint32_t way = 0; way <= ways; way++)
            EV_REGISTER(EV_DCISW) = way << 30 | set << 5; /* 4 ways, lines of 32 bytes */
    ev_barrier();
    EV_REGISTER(EV_CCR) |= 1u << 16; /* DC */
    ev_barrier();
}

#endif
