/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ev_move_axes.h"

enum { MIN_MEMCPY = 16 }; /* bytes; shorter rows cost less byte by byte than a call */

static void copy_rows(const uint8_t *x, int32_t x_stride, uint8_t *y, int32_t y_stride, uint32_t rows, uint32_t bytes)
{
    EV_NO_UNROLL
    for (; rows; rows--, x += x_stride, y += y_stride) {
        if (bytes >= MIN_MEMCPY) {
            memcpy(y, x, bytes);
            continue;
        }
        EV_UNROLL_4
        for (uint32_t i = 0; i < bytes; i++)
            y[i] = x[i];
    }
}

void ev_move(const struct ev_move *p, const void *x, void *y)
{
    ev_move_axes(p, x, y, copy_rows);
}
