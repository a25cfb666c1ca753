/* SPDX-License-Identifier: Apache-2.0 */
/* What the network must compute of what, and the sums of all that could have been changed. */
#ifndef EV_GOLDEN_H
#define EV_GOLDEN_H

#include <stdint.h>

enum {
    EV_GOLDEN_INPUTS = @INPUTS@,
    EV_GOLDEN_OUTPUTS = @OUTPUTS@,
    EV_GOLDEN_CALLS = @CALLS@, /* on the same inputs: more than one where states are taken over */
    EV_GOLDEN_LARGEST_OUTPUT = @LARGEST@
};

extern const void *const ev_golden_inputs[EV_GOLDEN_INPUTS];
extern const void *const ev_golden_outputs[EV_GOLDEN_OUTPUTS * EV_GOLDEN_CALLS]; /* call by call */
extern const uint32_t ev_golden_input_bytes[EV_GOLDEN_INPUTS];
extern const uint32_t ev_golden_output_bytes[EV_GOLDEN_OUTPUTS * EV_GOLDEN_CALLS];

#define EV_GOLDEN_CRC32 @GOLDEN_CRC@u /* of the inputs and outputs, in order */
#define EV_WEIGHTS_CRC32 @WEIGHTS_CRC@u /* of the weights */

#endif
