/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the portable norms of int8 and int16. The including file defines `ev_norm_x`, the type of the input. */
#ifndef EV_NORM_PLAIN_H
#define EV_NORM_PLAIN_H

#include "ev_clamp.h"
#include "ev_norm_rows.h"

static void normalise(const struct ev_norm *p, const struct ev_norm_row *row, const ev_norm_x *x, int8_t *y)
{
    const int32_t a = row->a, b = row->b;
    const uint32_t count = p->length, shift = row->shift;
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++)
        y[i] = (int8_t)ev_clamp_s8((x[i] * a + b) >> shift);
}

static void normalise_affine(const struct ev_norm *p, const struct ev_norm_row *row, const ev_norm_x *x, int8_t *y)
{
    const int32_t a = row->a, b = row->b;
    const int16_t *gain = p->gain;
    const int32_t *bias = p->bias;
    const uint32_t count = p->channels, shift = row->shift, gain_shift = p->gain_shift;
    EV_UNROLL_4
    for (uint32_t i = 0; i < count; i++) {
        const int32_t wide = ev_clamp_s16((x[i] * a + b) >> shift);
        y[i] = (int8_t)ev_clamp_s8((wide * gain[i] + bias[i]) >> gain_shift);
    }
}

#endif
