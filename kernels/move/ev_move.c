#include <string.h>

#include "ev_move_axes.h"

enum { WORTH_A_CALL = 16 }; /* bytes; shorter runs cost less byte by byte */

static void runs(const uint8_t *x, int32_t x_next, uint8_t *y, int32_t y_next, uint32_t rows, uint32_t bytes)
{
    EV_AS_WRITTEN
    for (; rows; rows--, x += x_next, y += y_next) {
        if (bytes >= WORTH_A_CALL) {
            memcpy(y, x, bytes);
            continue;
        }
        EV_BY_FOUR
        for (uint32_t i = 0; i < bytes; i++)
            y[i] = x[i];
    }
}

void ev_move(const struct ev_move *p, const void *x, void *y)
{
    ev_move_axes(p, x, y, runs);
}
