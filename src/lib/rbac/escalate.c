/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody can give what he does not have: Kubernetes' escalation and bind checks. */
#include "rbac/model_internal.h"

#include "base/mem.h"

#include <stdlib.h>

struct collecting {
    const struct rbac_user *user;
    struct rbac_rule *items;
    size_t count;
};

static void collecting_free(struct collecting *collecting)
{
    free(collecting->items);
}

static bool collect(void *ctx, const struct rbac_object *binding, const struct rbac_entry *role)
{
    struct collecting *own = ctx;
    struct rbac_rules rules = rbac_entry_rules(role);

    if (rules.count == 0 || rbac_binding_subject(binding, own->user) == NULL)
        return false;
    own->items = mem_resize_array(own->items, own->count + rules.count, sizeof(*own->items));
    memcpy(own->items + own->count, rules.items, rules.count * sizeof(*rules.items));
    own->count += rules.count;
    return false;
}

static int refuse(const struct rbac_user *user, const struct rbac_tuple *missing, struct err *err)
{
    if (missing->url.p != NULL)
        return err_set(err, ERR_DENIED,
                       "user \"%.*s\" is attempting to grant permissions not currently held: "
                       "verb \"%.*s\" on path \"%.*s\"",
                       SPAN_ARG(user->name), SPAN_ARG(missing->verb), SPAN_ARG(missing->url));
    return err_set(err, ERR_DENIED,
                   "user \"%.*s\" is attempting to grant permissions not currently held: "
                   "verb \"%.*s\" on \"%.*s\" in API group \"%.*s\"%s%.*s",
                   SPAN_ARG(user->name), SPAN_ARG(missing->verb), SPAN_ARG(missing->resource),
                   SPAN_ARG(missing->group), missing->name.p != NULL ? ", name " : "",
                   SPAN_ARG(missing->name));
}

static int confirm_held(struct rbac_model *model, const struct rbac_user *user,
                        struct span namespace, const struct rbac_rules *rules, struct err *err)
{
    CLEANUP(collecting_free) struct collecting own = {.user = user};
    struct rbac_tuple missing;

    rbac_model_each_binding(model, namespace, collect, &own);
    struct rbac_rules held = {own.items, own.count};
    if (!rbac_rules_cover(&held, rules, &missing))
        return refuse(user, &missing, err);
    return 0;
}

static bool may(struct rbac_model *model, const struct rbac_user *user, const char *verb,
                enum rbac_kind role_kind, struct span namespace, struct span role)
{
    struct rbac_request request = {
        .user = *user,
        .verb = span_str(verb),
        .api_group = span_str(RBAC_API_GROUP),
        .resource = span_str(role_kind == RBAC_ROLE ? "roles" : "clusterroles"),
        .namespace = namespace,
        .name = role,
    };

    return rbac_model_decide(model, &request, NULL);
}

/* An aggregation can gather anything, now or later: it needs everything. */
static int confirm_aggregation(struct rbac_model *model, const struct rbac_user *user,
                               struct err *err)
{
    const struct span star = span_str("*");
    const struct rbac_list any = {&star, 1};
    const struct rbac_rule everything[] = {
        {.verbs = any, .groups = any, .resources = any},
        {.verbs = any, .urls = any},
    };
    struct rbac_rules rules = {everything, ARRAY_LEN(everything)};

    return confirm_held(model, user, span_str(""), &rules, err);
}

static int may_write_role(struct rbac_model *model, const struct rbac_user *user,
                          const struct rbac_object *role, struct err *err)
{
    if (may(model, user, "escalate", role->kind, role->namespace, role->name))
        return 0;
    TRY(confirm_held(model, user, role->namespace, &role->rules, err));
    return role->selectors == NULL ? 0 : confirm_aggregation(model, user, err);
}

