/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `drun seal`, `unseal` and `status` ask the supervisor on RUN/seal.sock: packets of lib/ipc.
 * docs/PROTOCOL.seal has the messages.
 */
#ifndef DRUN_ROLE_SEALING_H
#define DRUN_ROLE_SEALING_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

#define SEALING_SOCKET "seal.sock"

enum sealing_message {
    SEALING_STATUS = 1, /* answered with a struct sealing_status */
    SEALING_SEAL,       /* answered, without a body, when no process holds a key */
    SEALING_UNSEAL,     /* with a descriptor, the passphrase; answered when the platform is ready */
};

enum sealing_state {
    SEALING_STATE_STARTING,
    SEALING_STATE_READY,
    SEALING_STATE_CLOSING, /* on its way to sealed */
    SEALING_STATE_SEALED,
    SEALING_STATE_COUNT
};

enum { SEALING_WHY_SIZE = 192, SEALING_STATUS_MAX = 1 + 8 + 4 + SEALING_WHY_SIZE };

struct sealing_status {
    enum sealing_state state;
    uint64_t since_sec;         /* wall clock */
    char why[SEALING_WHY_SIZE]; /* of a sealed platform: "by uid 0, process 4711"; else empty */
};

/* "starting", "ready", "being sealed", "sealed" */
const char *sealing_state_name(enum sealing_state state);

void sealing_put_status(const struct sealing_status *status, struct buf *out);
int sealing_get_status(struct span body, struct sealing_status *out, struct err *err) MUST_USE;

#endif
