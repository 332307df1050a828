/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of policy.snap (docs/PROTOCOL.snapshot). lib/rbac writes and reads those of RBAC.
 *
 * An atom is a name that rules or bindings speak of: a verb, an API group, a resource, the name of
 * an object or a namespace. A request's names are looked up once and compared as numbers then. A
 * name that is no atom is in no rule; only '*' matches it.
 */
#ifndef DRUN_SNAPSHOT_POLICY_RECORDS_H
#define DRUN_SNAPSHOT_POLICY_RECORDS_H

#include "snapshot/policy_routing.h"
#include "snapshot/view.h"
#include "snapshot/writer.h"

enum policy_section {
    POLICY_TEXT = SNAPSHOT_TEXT,
    POLICY_NAMESPACES,
    POLICY_NAMESPACE_TABLE,
    POLICY_ROUTES,
    POLICY_ROUTE_TABLE,
    POLICY_ATOMS,
    POLICY_ATOM_TABLE,
    POLICY_IDS,  /* elements of lists of atoms */
    POLICY_URLS, /* elements of lists of patterns */
    POLICY_RULES,
    POLICY_ROLES,
    POLICY_BINDINGS,
    POLICY_GRANTS,
    POLICY_SUBJECTS,
    POLICY_SUBJECT_TABLE,
    POLICY_BUDGETS,
    POLICY_GUARDS,
    POLICY_ROUTINGS,
    POLICY_BACKENDS,
    POLICY_REPLICAS, /* struct policy_text: sockets */
    POLICY_SECTION_COUNT
};

struct policy_namespace_record {
    struct snapshot_ref name;
    struct snapshot_ref uid;
    struct policy_limits limits;
    struct snapshot_ref budgets;
    uint32_t phase;
    uint32_t priority;
};

struct policy_budget_record {
    struct snapshot_ref policy;
    struct snapshot_ref rule;
    struct snapshot_ref service;
    uint64_t limit;
    uint32_t measure;
    uint32_t window;
    uint32_t share;
    uint32_t alerts;
    uint32_t algorithm;
    uint32_t zero;
};

struct policy_route_record {
    struct snapshot_ref namespace;
    struct snapshot_ref name;
    struct snapshot_ref engine_model;
    struct snapshot_ref socket;
    struct snapshot_ref upstream;
    struct policy_limits limits;
    int64_t created_at;
    uint32_t ready;
    uint32_t max_body;
    uint32_t max_tokens;
    uint32_t context_tokens;
    uint32_t guard; /* 1 + index; 0: as is usual */
    uint32_t remote_media;
    struct snapshot_ref currency; /* empty: no price */
    struct policy_rates rates;
    struct policy_line line;
    struct snapshot_ref replicas; /* empty: one engine, or none */
    uint32_t routing;             /* 1 + index; 0: it is a service */
    struct snapshot_ref cache_version;
    uint32_t cache_ttl_sec; /* 0: no answers are kept */
    uint32_t cache_max_bytes;
};

struct policy_routing_record {
    struct snapshot_ref name;
    struct snapshot_ref backends;
    struct snapshot_ref sticky_header;
    struct policy_routing_rules rules;
};

struct policy_backend_record {
    struct snapshot_ref edit_set;
    struct snapshot_ref edit_drop;
    uint32_t route;
    uint32_t weight;
    uint32_t priority;
    uint32_t zero;
};

struct policy_guard_record {
    struct policy_guard guard;
};

struct policy_text {
    struct snapshot_ref text;
};

/* Bit (atom % 64) is set for each atom of the list, all bits for '*': most rules are ruled out by
 * three words. Lists of atoms are sorted by number. */
struct policy_rule {
    uint64_t verb_bits;
    uint64_t group_bits;
    uint64_t resource_bits;
    struct snapshot_ref verbs;
    struct snapshot_ref groups;
    struct snapshot_ref resources; /* "pods", "pods/log", "*" followed by "/log", "*" */
    struct snapshot_ref names;     /* empty: every name */
    struct snapshot_ref urls;
    uint32_t any; /* bits of enum policy_any: the list has '*' */
    uint32_t zero;
};

enum policy_any { POLICY_ANY_VERB = 1, POLICY_ANY_GROUP = 2, POLICY_ANY_RESOURCE = 4 };

struct policy_role {
    struct snapshot_ref name;
    struct snapshot_ref rules;
    uint32_t clusterwide; /* a ClusterRole */
};

struct policy_binding {
    struct snapshot_ref name;
    struct snapshot_ref namespace; /* empty: a ClusterRoleBinding */
};

/* One subject holds one role in one namespace. */
struct policy_grant {
    uint32_t namespace; /* 1 + atom; 0: everywhere */
    uint32_t role;
    uint32_t binding;
};

enum policy_subject_kind { POLICY_USER, POLICY_GROUP, POLICY_SUBJECT_KINDS };

struct policy_subject {
    struct snapshot_ref name;
    struct snapshot_ref grants; /* sorted by namespace */
    uint32_t kind;
};

enum { POLICY_NO_ATOM = 0xffffffffU };

/* POLICY_NO_ATOM when no rule and no binding speaks of it. */
uint32_t policy_find_atom(const struct snapshot *view, struct span text);
/* NULL when nothing is granted to it. */
const struct policy_subject *policy_find_subject(const struct snapshot *view,
                                                 enum policy_subject_kind kind, struct span name);
/* Its first step, for who looks up several at once. */
struct snapshot_probe policy_probe_subject(const struct snapshot *view,
                                           enum policy_subject_kind kind, struct span name);
struct snapshot_writer *policy_builder_writer(struct policy_builder *builder);
/* 1 + its place; most routes have the same one. 0 for NULL. */
uint32_t policy_add_guard(struct snapshot_writer *writer, const struct policy_guard *guard);

#endif
