/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a split model on a board: messages over its UART. A port without ev_uart_get does not link. */
#include "ev_port.h"
#include "ev_split.h"

static int get(void *context, uint8_t *bytes, uint32_t count)
{
    (void)context;
    while (count--)
        *bytes++ = ev_uart_get();
    return 0;
}

static int put(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    while (count--)
        ev_uart_put((char)*bytes++);
    return 0;
}

int main(void)
{
    const struct ev_split_link uart = {.get = get, .put = put};
    ev_port_init();
    while (ev_split_answer(&uart) == EV_SPLIT_OK)
        ;
    return 1; /* to be reset: nobody knows where the next message begins */
}
