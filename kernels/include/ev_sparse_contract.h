/* SPDX-License-Identifier: Apache-2.0 */
/* Preconditions of linears with blocks of zeros: every block is inside the row. One for each form of the index. */
#ifndef EV_SPARSE_CONTRACT_H
#define EV_SPARSE_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ev_kernels.h"

enum { EV_SPARSE_COLUMNS = 4, EV_SPARSE_INPUTS = 4, EV_SPARSE_VECTOR = 16 };

static inline bool ev_valid_listed_blocks(const struct ev_linear_sparse *p)
{
    const uint16_t *index = p->index;
    for (uint32_t column = 0; column < p->columns; column += EV_SPARSE_COLUMNS)
        for (uint32_t blocks = *index++; blocks > 0; blocks--)
            if (*index++ + EV_SPARSE_INPUTS > p->depth)
                return false;
    return true;
}

static inline bool ev_valid_marked_blocks(const struct ev_linear_sparse *p)
{
    const uint16_t *index = p->index;
    for (uint32_t column = 0; column < p->columns; column += EV_SPARSE_COLUMNS) {
        uint32_t start = 0, mark = 0;
        while (!(mark & 1)) {
            mark = *index++;
            start += mark >> 1;
            if (start + EV_SPARSE_VECTOR > p->depth)
                return false;
        }
    }
    return true;
}

/* Marks before every pair of blocks; inputs are padded to fours. */
static inline bool ev_valid_block_stream(const struct ev_linear_sparse *p)
{
    const int8_t *w = p->weight;
    for (uint32_t column = 0; column < p->columns; column += EV_SPARSE_COLUMNS) {
        uint32_t end = 0;
        for (bool last = false; !last;) {
            uint16_t marks[2];
            memcpy(marks, w, sizeof marks);
            w += sizeof marks;
            for (int i = 0; i < 2 && !last; i++, w += EV_SPARSE_COLUMNS * EV_SPARSE_INPUTS) {
                end += ((uint32_t)(marks[i] >> 1) + 1) * EV_SPARSE_INPUTS;
                last = marks[i] & 1;
            }
        }
        if (end > (p->depth + 3u) / 4 * 4)
            return false;
    }
    return true;
}

#endif
