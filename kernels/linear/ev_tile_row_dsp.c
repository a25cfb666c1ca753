/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_lanes_dsp.h"
#include "ev_products_dsp.h"

enum { MINUS_128 = (int)0xff80ff80 };

/* Unpacks four bytes to two words of halves. Returns `sum` - 128 * their sum. */
static inline int32_t unpack_four(uint32_t *words, uint32_t bytes, uint32_t offset, int32_t sum)
{
    const uint32_t even = ev_add_even_bytes(offset, bytes), odd = ev_add_odd_bytes(offset, bytes);
    words[0] = even;
    words[EV_TILE_ROWS] = odd;
    return __smlad((int16x2_t)odd, MINUS_128, __smlad((int16x2_t)even, MINUS_128, sum));
}

int32_t ev_tile_row_dsp(uint32_t *words, const int8_t *x, uint32_t count, uint32_t offset)
{
    int32_t sum = 0;
    EV_NO_UNROLL
    for (; count >= 8; count -= 8, x += 8, words += 4 * EV_TILE_ROWS) {
        sum = unpack_four(words, ev_load4(x), offset, sum);
        sum = unpack_four(words + 2 * EV_TILE_ROWS, ev_load4(x + 4), offset, sum);
    }
    if (count >= 4) {
        sum = unpack_four(words, ev_load4(x), offset, sum);
        count -= 4, x += 4, words += 2 * EV_TILE_ROWS;
    }
    if (count > 0) {
        uint32_t bytes = (uint8_t)-offset * 0x01010101u;
        while (count > 0)
            bytes = bytes << 8 | (uint8_t)x[--count];
        sum = unpack_four(words, bytes, offset, sum);
    }
    return sum;
}
