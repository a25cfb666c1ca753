/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the network on the golden inputs and compares the outputs, in C or C++. Written by edgevit. */
#ifndef EV_EXAMPLE_H
#define EV_EXAMPLE_H

#include <string.h>

#include "edgevit_model.h"
#include "ev_golden.h"

/* Returns whether every output is the golden one, byte for byte. */
static int ev_example(void)
{
    static uint8_t arena[EV_MODEL_ARENA_BYTES] __attribute__((aligned(16)));
    static uint8_t result[EV_GOLDEN_OUTPUTS][EV_GOLDEN_LARGEST_OUTPUT];
    void *outputs[EV_GOLDEN_OUTPUTS];
    for (int k = 0; k < EV_GOLDEN_OUTPUTS; k++)
        outputs[k] = result[k];
#ifdef EV_MODEL_STATE_BYTES
    if (ev_model_reset_state(arena) != EV_OK)
        return 0;
#endif
    for (int call = 0; call < EV_GOLDEN_CALLS; call++) {
        if (ev_model_run(ev_golden_inputs, outputs, arena) != EV_OK)
            return 0;
        for (int k = 0, at = call * EV_GOLDEN_OUTPUTS; k < EV_GOLDEN_OUTPUTS; k++, at++)
            if (memcmp(result[k], ev_golden_outputs[at], ev_golden_output_bytes[at]) != 0)
                return 0;
    }
    return 1;
}

#endif
