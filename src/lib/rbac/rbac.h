/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization exactly as rbac.authorization.k8s.io/v1 has it: Role, ClusterRole (with
 * aggregationRule), RoleBinding, ClusterRoleBinding; deny by default, rules only ever add.
 *
 * rbac_model holds the objects (in api, their owner) and compiles them into the policy snapshot;
 * rbac_decide() decides over the snapshot without allocation, in the gateway and in every role.
 * rbac_model_decide() is the same decision straight over the objects: it is the oracle of the
 * tests.
 *
 * One departure from Kubernetes: the group system:masters has no built-in bypass. Who shall be able
 * to do everything is bound to ClusterRole cluster-admin like everyone else, visibly.
 */
#ifndef DRUN_RBAC_RBAC_H
#define DRUN_RBAC_RBAC_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "snapshot/policy.h"

#include <jansson.h>

#define RBAC_API_GROUP "rbac.authorization.k8s.io"

/* Who asks. A service account is the user "system:serviceaccount:NS:NAME"; its groups are in the
 * list like every other. */
struct rbac_user {
    struct span name;
    const struct span *groups;
    size_t group_count;
};

/* What is asked: with `path` a non-resource request ("get" on "/metrics"), otherwise a resource.
 * Empty spans: api_group of the core group; namespace of a cluster-wide request; name of list,
 * create; subresource of none. */
struct rbac_request {
    struct rbac_user user;
    struct span verb;
    struct span api_group;
    struct span resource;
    struct span subresource;
    struct span namespace;
    struct span name;
    struct span path;
};

/* Which binding allowed it. Views into the snapshot or the model. */
struct rbac_reason {
    struct span binding_kind; /* "ClusterRoleBinding" */
    struct span binding_namespace;
    struct span binding;
    struct span role_kind; /* "ClusterRole" */
    struct span role;
    struct span subject_kind; /* "User", "Group" */
    struct span subject;
};

/* `reason` may be NULL; it is filled in only when the answer is yes. */
bool rbac_decide(const struct snapshot *policy, const struct rbac_request *request,
                 struct rbac_reason *reason);

/* RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "y" to Group "z" */
void rbac_reason_put(const struct rbac_reason *reason, struct buf *out);
/* User "a" cannot get resource "pods" in API group "" in the namespace "b" */
void rbac_denial_put(const struct rbac_request *request, struct buf *out);

/* The status of a SelfSubjectRulesReview: {"resourceRules": [...], "nonResourceRules": [...],
 * "incomplete": false}. */
json_t *rbac_rules_review(const struct snapshot *policy, const struct rbac_user *user,
                          struct span namespace) MUST_USE;

/* ---------------------------------------------------------------- the objects (api) */

struct rbac_model;

struct rbac_model *rbac_model_new(void) MUST_USE;
void rbac_model_free(struct rbac_model *model);
void rbac_model_free_ptr(struct rbac_model **model);

/* True for the four kinds that a model holds. */
bool rbac_is_kind(const char *kind);
/* What a Kubernetes API server demands of one of the four kinds; ERR_INVALID names the field. */
int rbac_object_check(const json_t *object, struct err *err) MUST_USE;
/* Adds the object (checked), or replaces the one of the same kind, namespace and name. */
int rbac_model_put(struct rbac_model *model, const json_t *object, struct err *err) MUST_USE;
/* False when there was none. `namespace` is "" for the cluster kinds. */
bool rbac_model_delete(struct rbac_model *model, const char *kind, const char *namespace,
                       const char *name);
/* The rules of an aggregated ClusterRole as they are now: a new array, or NULL for a role that
 * is not aggregated or not there. api shows them in the object. */
json_t *rbac_model_aggregated_rules(struct rbac_model *model, const char *name) MUST_USE;

bool rbac_model_decide(struct rbac_model *model, const struct rbac_request *request,
                       struct rbac_reason *reason);
/* Puts the compiled rules and bindings into the builder, once for each builder. */
int rbac_model_compile(struct rbac_model *model, struct policy_builder *builder,
                       struct err *err) MUST_USE;

/* May the user write this object (create, or update to it)? ERR_DENIED with the reason when it
 * would give permissions that the user does not have: for a role, its rules must be covered by the
 * user's own unless the user has `escalate`; for a binding, those of its role unless the user has
 * `bind` on it and is not among its subjects, as a user or in a group. That last is a departure
 * from Kubernetes, where `bind` is a right to help oneself, too. ERR_INVALID when a binding that is
 * there would change its roleRef. Ordinary permission to create or update is decided before, by
 * rbac_decide(). */
int rbac_model_may_write(struct rbac_model *model, const struct rbac_user *user,
                         const json_t *object, struct err *err) MUST_USE;

/* May the user change or delete this object as it is? ERR_DENIED for the built-in roles and
 * bindings of those who stand above others, and for any binding to drun:auditor and
 * drun:security-officer, unless the user has `escalate` on the role. */
int rbac_model_may_touch(struct rbac_model *model, const struct rbac_user *user,
                         const json_t *object, struct err *err) MUST_USE;
/* The rules of `wanted` that those of `have` do not cover, as a new array; both are ClusterRoles.
 */
int rbac_missing_rules(const json_t *have, const json_t *wanted, json_t **out,
                       struct err *err) MUST_USE;

/* Who can? The request's user is not looked at. An array of {"kind", "name", "binding",
 * "bindingKind", "bindingNamespace", "role", "roleKind"}, one for each subject and binding. */
json_t *rbac_model_who_can(struct rbac_model *model, const struct rbac_request *request) MUST_USE;

/* Every grant and role, as {"grants": [{"kind" (User, Group), "name", "namespace", "bindingKind",
 * "binding", "roleKind", "role", "roleMissing"}], "roles": [{"kind", "namespace", "name", "rules",
 * "bindings" (how many name it), "builtIn"}], "complete"}. `namespace` empty: of all; without
 * with_cluster what is cluster-wide is left out, but for ClusterRoles that are bound there. */
json_t *rbac_model_report(struct rbac_model *model, struct span namespace,
                          bool with_cluster) MUST_USE;

/* The built-in roles and bindings, as a new array of objects: Kubernetes' cluster-admin, admin,
 * edit, view, system:discovery, system:basic-user, and drun's own. */
json_t *rbac_default_objects(void) MUST_USE;

#endif
