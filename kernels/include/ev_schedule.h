/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of loops over rows of images. */
#ifndef EV_SCHEDULE_H
#define EV_SCHEDULE_H

#include <stdint.h>

/* Input rows that the first `rows` output rows of a window need. It ends `reach` rows below the row where it starts. */
static inline uint32_t ev_upto(uint32_t rows, int32_t stride, int32_t reach, int32_t height)
{
    const int32_t last = ((int32_t)rows - 1) * stride + reach;
    if (rows == 0 || last < 0)
        return 0;
    return (uint32_t)(last < height ? last : height);
}

/* The most of `rows` from row `first` on that lie in a ring one behind the other. */
static inline uint32_t ev_in_a_row(uint32_t rows, uint32_t first, uint32_t ring)
{
    const uint32_t upto_end = ring - first % ring;
    return rows < upto_end ? rows : upto_end;
}

/* The larger of two counts. */
static inline uint32_t ev_most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

#endif
