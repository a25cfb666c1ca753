/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that work one after another in one arena: `ev_models_arena.bytes` for each call. Written by edgevit. */
#ifndef EV_MODELS_H
#define EV_MODELS_H

@INCLUDES@

typedef union ev_models_arena {
@UNION@
    uint8_t bytes[1];
} ev_models_arena __attribute__((aligned(16)));

@OWN@
#endif
