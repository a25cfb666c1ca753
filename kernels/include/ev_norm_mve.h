/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the norms of int8 and int16 in Helium. The including file defines, before:

     ev_norm_x, ev_norm_vector, LANES       the type of the input, a vector of it, and its lanes
     struct ev_norm_sums                    that many lanes of 32 bits
     load(), load_tail(), store(), store_tail(), tail_lanes()
     scale(row, x)                          x * a + b
     narrow(sums, shift)                    sums >> shift, saturated to 8 bits
     affine(sums, shift, gain, bias, gain_shift)                                                               */
#ifndef EV_NORM_MVE_H
#define EV_NORM_MVE_H

#include "ev_norm_rows.h"

static void normalise(const struct ev_norm *p, const struct ev_norm_row *row, const ev_norm_x *x, int8_t *y)
{
    for (uint32_t blocks = p->length / LANES; blocks; blocks--, x += LANES, y += LANES)
        store(y, narrow(scale(row, load(x)), row->shift));
    const mve_pred16_t tail = tail_lanes(p->length % LANES);
    if (p->length % LANES)
        store_tail(y, narrow(scale(row, load_tail(x, tail)), row->shift), tail);
}

static void normalise_affine(const struct ev_norm *p, const struct ev_norm_row *row, const ev_norm_x *x, int8_t *y)
{
    const int16_t *gain = p->gain;
    const int32_t *bias = p->bias, gain_shift = p->gain_shift;
    for (uint32_t blocks = p->channels / LANES; blocks; blocks--, x += LANES, y += LANES, gain += LANES, bias += LANES)
        store(y, affine(scale(row, load(x)), row->shift, gain, bias, gain_shift));
    const mve_pred16_t tail = tail_lanes(p->channels % LANES);
    if (p->channels % LANES)
        store_tail(y, affine(scale(row, load_tail(x, tail)), row->shift, gain, bias, gain_shift), tail);
}

#endif
