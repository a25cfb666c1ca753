/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>

#include "ev_contract.h"
#include "ev_kernels_mve.h"

void ev_lookup_s8_mve(const struct ev_lookup *p, const int8_t *x, int8_t *y, uint32_t count)
{
    EV_ASSERT(ev_same_or_disjoint(x, y, count));
    const int8_t *table = p->table;
    for (int32_t remaining = (int32_t)count; remaining > 0; remaining -= 16, x += 16, y += 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)remaining);
        const uint8x16_t indices = vreinterpretq_u8_s8(vldrbq_z_s8(x, lanes));
        vstrbq_p_s8(y, vldrbq_gather_offset_z_s8(table, indices, lanes), lanes);
    }
}
