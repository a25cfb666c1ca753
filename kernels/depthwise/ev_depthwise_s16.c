/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_round.h"

typedef int16_t ev_value;

static inline int16_t requantize_value(int32_t acc, int32_t multiplier)
{
    return ev_requantize_s16(acc, multiplier);
}

#include "ev_depthwise_plain.h"

void ev_depthwise_s16(const struct ev_depthwise *p, const int16_t *x, int16_t *y, uint32_t first, uint32_t rows,
                      void *scratch)
{
    (void)scratch;
    ev_depthwise_plain(p, x, y, first, rows);
}
