/* SPDX-License-Identifier: Apache-2.0 */
/* The four kinds, read from JSON into one block of memory each: there may be 100,000 of them. */
#ifndef DRUN_RBAC_OBJECT_H
#define DRUN_RBAC_OBJECT_H

#include "rbac/rule.h"
#include "snapshot/policy_records.h"

enum rbac_kind {
    RBAC_ROLE,
    RBAC_CLUSTER_ROLE,
    RBAC_ROLE_BINDING,
    RBAC_CLUSTER_ROLE_BINDING,
    RBAC_KIND_COUNT
};

struct rbac_subject {
    enum policy_subject_kind kind;
    struct span name; /* of a service account: system:serviceaccount:NS:NAME */
};

struct rbac_object {
    enum rbac_kind kind;
    struct span name;
    struct span namespace;    /* empty for the cluster kinds */
    struct rbac_rules rules;  /* of a role, as written */
    json_t *selectors;        /* of an aggregated ClusterRole; or NULL */
    json_t *labels;           /* of a ClusterRole; or NULL */
    enum rbac_kind role_kind; /* of a binding */
    struct span role;
    const struct rbac_subject *subjects;
    size_t subject_count;
    size_t left; /* of the block */
    uint8_t *next;
    uint8_t block[] __attribute__((aligned(8))); /* all lists and texts */
};

const char *rbac_kind_name(enum rbac_kind kind); /* "ClusterRole" */
/* -1 for a kind that is none of the four. */
int rbac_kind_by_name(const char *name);
bool rbac_kind_is_binding(enum rbac_kind kind);
bool rbac_kind_is_clusterwide(enum rbac_kind kind);

/* Checked and read; nothing points into the JSON afterwards. */
int rbac_object_read(const json_t *json, struct rbac_object **out, struct err *err) MUST_USE;
void rbac_object_free(struct rbac_object *object);
void rbac_object_free_ptr(struct rbac_object **object);

/* A label selector of metav1, over an object's labels (which may be NULL). */
int rbac_selector_check(const json_t *selector, struct err *err) MUST_USE;
bool rbac_selector_matches(const json_t *selector, const json_t *labels);

#endif
