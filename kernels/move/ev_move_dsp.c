/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_move_axes.h"

/* By words, aligned or not. */
static inline void copy_row(const uint8_t *x, uint8_t *y, uint32_t bytes)
{
    EV_NO_UNROLL
    for (uint32_t i = bytes / 16; i; i--, x += 16, y += 16) {
        const uint32_t x0 = ev_load4(x), x4 = ev_load4(x + 4), x8 = ev_load4(x + 8), x12 = ev_load4(x + 12);
        ev_store4(y, x0);
        ev_store4(y + 4, x4);
        ev_store4(y + 8, x8);
        ev_store4(y + 12, x12);
        EV_OPAQUE_PTR(x);
        EV_OPAQUE_PTR(y);
    }
    EV_NO_UNROLL
    for (uint32_t i = bytes % 16 / 4; i; i--, x += 4, y += 4)
        ev_store4(y, ev_load4(x));
    EV_NO_UNROLL
    for (uint32_t i = bytes % 4; i; i--)
        *y++ = *x++;
}

/* noinline: inlined into the loops over axes it spills. */
EV_NOINLINE static void copy_rows(const uint8_t *x, int32_t x_stride, uint8_t *y, int32_t y_stride, uint32_t rows,
                                  uint32_t bytes)
{
    EV_NO_UNROLL
    for (; rows; rows--, x += x_stride, y += y_stride)
        copy_row(x, y, bytes);
}

void ev_move_dsp(const struct ev_move *p, const void *x, void *y)
{
    ev_move_axes(p, x, y, copy_rows);
}
