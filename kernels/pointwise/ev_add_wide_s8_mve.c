#include "ev_add_wide_mve.h"

void ev_add_wide_s8_mve(const struct ev_add_wide *p, const int16_t *a, const int8_t *b, int16_t *y, uint32_t count)
{
    const struct ev_add_wide add = *p;
    for (uint32_t blocks = count / 8; blocks; blocks--, a += 8, b += 8, y += 8)
        vstrhq_s16(y, ev_add_wide_mve(&add, vldrhq_s16(a), vldrbq_s16(b)));
    const mve_pred16_t inside = vctp16q(count % 8);
    vstrhq_p_s16(y, ev_add_wide_mve(&add, vldrhq_z_s16(a, inside), vldrbq_z_s16(b, inside)), inside);
}
