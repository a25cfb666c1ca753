#include <arm_mve.h>

#include "ev_kernels_mve.h"
#include "ev_move_axes.h"

enum { FAR = 1 << 13 }; /* a step that, seven times, is more than the 16 bits of a place hold */

static void runs(const uint8_t *x, int32_t x_next, uint8_t *y, int32_t y_next, uint32_t rows, uint32_t bytes)
{
    for (; rows; rows--, x += x_next, y += y_next) {
        const uint8_t *from = x;
        uint8_t *to = y;
        for (int32_t left = (int32_t)bytes; left > 0; left -= 16, from += 16, to += 16) {
            const mve_pred16_t inside = vctp8q((uint32_t)left);
            vstrbq_p_u8(to, vldrbq_z_u8(from, inside), inside);
        }
    }
}

static inline uint16x8_t eight_times(int32_t step)
{
    return vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)step);
}

static void bytes_apart(const uint8_t *x, struct ev_side from, uint8_t *y, struct ev_side to, uint32_t rows,
                        uint32_t count)
{
    const uint16x8_t places = eight_times(from.element), targets = eight_times(to.element);
    for (; rows; rows--, x += from.row, y += to.row) {
        const uint8_t *in = x;
        uint8_t *out = y;
        for (int32_t left = (int32_t)count; left > 0; left -= 8, in += 8 * from.element, out += 8 * to.element) {
            const mve_pred16_t inside = vctp16q((uint32_t)left);
            vstrbq_scatter_offset_p_u16(out, targets, vldrbq_gather_offset_z_u16(in, places, inside), inside);
        }
    }
}

static void halves_apart(const uint8_t *x, struct ev_side from, uint8_t *y, struct ev_side to, uint32_t rows,
                         uint32_t count)
{
    const uint16x8_t places = eight_times(from.element), targets = eight_times(to.element);
    for (; rows; rows--, x += from.row, y += to.row) {
        const uint8_t *in = x;
        uint8_t *out = y;
        for (int32_t left = (int32_t)count; left > 0; left -= 8, in += 8 * from.element, out += 8 * to.element) {
            const mve_pred16_t inside = vctp16q((uint32_t)left);
            const uint16x8_t halves = vldrhq_gather_offset_z_u16((const uint16_t *)(const void *)in, places, inside);
            vstrhq_scatter_offset_p_u16((uint16_t *)(void *)out, targets, halves, inside);
        }
    }
}

/* The two innermost axes. */
static void plane(const struct ev_move *p, const uint8_t *x, uint8_t *y)
{
    const struct ev_side from = {p->x_steps[2], p->x_steps[3]}, to = {p->y_steps[2], p->y_steps[3]};
    const uint32_t rows = p->sizes[2], count = p->sizes[3];
    const int near = (uint32_t)from.element < FAR && (uint32_t)to.element < FAR;
    if (from.element == p->width && to.element == p->width)
        runs(x, from.row, y, to.row, rows, count * p->width);
    else if (p->width == 1)
        (near ? bytes_apart : ev_move_bytes)(x, from, y, to, rows, count);
    else
        (near ? halves_apart : ev_move_halves)(x, from, y, to, rows, count);
}

void ev_move_mve(const struct ev_move *p, const void *x, void *y)
{
    const uint8_t *from = x;
    uint8_t *to = y;
    for (int32_t i = 0; i < p->sizes[0]; i++)
        for (int32_t j = 0; j < p->sizes[1]; j++)
            plane(p, from + i * p->x_steps[0] + j * p->x_steps[1], to + i * p->y_steps[0] + j * p->y_steps[1]);
}
