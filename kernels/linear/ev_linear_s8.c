#include "ev_kernels.h"
#include "ev_products.h"

void ev_linear_s8(const struct ev_linear *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    (void)scratch;
    const struct ev_product product = {
        p->depth, p->columns, p->x_stride, p->y_stride, 1, p->weight, p->bias, p->multiplier,
    };
    ev_product(&product, x, y, rows);
}
