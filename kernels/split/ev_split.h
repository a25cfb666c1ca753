/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a split model on this device: it answers the messages of run_split.py, over anything that carries bytes. */
#ifndef EV_SPLIT_H
#define EV_SPLIT_H

#include <stdint.h>

enum {
    EV_SPLIT_OK,
    EV_SPLIT_CLOSED,  /* the other side is gone */
    EV_SPLIT_REFUSED, /* another message than this part takes; what follows on the link cannot be read */
};

/* Both carry `count` bytes, and return 0, or another number where they cannot. */
struct ev_split_link {
    int (*get)(void *context, uint8_t *bytes, uint32_t count);
    int (*put)(void *context, const uint8_t *bytes, uint32_t count);
    void *context;
};

/* Reads one message, runs the network, sends what it computes. */
int ev_split_answer(const struct ev_split_link *link);

#endif
