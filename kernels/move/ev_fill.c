/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ev_contract.h"
#include "ev_kernels.h"

void ev_fill(const struct ev_fill *p, void *y, uint32_t count)
{
    EV_ASSERT(p->element_bytes == 1 ? ev_between(-128, p->value, 127) : p->element_bytes == 2 && ev_aligned(y, 2));
    if (p->element_bytes == 1) {
        memset(y, p->value, count);
        return;
    }
    int16_t *out = y;
    while (count--)
        *out++ = p->value;
}
