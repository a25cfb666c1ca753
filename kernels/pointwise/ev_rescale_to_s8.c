/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_clamp.h"
#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"

void ev_rescale_to_s8(const struct ev_rescale *p, const int16_t *x, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_rescale(p));
    EV_ASSERT(ev_disjoint(x, 2 * count, y, count));
    const int32_t factor = p->factor, offset = p->offset;
    const uint32_t shift = p->shift;
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++)
        y[i] = (int8_t)ev_clamp_s8((x[i] * factor + offset) >> shift);
}
