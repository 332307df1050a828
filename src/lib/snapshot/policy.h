/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.snap: what a principal may do, and where a model lives. Published by api: it puts the
 * namespaces and routes into a builder, lets rbac_model_compile() put the compiled RBAC into the
 * same one, and publishes it. Read by everyone who decides: the gateway and the roles.
 */
#ifndef DRUN_SNAPSHOT_POLICY_H
#define DRUN_SNAPSHOT_POLICY_H

#include "base/buf.h"
#include "snapshot/snapshot.h"

#include <stdbool.h>

extern const struct snapshot_type policy_snapshot;

/* Limits: 0 is "none". */
struct policy_limits {
    uint64_t tokens_per_min;
    uint32_t requests_per_min;
    uint32_t concurrent; /* requests at the same time */
};

/* A budget of a namespace: so much in a window of the calendar (UTC). */
enum policy_measure { POLICY_REQUESTS, POLICY_TOKENS, POLICY_COST };
enum policy_window { POLICY_MINUTE, POLICY_HOUR, POLICY_DAY, POLICY_MONTH };
/* How it is counted. Of a rate the window is a minute that has no beginning (limit/limit.h). */
enum policy_algorithm { POLICY_CALENDAR, POLICY_TOKEN_BUCKET, POLICY_SLIDING_WINDOW };
/* Whose calls share it: everybody's, or each user or credential has one of its own. */
enum policy_share { POLICY_SHARED, POLICY_EACH_USER, POLICY_EACH_KEY };

/* What becomes of what the guard finds (lib/guard): its actions, by detector. More than
 * POLICY_GUARD_ACTION_MAX is as much as that. */
enum { POLICY_GUARD_DETECTORS = 48, POLICY_GUARD_ACTION_MAX = 3 };
struct policy_guard {
    uint8_t request[POLICY_GUARD_DETECTORS];
    uint8_t answer[POLICY_GUARD_DETECTORS];
};

/* Of a million tokens, in millionths of the currency. */
struct policy_rates {
    uint64_t input;
    uint64_t cached_input;
    uint64_t output;
};

/* Who goes first where calls wait for an engine; of the namespace that calls. */
enum policy_priority { POLICY_PRIORITY_LOW, POLICY_PRIORITY_NORMAL, POLICY_PRIORITY_HIGH };

/* The line in front of an engine. */
struct policy_line {
    uint32_t places; /* calls at the same time; 0: as many as come, and no line */
    uint32_t length; /* calls that may wait */
    uint32_t timeout_ms;
};

/* Answers that are kept. `version` stands for all that they depend on of the service: another
 * engine or model, another version. */
struct policy_cache {
    struct span version;
    uint32_t ttl_sec; /* 0: none are kept */
    uint32_t max_bytes;
};

/* Engines of one service. */
enum { POLICY_REPLICAS_MAX = 64 };

enum policy_phase { POLICY_ACTIVE = 0, POLICY_TERMINATING = 1 };

/* ---------------------------------------------------------------- building (api) */

struct policy_budget_in {
    const char *policy;  /* the LimitPolicy */
    const char *rule;    /* its rule */
    const char *service; /* the one that it is for, or "" for all of the namespace */
    enum policy_measure measure;
    enum policy_window window;
    enum policy_share share;
    uint64_t limit;  /* at least 1 */
    uint32_t alerts; /* percentages at which somebody wants to know, a byte each; 0: none */
    enum policy_algorithm algorithm;
};

struct policy_namespace_in {
    const char *name;
    const char *uid;
    enum policy_phase phase;
    enum policy_priority priority;
    struct policy_limits limits;
    const struct policy_budget_in *budgets;
    size_t budget_count;
};

struct policy_price_in {
    const char *currency; /* NULL or "": the model has no price */
    struct policy_rates rates;
};

struct policy_cache_in {
    const char *version; /* NULL is "" */
    uint32_t ttl_sec;
    uint32_t max_bytes;
};

