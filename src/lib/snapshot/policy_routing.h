/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model routes in policy.snap: a name that tenants call, and the services that may answer. To a
 * reader such a name is a route like a service's, whose policy_route.routing is not 0 and which has
 * no socket. What it demands is what the strictest of its services demands, so that no answer comes
 * by a way that one of them would have refused: the largest action of the guard, the smallest body
 * and answer; remote media when all take it. Its limits are those of the service that answers.
 */
#ifndef DRUN_SNAPSHOT_POLICY_ROUTING_H
#define DRUN_SNAPSHOT_POLICY_ROUTING_H

#include "snapshot/policy.h"

enum { POLICY_BACKENDS_MAX = 16, POLICY_RETRIES_MAX = 5, POLICY_WEIGHT_MAX = 1000000 };

/* What is tried again: bits. */
enum policy_retry {
    POLICY_RETRY_CONNECT = 1, /* no connection, or one that ended before an answer */
    POLICY_RETRY_TIMEOUT = 2, /* nothing came in time */
    POLICY_RETRY_429 = 4,
    POLICY_RETRY_500 = 8,
    POLICY_RETRY_502 = 16,
    POLICY_RETRY_503 = 32,
    POLICY_RETRY_504 = 64,
    POLICY_RETRY_ALL = 127
};

/* Whose calls go to the same service. */
enum policy_sticky {
    POLICY_STICKY_NONE,
    POLICY_STICKY_USER,
    POLICY_STICKY_KEY,
    POLICY_STICKY_HEADER,
    POLICY_STICKY_PREFIX /* conversations that begin alike */
};

struct policy_routing_rules {
    uint32_t retries; /* further tries of one call, at most POLICY_RETRIES_MAX */
    uint32_t retry_on;
    uint32_t try_timeout_ms; /* until the first byte of an answer; 0: as the gateway has it */
    uint32_t retry_percent;  /* retries for each hundred calls, over all callers */
    uint32_t retry_min_per_min;
    uint32_t breaker_failures; /* in a row, until a service is left out; 0: never */
    uint32_t breaker_ms;       /* for so long, and longer each time */
    uint32_t sticky;           /* enum policy_sticky */
};

/* ---------------------------------------------------------------- building (api) */

struct policy_backend_in {
    const char *service;   /* of the same namespace; one that is not there is left out */
    uint32_t weight;       /* 0: gets nothing, but stays in the list */
    uint32_t priority;     /* lower ones first */
    const char *edit_set;  /* members for the top of the body, as JSON without braces; or "" */
    const char *edit_drop; /* names of members at the top, each with a blank behind it; or "" */
};

struct policy_model_route_in {
    const char *namespace;
    const char *name;         /* the ModelRoute */
    const char *const *names; /* by which it is called */
    size_t name_count;
    const struct policy_backend_in *backends;
    size_t backend_count;
    struct policy_routing_rules rules;
    const char *sticky_header; /* or "" */
    int64_t created_at;
};

/* After all services of its namespace. A name that is a service's or another route's already is
 * left out. */
int policy_builder_add_model_route(struct policy_builder *builder,
                                   const struct policy_model_route_in *in,
                                   struct err *err) MUST_USE;

/* ---------------------------------------------------------------- reading */

struct policy_routing {
    struct span name;
    struct span sticky_header;
    struct policy_routing_rules rules;
    uint32_t first_backend;
    uint32_t backend_count;
};

struct policy_backend {
    struct policy_route route; /* of the service */
    uint32_t weight;
    uint32_t priority;
    struct span edit_set;
    struct span edit_drop;
};

/* route->routing is not 0. */
void policy_routing_of(const struct snapshot *snapshot, const struct policy_route *route,
                       struct policy_routing *out);
/* at < routing->backend_count. In the order of priority. */
void policy_backend_at(const struct snapshot *snapshot, const struct policy_routing *routing,
                       size_t at, struct policy_backend *out);

#endif
