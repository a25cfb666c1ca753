#include <string.h>

#include "ev_kernels.h"

enum { WORTH_A_CALL = 16 }; /* bytes; shorter runs cost less byte by byte */

static void run_of_bytes(const uint8_t *x, uint8_t *y, uint32_t count)
{
    if (count >= WORTH_A_CALL) {
        memcpy(y, x, count);
        return;
    }
    while (count--)
        *y++ = *x++;
}

static void single_bytes(const uint8_t *x, int32_t x_step, uint8_t *y, int32_t y_step, uint32_t count)
{
    for (; count; count--, x += x_step, y += y_step)
        *y = *x;
}

static void pairs_of_bytes(const uint8_t *x, int32_t x_step, uint8_t *y, int32_t y_step, uint32_t count)
{
    for (; count; count--, x += x_step, y += y_step)
        *(int16_t *)(void *)y = *(const int16_t *)(const void *)x;
}

static void last_axis(const struct ev_move *p, const uint8_t *x, uint8_t *y)
{
    const uint32_t count = p->sizes[3];
    const int32_t x_step = p->x_steps[3], y_step = p->y_steps[3];
    if (x_step == p->width && y_step == p->width)
        run_of_bytes(x, y, count * p->width);
    else if (p->width == 1)
        single_bytes(x, x_step, y, y_step, count);
    else
        pairs_of_bytes(x, x_step, y, y_step, count);
}

void ev_move(const struct ev_move *p, const void *x, void *y)
{
    const uint8_t *from = x;
    uint8_t *to = y;
    for (int32_t i = 0; i < p->sizes[0]; i++)
        for (int32_t j = 0; j < p->sizes[1]; j++)
            for (int32_t k = 0; k < p->sizes[2]; k++)
                last_axis(p, from + i * p->x_steps[0] + j * p->x_steps[1] + k * p->x_steps[2],
                          to + i * p->y_steps[0] + j * p->y_steps[1] + k * p->y_steps[2]);
}
