/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder: the platform and its children. */
#ifndef DRUN_SUPERVISOR_SUPERVISOR_INTERNAL_H
#define DRUN_SUPERVISOR_SUPERVISOR_INTERNAL_H

#include "loop/loop.h"
#include "role/control.h"
#include "role/sealing.h"
#include "supervisor/instance.h"
#include "supervisor/seal.h"
#include "supervisor/supervisor.h"

struct child {
    const struct role_entry *entry;
    struct supervisor *supervisor;
    pid_t pid; /* 0 when not running */
    int pidfd;
    int control;
    struct loop_source *pidfd_source;
    struct loop_source *control_source;
    struct loop_source *restart_timer;
    uint64_t started_ns;
    uint64_t backoff_ms;
    bool ready;
    bool was_ready;     /* at least once since the platform was started or unsealed */
    struct err failure; /* what it said last */
};

/* Far enough for a timer that is not to fire. */
#define NEVER_MS (1ULL << 40)

struct supervisor {
    struct role_entry table[ROLE_COUNT]; /* the lines that are wanted; ends with a zeroed one */
    const struct settings *settings;
    struct instance instance;
    struct loop *loop;
    struct child children[ROLE_COUNT];
    int http_fd[ROLE_COUNT];
    int operator_fd;
    int listener_fd[SETTINGS_LISTENERS]; /* -1: none */
    int passphrase_fd; /* a file in memory, as long as the platform is unsealed; -1: none */
    bool stopping;     /* roles end, and none is started again */
    bool ending;       /* and so does the platform */
    bool failed;       /* a role that never came up */
    struct sealing sealing;
};

/* ------------------------------------------------------------------ supervisor.c */

/* Every role, as at the first start; 0 also when that was cut short (`stopping`). */
int supervisor_start(struct supervisor *supervisor, struct err *err) MUST_USE;
/* Every role in reverse, the gateway first; its listeners then refuse. */
void supervisor_stop(struct supervisor *supervisor);

/* ------------------------------------------------------------------ child.c: a role's life */

void child_init(struct child *child, struct supervisor *supervisor);
/* Forgets how it fared: for a start after all of them were stopped. */
void child_renew(struct child *child);
int child_start(struct child *child, struct err *err) MUST_USE;
int child_wait_until_ready(struct child *child, struct err *err) MUST_USE;
/* Asks it to stop, and ends it when it does not. */
void child_stop(struct child *child);
/* Of the child's restart timer. */
loop_fn child_restart;

/* ------------------------------------------------------------------ grant.c: what a role is given
 */

/* Everything up to the word to begin, and the other ends of its channels to the roles that run. */
int grant_all(struct child *child, struct err *err) MUST_USE;
/* A channel of the supervisor's own to a role that runs. */
int grant_own_channel(struct child *server, int *out_client_fd, struct err *err) MUST_USE;
/* One control message. */
int grant_send(struct child *child, enum control_type type, struct span body, int fd,
               struct err *err) MUST_USE;

/* ------------------------------------------------------------------ places.c: folders and sockets
 */

/* What stays while the platform is sealed: its addresses, and DATA/run, which names the run
 * directory. */
int places_make(struct supervisor *supervisor, struct err *err) MUST_USE;
/* The folders and sockets of the roles. */
int places_open(struct supervisor *supervisor, struct err *err) MUST_USE;
/* Where clients on this machine find the platform: the run directory has the address in "endpoint".
 */
int places_announce(const struct supervisor *supervisor, const char *url, struct err *err) MUST_USE;
/* What lies in memory only must outlive neither the platform nor its seal: keys of certificates,
 * names, models. */
void places_close(struct supervisor *supervisor);
/* The same, and what places_make() and the seal's socket left. */
void places_clear(struct supervisor *supervisor);

#endif
