/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `drun audit` share: audit.c reads the command line, audit_read.c asks the
 * platform for events, audit_check.c verifies and proves. */
#ifndef DRUN_CLI_AUDIT_H
#define DRUN_CLI_AUDIT_H

#include "cli/client.h"

#define AUDIT_API "/apis/audit.drun.io/v1"

struct audit_command {
    struct client_options options;
    const char *word; /* behind the action: DIR, INDEX */
    const char *more; /* prove: DIR */
    bool in_namespace;
    /* of list and tail */
    const char *filter[6]; /* in the order of audit_filter_names */
    const char *limit;
    /* of verify and prove */
    const char *public_key;
    const char *checkpoint;
    const char *proof;
    const char *origin;
};

/* "actor", "event", "role", "outcome", "since", "until" */
extern const char *const audit_filter_names[6];

int audit_list(const struct audit_command *command, struct err *err) MUST_USE;
/* Goes on until it fails. */
int audit_tail(const struct audit_command *command, struct err *err) MUST_USE;

/* 1 when all is good, 0 when it is not. */
int audit_verify_log(const struct audit_command *command, struct err *err) MUST_USE;
int audit_prove(const struct audit_command *command, struct err *err) MUST_USE;
/* A text of the platform as it is: "checkpoints/latest", "publickey". */
int audit_fetch_text(struct client *client, const char *what, struct buf *out,
                     struct err *err) MUST_USE;
/* The text of a proof (c2sp.org/tlog-proof) from the object of one event. */
int audit_proof_of_object(const json_t *object, struct buf *out, struct err *err) MUST_USE;

/* One event as a line: when, index, event, actor, outcome, what was done. */
json_t *audit_row(const json_t *object) MUST_USE;

#endif
