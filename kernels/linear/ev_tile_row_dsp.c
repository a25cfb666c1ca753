#include "ev_lanes_dsp.h"
#include "ev_products_dsp.h"

enum { MINUS_128 = (int)0xff80ff80 };

/* Four bytes: two words. */
static inline int32_t put(uint32_t *words, uint32_t bytes, uint32_t offset, int32_t sum)
{
    const uint32_t even = ev_add_even_bytes(offset, bytes), odd = ev_add_odd_bytes(offset, bytes);
    words[0] = even;
    words[EV_TILE_ROWS] = odd;
    return __smlad((int16x2_t)odd, MINUS_128, __smlad((int16x2_t)even, MINUS_128, sum));
}

int32_t ev_tile_row_dsp(uint32_t *words, const int8_t *x, uint32_t count, uint32_t offset)
{
    int32_t sum = 0;
    EV_AS_WRITTEN
    for (; count >= 8; count -= 8, x += 8, words += 4 * EV_TILE_ROWS) {
        sum = put(words, ev_load4(x), offset, sum);
        sum = put(words + 2 * EV_TILE_ROWS, ev_load4(x + 4), offset, sum);
    }
    if (count >= 4) {
        sum = put(words, ev_load4(x), offset, sum);
        count -= 4, x += 4, words += 2 * EV_TILE_ROWS;
    }
    if (count > 0) {
        uint32_t bytes = (uint8_t)-offset * 0x01010101u;
        while (count > 0)
            bytes = bytes << 8 | (uint8_t)x[--count];
        sum = put(words, bytes, offset, sum);
    }
    return sum;
}
