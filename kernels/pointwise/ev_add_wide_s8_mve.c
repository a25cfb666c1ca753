/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_add_wide_mve.h"
#include "ev_contract.h"

void ev_add_wide_s8_mve(const struct ev_add_wide *p, const int16_t *a, const int8_t *b, int16_t *y, uint32_t count)
{
    EV_ASSERT(ev_valid_add_wide(p, 1 << 7));
    EV_ASSERT(ev_same_or_disjoint(a, y, 2 * count));
    EV_ASSERT(ev_disjoint(b, count, y, 2 * count));
    const struct ev_add_wide add = *p;
    for (uint32_t blocks = count / 8; blocks; blocks--, a += 8, b += 8, y += 8)
        vstrhq_s16(y, ev_add_wide_mve(&add, vldrhq_s16(a), vldrbq_s16(b)));
    const mve_pred16_t tail = vctp16q(count % 8);
    vstrhq_p_s16(y, ev_add_wide_mve(&add, vldrhq_z_s16(a, tail), vldrbq_z_s16(b, tail)), tail);
}
