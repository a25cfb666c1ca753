/* SPDX-License-Identifier: Apache-2.0 */
/* A message is four bytes with the length of a header, the header as JSON, and the values one behind the other. The
   header of this part's messages is always the same text, as its integers have fixed scales: no JSON is read. */
#include "ev_split.h"

#include "edgevit_model.h"
#include "ev_split_part.h"

__attribute__((section(".bss.ev_arena"), aligned(16))) static uint8_t arena[EV_MODEL_ARENA_BYTES];
static uint8_t inputs[EV_SPLIT_INPUT_BYTES] __attribute__((aligned(16)));
static uint8_t outputs[EV_SPLIT_OUTPUT_BYTES] __attribute__((aligned(16)));

static int get_header(const struct ev_split_link *link)
{
    uint8_t bytes[32];
    if (link->get(link->context, bytes, 4))
        return EV_SPLIT_CLOSED;
    const uint32_t length = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    if (length != sizeof(ev_split_request) - 1)
        return EV_SPLIT_REFUSED;
    for (uint32_t at = 0, count; at < length; at += count) {
        count = length - at < sizeof(bytes) ? length - at : (uint32_t)sizeof(bytes);
        if (link->get(link->context, bytes, count))
            return EV_SPLIT_CLOSED;
        for (uint32_t i = 0; i < count; i++)
            if (bytes[i] != (uint8_t)ev_split_request[at + i])
                return EV_SPLIT_REFUSED;
    }
    return EV_SPLIT_OK;
}

static int put_reply(const struct ev_split_link *link)
{
    const uint32_t length = sizeof(ev_split_reply) - 1;
    const uint8_t bytes[4] = {(uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), (uint8_t)(length >> 24)};
    if (link->put(link->context, bytes, sizeof(bytes)) ||
        link->put(link->context, (const uint8_t *)ev_split_reply, length))
        return EV_SPLIT_CLOSED;
    for (uint32_t k = 0; k < EV_SPLIT_OUTPUTS; k++)
        if (link->put(link->context, outputs + ev_split_outputs[k][0], ev_split_outputs[k][1]))
            return EV_SPLIT_CLOSED;
    return EV_SPLIT_OK;
}

int ev_split_answer(const struct ev_split_link *link)
{
    const void *from[EV_SPLIT_INPUTS];
    void *to[EV_SPLIT_OUTPUTS];
    const int status = get_header(link);
    if (status != EV_SPLIT_OK)
        return status;
    for (uint32_t k = 0; k < EV_SPLIT_INPUTS; k++) {
        from[k] = inputs + ev_split_inputs[k][0];
        if (link->get(link->context, inputs + ev_split_inputs[k][0], ev_split_inputs[k][1]))
            return EV_SPLIT_CLOSED;
    }
    for (uint32_t k = 0; k < EV_SPLIT_OUTPUTS; k++)
        to[k] = outputs + ev_split_outputs[k][0];
    if (ev_model_run(from, to, arena) != EV_OK)
        return EV_SPLIT_REFUSED;
    return put_reply(link);
}
