/* Sixteen products at a time, with the vector instructions of the Cortex-M55. */
#include "ev_run.h"
#include <arm_mve.h>

EV_INPUT int8_t left[100];
EV_INPUT int8_t right[100];

int32_t dot(const int8_t *first, const int8_t *second, int32_t count);

__attribute__((noinline)) int32_t dot(const int8_t *first, const int8_t *second, int32_t count)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i += 16) {
        mve_pred16_t lanes = vctp8q((uint32_t)(count - i));
        sum = vmladavaq_s8(sum, vldrbq_z_s8(first + i, lanes), vldrbq_z_s8(second + i, lanes));
    }
    return sum;
}

int main(void)
{
    int32_t sum = dot(left, right, 100);
    ev_emit(&sum, sizeof sum);
    return 0;
}
