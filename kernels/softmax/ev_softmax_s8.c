#include "ev_kernels.h"
#include "ev_loops.h"

static int32_t largest_of(const int8_t *x, uint32_t count)
{
    int32_t largest = -128;
    EV_BY_FOUR
    for (uint32_t i = 0; i < count; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

/* `scratch` keeps the exponentials of a row, so y may be x. */
void ev_softmax_s8(const struct ev_softmax *p, const int8_t *x, int8_t *y, uint32_t rows, void *scratch)
{
    const uint32_t length = p->length;
    uint16_t *exponentials = scratch;
    for (uint32_t row = 0; row < rows; row++, x += p->x_stride, y += p->y_stride) {
        const uint16_t *table = p->table;
        const int32_t largest = largest_of(x, length);
        uint32_t total = 0;
        EV_BY_FOUR
        for (uint32_t i = 0; i < length; i++) {
            exponentials[i] = table[largest - x[i]];
            total += exponentials[i];
        }
        uint32_t shift = p->shift;
        for (; total >> 16; total >>= 1)
            shift++;
        const uint32_t quotient = p->numerator / total, half = (uint32_t)1 << (shift - 1);
        EV_BY_FOUR
        for (uint32_t i = 0; i < length; i++) {
            uint32_t share = (exponentials[i] * quotient + half) >> shift;
            y[i] = (int8_t)((int32_t)(share > 255 ? 255 : share) - 128);
        }
    }
}
