/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of a model. For this folder and its tests. */
#ifndef DRUN_RBAC_MODEL_INTERNAL_H
#define DRUN_RBAC_MODEL_INTERNAL_H

#include "rbac/object.h"

#include <sys/queue.h>

struct rbac_entry {
    struct rbac_object *object;
    struct rbac_rule *gathered; /* of an aggregated ClusterRole */
    size_t gathered_count;
    bool visited;      /* while gathering */
    uint32_t compiled; /* 1 + the role in the snapshot, while compiling */
    TAILQ_ENTRY(rbac_entry) link;
};

TAILQ_HEAD(rbac_entries, rbac_entry);

struct rbac_model {
    void *index;                                  /* tsearch() over kind, namespace, name */
    struct rbac_entries of_kind[RBAC_KIND_COUNT]; /* in the order of their coming */
    bool aggregates_stale;
};

/* Brings aggregated ClusterRoles up to date; the functions below do it first. */
void rbac_model_aggregate(struct rbac_model *model);
/* The rules that a role gives now. */
struct rbac_rules rbac_entry_rules(const struct rbac_entry *entry);
/* As in a role's JSON: a new array. */
json_t *rbac_rules_json(const struct rbac_rules *rules) MUST_USE;
/* NULL when there is none. */
struct rbac_entry *rbac_model_find(const struct rbac_model *model, enum rbac_kind kind,
                                   struct span namespace, struct span name);
/* The role that a binding names, or NULL. */
struct rbac_entry *rbac_model_role_of(const struct rbac_model *model,
                                      const struct rbac_object *binding);

/* Calls fn for each binding that counts in the namespace ("" for cluster-wide requests), until fn
 * returns true; that is then returned. */
typedef bool rbac_binding_fn(void *ctx, const struct rbac_object *binding,
                             const struct rbac_entry *role);
bool rbac_model_each_binding(struct rbac_model *model, struct span namespace, rbac_binding_fn *fn,
                             void *ctx);
/* The first subject of the binding that the user is, or NULL. */
const struct rbac_subject *rbac_binding_subject(const struct rbac_object *binding,
                                                const struct rbac_user *user);

#endif
