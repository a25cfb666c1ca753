/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

typedef int8_t ev_norm_x;

#include "ev_kernels.h"
#include "ev_norm_plain.h"

enum { CHUNK = 1 << 16 }; /* squares whose sum 32 bits hold */

static struct ev_norm_row reduce_row(const struct ev_norm *p, const int8_t *x)
{
    int32_t total = 0;
    uint64_t squares = 0;
    for (uint32_t remaining = p->length; remaining;) {
        const uint32_t count = remaining < CHUNK ? remaining : CHUNK;
        uint32_t sum = 0;
        EV_UNROLL_4
        for (uint32_t i = 0; i < count; i++) {
            total += x[i];
            sum += (uint32_t)(x[i] * x[i]);
        }
        squares += sum;
        remaining -= count;
        x += count;
    }
    return ev_norm_row(p, total, squares, 0, 16);
}

void ev_norm_s8(const struct ev_norm *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    ev_norm_rows(p, x, y, rows, reduce_row, normalise, normalise_affine);
}
