/* SPDX-License-Identifier: Apache-2.0 */
/* Two rows by four columns in assembly, for a depth of whole sixteens. The order of members is the assembly's. */
#ifndef EV_PRODUCT_PAIRS_MVE_H
#define EV_PRODUCT_PAIRS_MVE_H

#include <stdint.h>

enum {
    EV_ROUND = 8, /* steps of sixteen in a round of the inner loop */
    EV_SHORT = 7  /* steps that need no loop */
};

/* Several pairs: each block of columns goes over all rows. */
struct ev_product_pairs {
    uint32_t step;          /* Bytes from where a row of x was read to the end, to the row two further. Of halves: from a
                               row of y to the other of its pair */
    uint32_t y_stride;      /* Bytes */
    const int8_t *y_end;    /* Behind the last pair, or the first half, at the column of y */
    const int8_t *weight;   /* Of the assembly's own */
    int32_t rounds;         /* Whole rounds after the first step */
    const void *entry;      /* Of the assembly's own */
    uint32_t weight_bytes;  /* Of a block, without its constants */
    const int8_t *end;      /* Of the blocks */
    int8_t *y;              /* Moves on by the assembly */
    const int8_t *x0, *x1;
};

/* One pair: the rows go over all blocks. */
struct ev_product_pair {
    uint32_t y_stride; /* Bytes */
    const int8_t *x0, *x1;
    const int8_t *end;
    int32_t rounds;
    const void *entry;
};

/* `more`: steps after the first and the whole rounds. There is at least one pair, and one block. Halves and a short pair
   have at most EV_SHORT steps, and halves no gaps between the rows of x: a row is paired with the one half of all rows
   further. */
void ev_product_pairs_mve(struct ev_product_pairs *s, const int8_t *blocks, uint32_t more);
void ev_product_halves_mve(struct ev_product_pairs *s, const int8_t *blocks, uint32_t more);
void ev_product_pair_mve(struct ev_product_pair *s, const int8_t *blocks, uint32_t more, int8_t *y);
void ev_product_short_pair_mve(struct ev_product_pair *s, const int8_t *blocks, uint32_t more, int8_t *y);

#endif
