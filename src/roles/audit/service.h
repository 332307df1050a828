/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit role without its process: it takes events from the other roles and from rings, writes
 * those of one wake-up of the loop together, and then answers. Checkpoints, kms' own events and
 * retention go by a timer.
 *
 * A role cannot speak for another: the service writes the name of the channel's peer into each
 * event. What comes through a ring is the gateway's that gave the ring.
 */
#ifndef DRUN_ROLES_AUDIT_SERVICE_H
#define DRUN_ROLES_AUDIT_SERVICE_H

#include "audit/log.h"
#include "ipc/ipc.h"
#include "loop/loop.h"

struct audit_service;

struct audit_service_config {
    struct loop *loop;
    const char *dir;             /* of the log */
    struct audit_log_config log; /* copied; `signers` may be NULL when the next is not */
    /* Gives all generations of the signing key whenever the log is opened; ctx is that of log.keys.
     */
    int (*load_signers)(void *ctx, struct note_keys *out, struct err *err);
    struct ipc_client *kms; /* for its events; NULL: they are not fetched */
    const char *(*peer_name)(unsigned peer);
    uint64_t retention_sec; /* 0: for ever */
    /* Runs after each batch that added records; may be NULL. */
    loop_fn *appended;
    void *appended_ctx;
};

/* Opens the log. While kms is sealed that is not possible: the service then starts without it,
 * every append is ERR_UNAVAILABLE, and it tries again each second. */
int audit_service_new(const struct audit_service_config *config, struct audit_service **out,
                      struct err *err) MUST_USE;
/* Signs a last checkpoint. */
void audit_service_free(struct audit_service *service);
void audit_service_free_ptr(struct audit_service **service);

/* NULL while it is not open. */
struct audit_log *audit_service_log(struct audit_service *service);
/* All generations of the key that signs the log's checkpoints. */
int audit_service_signers(struct audit_service *service, struct note_keys *out,
                          struct err *err) MUST_USE;
/* Appends the role's own events at once. `role` becomes "audit". */
int audit_service_record(struct audit_service *service, const struct audit_event *events,
                         size_t count, struct err *err) MUST_USE;
/* What the timer does each second. */
void audit_service_tick(struct audit_service *service);

/* For the message table. */
int audit_service_append(struct audit_service *service, struct ipc_request *request,
                         struct err *err) MUST_USE;
/* Which keys were used since it was asked last. */
void audit_service_take_key_uses(struct audit_service *service, struct buf *reply);
int audit_service_add_ring(struct audit_service *service, struct ipc_request *request,
                           struct err *err) MUST_USE;

#endif
