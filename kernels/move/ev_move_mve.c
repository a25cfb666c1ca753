/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_mve.h>

#include "ev_kernels_mve.h"
#include "ev_move_axes.h"

enum { MAX_SCATTER_STRIDE = 1 << 13 }; /* bytes; seven times that is the last offset, and must fit in 16 bits */

static void copy_rows(const uint8_t *x, int32_t x_stride, uint8_t *y, int32_t y_stride, uint32_t rows, uint32_t bytes)
{
    for (; rows; rows--, x += x_stride, y += y_stride) {
        const uint8_t *from = x;
        uint8_t *to = y;
        for (int32_t remaining = (int32_t)bytes; remaining > 0; remaining -= 16, from += 16, to += 16) {
            const mve_pred16_t inside = vctp8q((uint32_t)remaining);
            vstrbq_p_u8(to, vldrbq_z_u8(from, inside), inside);
        }
    }
}

/* 0 to 7 times `stride`. */
static inline uint16x8_t lane_offsets(int32_t stride)
{
    return vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)stride);
}

/* `element_bytes` is a constant. */
EV_INLINE void scatter_elements(const uint8_t *x, struct ev_strides x_strides, uint8_t *y, struct ev_strides y_strides,
                                uint32_t rows, uint32_t count, const int element_bytes)
{
    const uint16x8_t x_offsets = lane_offsets(x_strides.element), y_offsets = lane_offsets(y_strides.element);
    const int32_t x_step = 8 * x_strides.element, y_step = 8 * y_strides.element;
    for (; rows; rows--, x += x_strides.row, y += y_strides.row) {
        const uint8_t *in = x;
        uint8_t *out = y;
        for (int32_t remaining = (int32_t)count; remaining > 0; remaining -= 8, in += x_step, out += y_step) {
            const mve_pred16_t lanes = vctp16q((uint32_t)remaining);
            if (element_bytes == 1) {
                vstrbq_scatter_offset_p_u16(out, y_offsets, vldrbq_gather_offset_z_u16(in, x_offsets, lanes), lanes);
            } else {
                const uint16_t *from = (const uint16_t *)(const void *)in;
                const uint16x8_t halves = vldrhq_gather_offset_z_u16(from, x_offsets, lanes);
                vstrhq_scatter_offset_p_u16((uint16_t *)(void *)out, y_offsets, halves, lanes);
            }
        }
    }
}

static void scatter_bytes(const uint8_t *x, struct ev_strides x_strides, uint8_t *y, struct ev_strides y_strides,
                          uint32_t rows, uint32_t count)
{
    scatter_elements(x, x_strides, y, y_strides, rows, count, 1);
}

static void scatter_halves(const uint8_t *x, struct ev_strides x_strides, uint8_t *y, struct ev_strides y_strides,
                           uint32_t rows, uint32_t count)
{
    scatter_elements(x, x_strides, y, y_strides, rows, count, 2);
}

/* The two innermost axes. */
static void move_plane(const struct ev_move *p, const uint8_t *x, uint8_t *y)
{
    const struct ev_strides x_strides = {.row = p->x_strides[2], .element = p->x_strides[3]};
    const struct ev_strides y_strides = {.row = p->y_strides[2], .element = p->y_strides[3]};
    const uint32_t rows = p->sizes[2], count = p->sizes[3];
    const uint32_t x_step = (uint32_t)x_strides.element, y_step = (uint32_t)y_strides.element;
    const int offsets_fit = x_step < MAX_SCATTER_STRIDE && y_step < MAX_SCATTER_STRIDE;
    if (x_strides.element == p->element_bytes && y_strides.element == p->element_bytes)
        copy_rows(x, x_strides.row, y, y_strides.row, rows, count * p->element_bytes);
    else if (p->element_bytes == 1)
        (offsets_fit ? scatter_bytes : ev_move_bytes)(x, x_strides, y, y_strides, rows, count);
    else
        (offsets_fit ? scatter_halves : ev_move_halves)(x, x_strides, y, y_strides, rows, count);
}

void ev_move_mve(const struct ev_move *p, const void *x, void *y)
{
    EV_ASSERT(ev_valid_move(p, x, y));
    const uint8_t *from = x;
    uint8_t *to = y;
    for (int32_t i = 0; i < p->sizes[0]; i++)
        for (int32_t j = 0; j < p->sizes[1]; j++)
            move_plane(p, from + i * p->x_strides[0] + j * p->x_strides[1],
                       to + i * p->y_strides[0] + j * p->y_strides[1]);
}
