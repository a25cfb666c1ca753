/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for a register, and not for ever: what does not start leaves the board as it was after reset, and the
   self-test says at which rate it ran. */
#ifndef EV_WAIT_H
#define EV_WAIT_H

#include "ev_port.h"

enum { EV_WAIT_READS = 1000000 };

/* Returns whether the bits of `mask` were `value` in time. */
static inline int ev_until(uint32_t address, uint32_t mask, uint32_t value)
{
    for (uint32_t reads = EV_WAIT_READS; reads; reads--)
        if ((EV_REGISTER(address) & mask) == value)
            return 1;
    return 0;
}

static inline void ev_set_bits(uint32_t address, uint32_t mask, uint32_t value)
{
    EV_REGISTER(address) = (EV_REGISTER(address) & ~mask) | value;
}

#endif
