#include "ev_kernels.h"
#include "ev_products.h"

void ev_matmul_s8(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    const int32_t *bias = packed;
    const struct ev_product product = {
        p->depth, p->columns, p->a_stride, p->y_stride, 0, (const int8_t *)(bias + p->columns), bias, &p->multiplier,
    };
    ev_product(&product, a, y, rows);
}
