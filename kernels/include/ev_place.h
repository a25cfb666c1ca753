/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EV_PLACE_H
#define EV_PLACE_H

#include <stdint.h>

/* The row that a place means: the nearest there is. No place leads outside an array. */
static inline uint32_t ev_row_at(int32_t place, int32_t rows)
{
    return (uint32_t)(place < 0 ? 0 : place < rows ? place : rows - 1);
}

#endif
