/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the axes of a move. Rows contiguous on both sides are copied by the family's own `copy_rows`. */
#ifndef EV_MOVE_AXES_H
#define EV_MOVE_AXES_H

#include <stdint.h>

#include "ev_compiler.h"
#include "ev_contract.h"
#include "ev_kernels.h"

/* Bytes from row to row and from element to element, on the two innermost axes of x or y. */
struct ev_strides {
    int32_t row, element;
};

/* Copies `rows` of `bytes` each; strides are in bytes. */
typedef void ev_copy_rows(const uint8_t *x, int32_t x_stride, uint8_t *y, int32_t y_stride, uint32_t rows,
                          uint32_t bytes);

EV_NOINLINE static void ev_move_bytes(const uint8_t *x, struct ev_strides x_strides, uint8_t *y,
                                      struct ev_strides y_strides, uint32_t rows, uint32_t count)
{
    EV_NO_UNROLL
    for (; rows; rows--, x += x_strides.row, y += y_strides.row) {
        const uint8_t *in = x;
        uint8_t *out = y;
        EV_UNROLL_4
        for (uint32_t i = count; i; i--, in += x_strides.element, out += y_strides.element)
            *out = *in;
    }
}

EV_NOINLINE static void ev_move_halves(const uint8_t *x, struct ev_strides x_strides, uint8_t *y,
                                       struct ev_strides y_strides, uint32_t rows, uint32_t count)
{
    EV_NO_UNROLL
    for (; rows; rows--, x += x_strides.row, y += y_strides.row) {
        const uint8_t *in = x;
        uint8_t *out = y;
        EV_UNROLL_4
        for (uint32_t i = count; i; i--, in += x_strides.element, out += y_strides.element)
            *(int16_t *)(void *)out = *(const int16_t *)(const void *)in;
    }
}

/* The two innermost axes. */
static inline void ev_move_plane(const struct ev_move *p, const uint8_t *x, uint8_t *y, ev_copy_rows *copy_rows)
{
    const struct ev_strides x_strides = {.row = p->x_strides[2], .element = p->x_strides[3]};
    const struct ev_strides y_strides = {.row = p->y_strides[2], .element = p->y_strides[3]};
    const uint32_t rows = p->sizes[2], count = p->sizes[3];
    if (x_strides.element == p->element_bytes && y_strides.element == p->element_bytes)
        copy_rows(x, x_strides.row, y, y_strides.row, rows, count * p->element_bytes);
    else if (p->element_bytes == 1)
        ev_move_bytes(x, x_strides, y, y_strides, rows, count);
    else
        ev_move_halves(x, x_strides, y, y_strides, rows, count);
}

EV_INLINE void ev_move_axes(const struct ev_move *p, const uint8_t *x, uint8_t *y, ev_copy_rows *copy_rows)
{
    EV_ASSERT(ev_valid_move(p, x, y));
    for (int32_t i = 0; i < p->sizes[0]; i++)
        for (int32_t j = 0; j < p->sizes[1]; j++)
            ev_move_plane(p, x + i * p->x_strides[0] + j * p->x_strides[1],
                          y + i * p->y_strides[0] + j * p->y_strides[1], copy_rows);
}

#endif