struct policy_route_in {
    const char *namespace;
    const char *name;         /* the model is called "namespace/name" */
    const char *engine_model; /* what the engine calls it */
    const char *socket;       /* path of the engine's Unix socket, or "" */
    const char *const
        *replicas;        /* the sockets of all engines that answer, when there are several */
    size_t replica_count; /* at most POLICY_REPLICAS_MAX; 0 or 1: `socket` is the only one */
    const char *upstream; /* id of an external upstream, or "" */
    bool ready;
    uint32_t max_body;       /* bytes of a request; 0: the gateway's own ceiling */
    uint32_t max_tokens;     /* ceiling for one answer; 0: none */
    uint32_t context_tokens; /* 0: unknown */
    bool remote_media;       /* images and files elsewhere, which the engine fetches */
    int64_t created_at;      /* seconds since 1970; shown in the list of models */
    struct policy_limits limits;
    const struct policy_guard *guard; /* copied; NULL: as is usual */
    struct policy_price_in price;
    struct policy_line line;
    struct policy_cache_in cache;
};

struct policy_builder;

struct policy_builder *policy_builder_new(void) MUST_USE;
void policy_builder_free(struct policy_builder *builder);
void policy_builder_free_ptr(struct policy_builder **builder);
/* ERR_INVALID for texts that are too long, ERR_EXISTS for a second one of the same name. */
int policy_builder_add_namespace(struct policy_builder *builder,
                                 const struct policy_namespace_in *ns, struct err *err) MUST_USE;
int policy_builder_add_route(struct policy_builder *builder, const struct policy_route_in *route,
                             struct err *err) MUST_USE;
/* Appends the file to `out` (ceiling SNAPSHOT_FILE_MAX). */
int policy_builder_finish(const struct policy_builder *builder, struct buf *out,
                          struct err *err) MUST_USE;

/* ---------------------------------------------------------------- reading */

/* Views into a snapshot: valid as long as it is. Every text is followed by a NUL, so that `p` can
 * be used as a C string. */
struct policy_namespace {
    struct span name;
    struct span uid;
    enum policy_phase phase;
    enum policy_priority priority;
    struct policy_limits limits;
    uint32_t first_budget;
    uint32_t budget_count;
};

struct policy_budget {
    struct span policy;
    struct span rule;
    struct span service;
    enum policy_measure measure;
    enum policy_window window;
    enum policy_share share;
    uint64_t limit;
    uint32_t alerts;
    enum policy_algorithm algorithm;
};

struct policy_route {
    struct span namespace;
    struct span name;
    struct span engine_model;
    struct span socket; /* of one of its engines, when there are several */
    struct span upstream;
    uint32_t first_replica;
    uint32_t replica_count; /* 0: it has one engine, or none */
    bool ready;
    uint32_t max_body;
    uint32_t max_tokens;
    uint32_t context_tokens;
    bool remote_media;
    int64_t created_at;
    struct policy_limits limits;
    const struct policy_guard *guard; /* NULL: as is usual */
    struct span currency;             /* empty: the model has no price */
    struct policy_rates rates;
    struct policy_line line;
    struct policy_cache cache; /* of a ModelRoute's name: none */
    uint32_t index;            /* the place among the routes of this snapshot */
    uint32_t routing;          /* not 0: a ModelRoute's; snapshot/policy_routing.h */
};

/* False when there is none. No allocation. */
bool policy_find_namespace(const struct snapshot *snapshot, struct span name,
                           struct policy_namespace *out);
bool policy_find_route(const struct snapshot *snapshot, struct span namespace, struct span name,
                       struct policy_route *out);
/* In the order of adding; at < policy_route_count(). */
size_t policy_route_count(const struct snapshot *snapshot);
void policy_route_at(const struct snapshot *snapshot, size_t at, struct policy_route *out);
/* The engine's socket; at < route->replica_count. */
struct span policy_replica_at(const struct snapshot *snapshot, const struct policy_route *route,
                              size_t at);
size_t policy_namespace_count(const struct snapshot *snapshot);
void policy_namespace_at(const struct snapshot *snapshot, size_t at, struct policy_namespace *out);
/* at < ns->budget_count. */
void policy_budget_at(const struct snapshot *snapshot, const struct policy_namespace *ns, size_t at,
                      struct policy_budget *out);

#endif
