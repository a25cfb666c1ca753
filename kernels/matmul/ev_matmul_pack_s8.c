#include "ev_kernels.h"

/* What a column's sum starts from, for every column; then the columns, each in a row. */
void ev_matmul_pack_s8(const struct ev_matmul *p, const int8_t *b, void *packed)
{
    const uint32_t depth = p->depth, columns = p->columns;
    const uint32_t along = p->turned ? 1 : p->b_stride, across = p->turned ? p->b_stride : 1;
    int32_t *bias = packed;
    int8_t *out = (int8_t *)(bias + columns);
    for (uint32_t n = 0; n < columns; n++, b += across) {
        const int8_t *from = b;
        int32_t sum = 0;
        for (uint32_t k = 0; k < depth; k++, from += along) {
            const int8_t value = *from;
            *out++ = value;
            sum += value;
        }
        *bias++ = p->bias - p->zero * sum;
    }
}