static int may_write_binding(struct rbac_model *model, const struct rbac_user *user,
                             const struct rbac_object *binding, struct err *err)
{
    /* `bind` is for giving to others. */
    if (may(model, user, "bind", binding->role_kind, binding->namespace, binding->role) &&
        rbac_binding_subject(binding, user) == NULL)
        return 0;
    rbac_model_aggregate(model);
    const struct rbac_entry *role = rbac_model_role_of(model, binding);
    if (role == NULL)
        return err_set(err, ERR_NOT_FOUND, "%s \"%.*s\" not found",
                       rbac_kind_name(binding->role_kind), SPAN_ARG(binding->role));
    struct rbac_rules rules = rbac_entry_rules(role);
    return confirm_held(model, user, binding->namespace, &rules, err);
}

/* Whoever may change a binding's subjects must not turn it to another role by that. */
static int check_same_role(const struct rbac_model *model, const struct rbac_object *binding,
                           struct err *err)
{
    const struct rbac_entry *old =
        rbac_model_find(model, binding->kind, binding->namespace, binding->name);

    if (old == NULL ||
        (old->object->role_kind == binding->role_kind && span_eq(old->object->role, binding->role)))
        return 0;
    return err_set(err, ERR_INVALID, "%s \"%.*s\" is invalid: roleRef: cannot change roleRef",
                   rbac_kind_name(binding->kind), SPAN_ARG(binding->name));
}

int rbac_model_may_write(struct rbac_model *model, const struct rbac_user *user, const json_t *json,
                         struct err *err)
{
    CLEANUP(rbac_object_free_ptr) struct rbac_object *object = NULL;

    TRY(rbac_object_read(json, &object, err));
    if (rbac_kind_is_binding(object->kind)) {
        TRY(check_same_role(model, object, err));
        return may_write_binding(model, user, object, err);
    }
    return may_write_role(model, user, object, err);
}

/* A binding of one's own making that makes somebody an auditor or an officer. */
static const char *watchers_role(const struct rbac_object *binding)
{
    static const char *const roles[] = {"drun:auditor", "drun:security-officer"};

    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (rbac_kind_is_binding(binding->kind) && binding->role_kind == RBAC_CLUSTER_ROLE &&
            span_eq_str(binding->role, roles[i]))
            return roles[i];
    return NULL;
}

/* Who is looked after must not be able to send those away who do it, or who stand above him. */
static const char *watcher_of(const struct rbac_object *object)
{
    static const char *const roles[] = {"cluster-admin", "drun:auditor", "drun:security-officer"};
    static const char *const bindings[] = {"cluster-admin", "drun:auditors",
                                           "drun:security-officers"};

    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if ((object->kind == RBAC_CLUSTER_ROLE && span_eq_str(object->name, roles[i])) ||
            (object->kind == RBAC_CLUSTER_ROLE_BINDING && span_eq_str(object->name, bindings[i])))
            return roles[i];
    return watchers_role(object);
}

int rbac_model_may_touch(struct rbac_model *model, const struct rbac_user *user, const json_t *json,
                         struct err *err)
{
    CLEANUP(rbac_object_free_ptr) struct rbac_object *object = NULL;

    TRY(rbac_object_read(json, &object, err));
    const char *role = watcher_of(object);
    if (role == NULL ||
        may(model, user, "escalate", RBAC_CLUSTER_ROLE, span_str(""), span_str(role)))
        return 0;
    return err_set(
        err, ERR_DENIED,
        "%s \"%.*s\" is of those who stand above others: only who may escalate %s changes "
        "or deletes it",
        rbac_kind_name(object->kind), SPAN_ARG(object->name), role);
}

int rbac_missing_rules(const json_t *have, const json_t *wanted, json_t **out, struct err *err)
{
    CLEANUP(rbac_object_free_ptr) struct rbac_object *owner = NULL;
    CLEANUP(rbac_object_free_ptr) struct rbac_object *servant = NULL;
    struct rbac_tuple missing;

    TRY(rbac_object_read(have, &owner, err));
    TRY(rbac_object_read(wanted, &servant, err));
    *out = json_array();
    for (size_t i = 0; i < servant->rules.count; i++) {
        struct rbac_rules one = {&servant->rules.items[i], 1};
        if (!rbac_rules_cover(&owner->rules, &one, &missing))
            json_array_append(*out, json_array_get(json_object_get(wanted, "rules"), i));
    }
    return 0;
}
