#include "ev_kernels_mve.h"

void ev_matmul_s8_mve(const struct ev_matmul *p, const int8_t *a, const void *packed, int8_t *y, uint32_t rows,
                      void *scratch)
{
    const struct ev_product_mve product = {p->depth, p->columns, p->a_stride, p->y_stride, packed};
    (void)scratch;
    ev_product_s8_mve(&product, a, y, rows);
}
