/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels.h"

int ev_exit_s8(const struct ev_exit *p, const int8_t *x, uint32_t most)
{
    EV_ASSERT(p->length > 0 && ev_aligned(p->table, 2));
    int32_t largest = -128;
    for (uint32_t i = 0; i < p->length; i++)
        largest = x[i] > largest ? x[i] : largest;
    uint32_t total = 0;
    for (uint32_t i = 0; i < p->length; i++)
        total += p->table[largest - x[i]];
    return total <= most;
}
