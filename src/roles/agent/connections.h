/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many are connected to an engine, as the kernel tells it. The end of a connection that the
 * engine has belongs to the network namespace of who connected, not to the engine's own. So of the
 * sockets that the engine's processes hold those are connections from outside that its own
 * namespace does not list (proc(5), /proc/PID/net/unix).
 */
#ifndef DRUN_AGENT_CONNECTIONS_H
#define DRUN_AGENT_CONNECTIONS_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CONNECTIONS_OWN_MAX = 1024 };

/* The Unix sockets that were made in a namespace. */
struct connections_own {
    uint64_t inode[CONNECTIONS_OWN_MAX];
    size_t count;
    bool listens; /* on a path that ends as was asked */
    bool too_many;
};

/* Takes the text of net/unix, in which names are the engine's own words. */
void connections_read(struct span text, const char *name, struct connections_own *out);

/* To all processes in the network namespace of this one. -1: it cannot be told, as nobody listens
 * there on a path that ends with `name`, or the processes are hidden. */
int connections_of(pid_t pid, const char *name);

#endif
