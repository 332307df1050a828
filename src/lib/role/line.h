/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of another role in the hands of one other thread. The loop gets a new descriptor from
 * the supervisor whenever that role was restarted; it lays it down here, and the thread takes it up
 * before its next call. So a client is always one thread's alone, without a lock that a slow call
 * could hold.
 */
#ifndef DRUN_ROLE_LINE_H
#define DRUN_ROLE_LINE_H

#include "base/attr.h"
#include "ipc/ipc.h"

struct role_line;

/* Takes *client. */
struct role_line *role_line_new(struct ipc_client **client) MUST_USE;
/* When the thread has ended. */
void role_line_free(struct role_line *line);

/* On the loop: takes *fd, -1 while the other role is away. What was laid down before and not taken
 * up is closed. */
void role_line_offer(struct role_line *line, int *fd);
/* On the thread: valid until the next call of this. */
struct ipc_client *role_line_client(struct role_line *line) MUST_USE;

#endif
