/* Walks the axes of a move. What lies together on both sides is copied by the family's own `runs`. */
#ifndef EV_MOVE_AXES_H
#define EV_MOVE_AXES_H

#include <stdint.h>

#include "ev_kernels.h"
#include "ev_loops.h"

/* The innermost axes of a side: where it is, and how far it is to the next. */
struct ev_side {
    int32_t row, element;
};

/* `rows` of `bytes` each. */
typedef void ev_move_runs(const uint8_t *x, int32_t x_next, uint8_t *y, int32_t y_next, uint32_t rows, uint32_t bytes);

EV_APART static void ev_move_bytes(const uint8_t *x, struct ev_side from, uint8_t *y, struct ev_side to, uint32_t rows,
                                   uint32_t count)
{
    EV_AS_WRITTEN
    for (; rows; rows--, x += from.row, y += to.row) {
        const uint8_t *in = x;
        uint8_t *out = y;
        EV_BY_FOUR
        for (uint32_t i = count; i; i--, in += from.element, out += to.element)
            *out = *in;
    }
}

EV_APART static void ev_move_halves(const uint8_t *x, struct ev_side from, uint8_t *y, struct ev_side to, uint32_t rows,
                                    uint32_t count)
{
    EV_AS_WRITTEN
    for (; rows; rows--, x += from.row, y += to.row) {
        const uint8_t *in = x;
        uint8_t *out = y;
        EV_BY_FOUR
        for (uint32_t i = count; i; i--, in += from.element, out += to.element)
            *(int16_t *)(void *)out = *(const int16_t *)(const void *)in;
    }
}

/* The two innermost axes. */
static inline void ev_move_plane(const struct ev_move *p, const uint8_t *x, uint8_t *y, ev_move_runs *runs)
{
    const struct ev_side from = {p->x_steps[2], p->x_steps[3]}, to = {p->y_steps[2], p->y_steps[3]};
    const uint32_t rows = p->sizes[2], count = p->sizes[3];
    if (from.element == p->width && to.element == p->width)
        runs(x, from.row, y, to.row, rows, count * p->width);
    else if (p->width == 1)
        ev_move_bytes(x, from, y, to, rows, count);
    else
        ev_move_halves(x, from, y, to, rows, count);
}

EV_INLINE void ev_move_axes(const struct ev_move *p, const uint8_t *x, uint8_t *y, ev_move_runs *runs)
{
    for (int32_t i = 0; i < p->sizes[0]; i++)
        for (int32_t j = 0; j < p->sizes[1]; j++)
            ev_move_plane(p, x + i * p->x_steps[0] + j * p->x_steps[1], y + i * p->y_steps[0] + j * p->y_steps[1],
                          runs);
}

#endif
