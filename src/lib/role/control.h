/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket between the supervisor and a role, descriptor 3 of the role: packets of
 * lib/ipc without answers. docs/PROTOCOL.control has the bodies.
 */
#ifndef DRUN_ROLE_CONTROL_H
#define DRUN_ROLE_CONTROL_H

#include "base/buf.h"
#include "base/err.h"
#include "ipc/wire.h"

#include <sys/types.h>

enum { CONTROL_FD = 3, CONTROL_PATH_SIZE = 512 };

enum control_type {
    /* supervisor to role */
    CONTROL_HELLO = 1, /* who you are, where things are, the settings */
    CONTROL_FD_NAMED,  /* one descriptor and its name */
    CONTROL_CALL,      /* one descriptor: the client's end of a channel to a role */
    CONTROL_CALL_LATE, /* the same for the second channel, whose answers come late */
    CONTROL_SERVE,     /* one descriptor: the server's end of a channel from a role */
    CONTROL_BEGIN,     /* that was all to start with */
    CONTROL_STOP,      /* finish and exit */
    /* role to supervisor */
    CONTROL_READY,  /* requests may come */
    CONTROL_FAILED, /* why the role ends */
};

/* How the allocator keeps memory, before the first thread: what a thread or a large buffer needed
 * once goes back when it is free. */
void role_arrange_memory(void);

/* Gives back what only the start needed: free heap, and the pages of program code that it ran
 * through. A role then keeps just the memory that it works with. */
void role_trim_memory(void);

struct role;
/* The user to become when root; 0 to stay. */
uid_t role_uid(const struct role *role);

struct control_hello {
    uint32_t role;
    char instance[40];
    char data_dir[CONTROL_PATH_SIZE]; /* a longer path is refused at the start */
    char run_dir[CONTROL_PATH_SIZE];
    uint32_t uid;         /* to become when root; 0 to stay */
    struct span settings; /* YAML */
};

void control_put_hello(struct buf *out, const struct control_hello *hello);
int control_get_hello(struct span body, struct control_hello *out, struct err *err) MUST_USE;

/* What a role says last: its error. The message is made fit to be shown, whatever is in it. */
void control_put_failure(struct buf *out, const struct err *why);
int control_get_failure(struct span body, struct err *out_why, struct err *err) MUST_USE;
/* Tells the supervisor, if it listens. */
void control_tell_failure(const struct err *why);

/* 1 sent, 0 the other end is gone. With fd < 0 no descriptor goes along. */
int control_send(int socket, enum control_type type, struct span body, int fd,
                 struct err *err) MUST_USE;

#endif
