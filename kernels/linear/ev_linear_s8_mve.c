#include "ev_kernels_mve.h"

void ev_linear_s8_mve(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const struct ev_product_mve product = {p->depth, p->columns, p->x_stride, p->y_stride, p->weight};
    (void)scratch;
    ev_product_s8_mve(&product, x, y, rows);
}
