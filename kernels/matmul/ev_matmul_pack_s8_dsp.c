/* SPDX-License-Identifier: Apache-2.0 */
#include "ev_contract.h"
#include "ev_kernels_dsp.h"
#include "ev_lanes_dsp.h"
#include "ev_products_dsp.h"

/* Layout of a pair of columns: 8 bytes for four taps, 0 and 2, then 1 and 3. Two bytes are a tap of the pair, and the
   first has 128 added. */
enum { FOUR_TAPS = 8, ODD_TAPS = 4, LATER_TAP = 2 };
enum { FIRST = 0x00800080 };

static inline uint32_t pair_bytes(const struct ev_matmul *p)
{
    return (p->depth + 3u) / 4 * FOUR_TAPS;
}

/* Two columns that are rows of b, to their pair's position `out`. */
static void pack_pair(const int8_t *first, const int8_t *second, uint32_t depth, int8_t *out)
{
    EV_NO_UNROLL
    for (; depth >= 4; depth -= 4, first += 4, second += 4, out += FOUR_TAPS) {
        const uint32_t one = ev_load4(first), two = ev_load4(second), even = __uxtb16(two);
        ev_store4(out, (__uxtb16(one) | even << 8) ^ FIRST);
        ev_store4(out + ODD_TAPS, (__uxtb16(one >> 8) | (two ^ even)) ^ FIRST);
    }
    for (uint32_t k = 0; k < depth; k++) {
        int8_t *tap = out + k % 2 * ODD_TAPS + k / 2 * LATER_TAP;
        tap[0] = (int8_t)(first[k] ^ -128);
        tap[1] = second[k];
    }
}

/* One column of a pair. `flip` is -128 for the first. */
static void pack_single(const int8_t *b, uint32_t depth, int8_t flip, int8_t *out)
{
    for (uint32_t k = 0; k < depth; k++)
        out[k / 4 * FOUR_TAPS + k % 2 * ODD_TAPS + k % 4 / 2 * LATER_TAP] = (int8_t)(b[k] ^ flip);
}

/* Each row of b is a column of the product. */
static void pack_transposed(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, int8_t *packed)
{
    const uint32_t end = first + rows;
    for (uint32_t n = first; n < end;) {
        int8_t *out = packed + n / EV_PAIR * pair_bytes(p);
        const uint32_t count = n % 2 == 0 && n + 1 < end ? 2 : 1;
        if (count == 2)
            pack_pair(b, b + p->b_stride, p->depth, out);
        else
            pack_single(b, p->depth, n % 2 == 0 ? -128 : 0, out + n % 2);
        b += count * p->b_stride;
        n += count;
    }
}

/* Each row of b is one tap of every column. */
static void pack_straight(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, int8_t *packed)
{
    const uint32_t columns = p->columns, bytes = pair_bytes(p);
    for (uint32_t k = first; k < first + rows; k++, b += p->b_stride) {
        int8_t *out = packed + k / 4 * FOUR_TAPS + k % 2 * ODD_TAPS + k % 4 / 2 * LATER_TAP;
        uint32_t n = 0;
        EV_NO_UNROLL
        for (; n + 2 * EV_PAIR <= columns; n += 2 * EV_PAIR, out += 2 * bytes) {
            const uint32_t taps = ev_load4(b + n) ^ FIRST;
            const uint16_t pairs[2] = {(uint16_t)taps, (uint16_t)(taps >> 16)};
            memcpy(out, &pairs[0], 2);
            memcpy(out + bytes, &pairs[1], 2);
        }
        for (uint32_t i = 0; n + i < columns; i++)
            out[i / 2 * bytes + i % 2] = (int8_t)(b[n + i] ^ (i % 2 == 0 ? -128 : 0));
    }
}

void ev_matmul_pack_s8_dsp(const struct ev_matmul *p, const int8_t *b, uint32_t first, uint32_t rows, void *packed)
{
    EV_ASSERT(ev_valid_matmul(p));
    EV_ASSERT(first + rows <= (p->b_transposed ? p->columns : p->depth));
    EV_ASSERT(ev_aligned(packed, 16));
    (p->b_transposed ? pack_transposed : pack_straight)(p, b, first, rows, packed);
}
