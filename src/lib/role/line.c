/* SPDX-License-Identifier: Apache-2.0 */
#include "role/line.h"

#include "base/fd.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { NOTHING_NEW = -2 };

struct role_line {
    struct ipc_client *client; /* the thread's */
    atomic_int offered;        /* a descriptor, -1, or NOTHING_NEW */
};

struct role_line *role_line_new(struct ipc_client **client)
{
    struct role_line *line = mem_new(sizeof(*line));

    line->client = *client;
    *client = NULL;
    atomic_init(&line->offered, NOTHING_NEW);
    return line;
}

void role_line_free(struct role_line *line)
{
    if (line == NULL)
        return;
    int fd = atomic_exchange(&line->offered, NOTHING_NEW);
    if (fd >= 0)
        fd_close(&fd);
    ipc_client_free(line->client);
    free(line);
}

void role_line_offer(struct role_line *line, int *fd)
{
    int old = atomic_exchange(&line->offered, *fd);

    *fd = -1;
    if (old >= 0)
        fd_close(&old);
}

struct ipc_client *role_line_client(struct role_line *line)
{
    int fd = atomic_exchange(&line->offered, NOTHING_NEW);

    if (fd != NOTHING_NEW)
        ipc_client_reconnect(line->client, &fd);
    return line->client;
}
