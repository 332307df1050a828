/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#ifndef DRUN_SERVE_SERVE_INTERNAL_H
#define DRUN_SERVE_SERVE_INTERNAL_H

#include "serve/serve.h"

enum { SERVE_LISTENERS_MAX = 2 };

struct serve_listener {
    struct serve *serve;
    struct http_server *server;
    bool operator_socket;
};

/* Records in the compact form, so that they outlive what they were made of. */
struct serve_records {
    struct buf *items;
    size_t count;
    size_t room;
};

/* Of the store; upkeep.c. */
struct serve_upkeep {
    struct loop_source *timer;
    int64_t newest;      /* revision, when the time of history began */
    int64_t forget;      /* up to this revision; 0: nothing at the time */
    uint64_t history_ns; /* when `newest` is old */
    uint64_t pass_ns;    /* when all is verified again */
};

struct serve {
    struct serve_config config;
    struct auth *auth;
    struct snapshot_reader *policy;
    struct kube_server *kube;
    struct serve_listener listeners[SERVE_LISTENERS_MAX];
    size_t listener_count;
    struct serve_records records; /* of this batch */
    /* What takes back records whose batch was not stored: the log must have them before anything
     * else. Past a ceiling they are only counted, for one record that stands for all. */
    struct serve_records undone;
    uint64_t undone_more;
    /* flight.c */
    bool attached; /* the channel to the audit role, to the loop */
    bool flies;
    bool settles; /* waits for the last flight: no other begins */
    struct serve_records flying;
    struct audit_flight flight;
    struct serve_request *current; /* the request that kube is serving */
    struct loop_source *soon;      /* when there is more to tidy up at once */
    bool looks_again;              /* it will */
    struct serve_upkeep upkeep;
};

/* What was created; whoever may create need not say the name when he asks for the right. */
void serve_name_action(struct serve_request *request, const char *name);

/* Is it a write that must not be done with a stolen browser? */
bool serve_is_dangerous(const struct serve_request *request);

/* Serves the request by the kinds. */
void serve_by_kube(struct serve_request *request);
kube_authorize_fn serve_kube_authorize;
kube_rules_fn serve_kube_rules;
kube_namespace_fn serve_kube_namespace;
kube_token_review_fn serve_kube_review_token;

/* ends.c: what goes without a request: the content of namespaces that go, objects without owners.
 */
int serve_ends_start(struct serve *serve, struct err *err) MUST_USE;
void serve_ends_tick(struct serve *serve);
/* After each batch. */
void serve_ends_follow(struct serve *serve);
/* The record of a change that no request has asked for. */
void serve_ends_record(struct serve *serve, const struct kube_change *change);

/* For the audit log: what lies in the store is not what was written. */
void serve_record_damage(struct role *role, const char *what);
int serve_upkeep_start(struct serve *serve, struct err *err) MUST_USE;

/* Something is to be sent to the log. */
bool serve_has_records(const struct serve *serve);
void serve_records_free(struct serve_records *records);
/* Makes the batch durable; nothing may be under way (serve_settle()). */
int serve_flush(struct serve *serve, struct err *err) MUST_USE;
/* These records, the first `count` of them, are of a batch that failed. */
void serve_undo(struct serve *serve, const struct serve_records *records, size_t count,
                const struct err *why);
/* Sends the answers that were called up, or that they failed. */
void serve_leave(struct serve *serve, const struct err *failed);

/* flight.c */
int serve_flight_start(struct serve *serve, struct err *err) MUST_USE;
/* Is the batch one of records alone? */
bool serve_may_fly(const struct serve *serve);
/* Sends the records of such a batch on their way; its answers leave when they are durable. */
void serve_fly(struct serve *serve);
/* Waits for what is under way. */
void serve_settle(struct serve *serve);

#endif
