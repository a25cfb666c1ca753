/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a split model on Linux: `part PORT` answers one connection after the other, on all interfaces. */
#define _POSIX_C_SOURCE 200809L
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ev_split.h"

static int get(void *context, uint8_t *bytes, uint32_t count)
{
    const int connection = *(const int *)context;
    while (count) {
        const ssize_t part = read(connection, bytes, count);
        if (part <= 0)
            return 1;
        bytes += part;
        count -= (uint32_t)part;
    }
    return 0;
}

static int put(void *context, const uint8_t *bytes, uint32_t count)
{
    const int connection = *(const int *)context;
    while (count) {
        const ssize_t part = write(connection, bytes, count);
        if (part <= 0)
            return 1;
        bytes += part;
        count -= (uint32_t)part;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const int port = argc > 1 ? atoi(argv[1]) : 7100, yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t length = sizeof(address);
    const int server = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (server < 0 || bind(server, (const struct sockaddr *)&address, length) || listen(server, 1) ||
        getsockname(server, (struct sockaddr *)&address, &length)) {
        perror("cannot listen");
        return 1;
    }
    printf("part on port %u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int connection = accept(server, NULL, NULL);
        const struct ev_split_link link = {.get = get, .put = put, .context = &connection};
        int status = EV_SPLIT_OK;
        while (connection >= 0 && status == EV_SPLIT_OK)
            status = ev_split_answer(&link);
        if (status == EV_SPLIT_REFUSED)
            fprintf(stderr, "a message was refused\n");
        close(connection);
    }
}
