/* SPDX-License-Identifier: Apache-2.0 */
/* Alif Ensemble E8. Public sources disagree on the third tap. */
#include "ev_alif.h"

static const uint32_t taps[4] = {100000000, 200000000, 0, 400000000};

void ev_port_init(void)
{
    ev_alif_begin();
}

uint32_t ev_port_hz(void)
{
    return ev_alif_hz(taps);
}
