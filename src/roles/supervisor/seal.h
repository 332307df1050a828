/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing: no process holds a key any more, and the supervisor stays to be told to unseal. A
 * handler only notes what is asked; seal_work() does it, outside of the loop's callbacks, since
 * roles are started and stopped by turns of the same loop. docs/decisions/0036 says why it is made
 * this way.
 */
#ifndef DRUN_SUPERVISOR_SEAL_H
#define DRUN_SUPERVISOR_SEAL_H

#include "audit/audit.h"
#include "ipc/ipc.h"
#include "role/sealing.h"

#include <sys/types.h>

struct supervisor;

enum { SEAL_WAITING_MAX = 8, SEAL_NOTES_MAX = 16 };

/* Who asked, as the kernel says. */
struct seal_caller {
    uid_t uid;
    pid_t pid;
};

/* What the audit log is to know. */
struct seal_note {
    uint64_t time_ns;
    const char *event;
    enum audit_outcome outcome;
    char actor[48];
    char reason[512];
};

struct sealing {
    struct sealing_status status;
    int socket_fd;
    struct loop_source *source;
    bool seal_asked;
    bool unseal_asked;
    struct seal_caller sealer;
    struct seal_caller unsealer;
    int given_fd; /* a passphrase that was not tried yet; -1: none */
    struct ipc_ticket sealers[SEAL_WAITING_MAX];
    size_t sealer_count;
    struct ipc_ticket unsealer_ticket;
    unsigned failures;                      /* unseals that failed since one did not */
    uint64_t retry_ns;                      /* the next is taken from then on */
    struct seal_note notes[SEAL_NOTES_MAX]; /* not in the audit log yet */
    size_t note_count;
    size_t notes_lost;
};

/* ------------------------------------------------------------------ seal_socket.c */

/* Listens on RUN/seal.sock for root and the user who runs the platform. */
int seal_listen(struct supervisor *supervisor, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ seal.c */

/* A platform that was sealed when it ended starts so again: DATA/sealed says it. With `asked` it
 * starts so this once. */
int seal_init(struct supervisor *supervisor, bool asked, struct err *err) MUST_USE;
bool seal_is_sealed(const struct supervisor *supervisor);
void seal_say_ready(struct supervisor *supervisor);
bool seal_is_asked(const struct supervisor *supervisor);
/* Does what was asked for, and answers. */
void seal_work(struct supervisor *supervisor);
/* Erases the passphrase, and answers who still waits. */
void seal_end(struct supervisor *supervisor);

/* ------------------------------------------------------------------ seal_note.c */

void seal_note(struct supervisor *supervisor, const char *event, enum audit_outcome outcome,
               const struct seal_caller *who, const char *reason);
/* Into the audit log, if it runs; what cannot be sent is kept. */
void seal_send_notes(struct supervisor *supervisor);

#endif
