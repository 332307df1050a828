/* SPDX-License-Identifier: Apache-2.0 */
/* The decision straight over the objects, and the questions that need the objects. */
#include "rbac/model_internal.h"

static bool user_is(const struct rbac_user *user, const struct rbac_subject *subject)
{
    if (subject->kind == POLICY_USER)
        return span_eq(subject->name, user->name);
    for (size_t i = 0; i < user->group_count; i++)
        if (span_eq(subject->name, user->groups[i]))
            return true;
    return false;
}

const struct rbac_subject *rbac_binding_subject(const struct rbac_object *binding,
                                                const struct rbac_user *user)
{
    for (size_t i = 0; i < binding->subject_count; i++)
        if (user_is(user, &binding->subjects[i]))
            return &binding->subjects[i];
    return NULL;
}

static bool each_of_kind(struct rbac_model *model, enum rbac_kind kind, struct span namespace,
                         rbac_binding_fn *fn, void *ctx)
{
    struct rbac_entry *entry;

    TAILQ_FOREACH (entry, &model->of_kind[kind], link) {
        if (!span_eq(entry->object->namespace, namespace))
            continue;
        const struct rbac_entry *role = rbac_model_role_of(model, entry->object);
        if (role != NULL && fn(ctx, entry->object, role))
            return true;
    }
    return false;
}

bool rbac_model_each_binding(struct rbac_model *model, struct span namespace, rbac_binding_fn *fn,
                             void *ctx)
{
    rbac_model_aggregate(model);
    if (each_of_kind(model, RBAC_CLUSTER_ROLE_BINDING, span_str(""), fn, ctx))
        return true;
    return namespace.len > 0 && each_of_kind(model, RBAC_ROLE_BINDING, namespace, fn, ctx);
}

struct deciding {
    const struct rbac_request *request;
    struct rbac_reason *reason;
};

static void give_reason(struct rbac_reason *reason, const struct rbac_object *binding,
                        const struct rbac_object *role, const struct rbac_subject *subject)
{
    *reason = (struct rbac_reason){
        .binding_kind = span_str(rbac_kind_name(binding->kind)),
        .binding_namespace = binding->namespace,
        .binding = binding->name,
        .role_kind = span_str(rbac_kind_name(role->kind)),
        .role = role->name,
        .subject_kind = span_str(subject->kind == POLICY_USER ? "User" : "Group"),
        .subject = subject->name,
    };
}

static bool binding_allows(void *ctx, const struct rbac_object *binding,
                           const struct rbac_entry *role)
{
    struct deciding *deciding = ctx;
    struct rbac_rules rules = rbac_entry_rules(role);
    const struct rbac_subject *subject = rbac_binding_subject(binding, &deciding->request->user);

    if (subject == NULL || !rbac_rules_allow(&rules, deciding->request))
        return false;
    if (deciding->reason != NULL)
        give_reason(deciding->reason, binding, role->object, subject);
    return true;
}

bool rbac_model_decide(struct rbac_model *model, const struct rbac_request *request,
                       struct rbac_reason *reason)
{
    struct deciding deciding = {request, reason};
    /* A path belongs to no namespace, whatever the request says. */
    struct span namespace = request->path.len > 0 ? span_str("") : request->namespace;

    return rbac_model_each_binding(model, namespace, binding_allows, &deciding);
}

/* ---------------------------------------------------------------- who can */

struct asking {
    const struct rbac_request *request;
    json_t *answer;
};

static void set_text(json_t *object, const char *name, struct span text)
{
    json_object_set_new(object, name, json_stringn((const char *)text.p, text.len));
}

static bool list_subjects(void *ctx, const struct rbac_object *binding,
                          const struct rbac_entry *role)
{
    struct asking *asking = ctx;
    struct rbac_rules rules = rbac_entry_rules(role);
    struct rbac_reason reason;

    if (!rbac_rules_allow(&rules, asking->request))
        return false;
    for (size_t i = 0; i < binding->subject_count; i++) {
        json_t *one = json_object();
        give_reason(&reason, binding, role->object, &binding->subjects[i]);
        set_text(one, "kind", reason.subject_kind);
        set_text(one, "name", reason.subject);
        set_text(one, "binding", reason.binding);
        set_text(one, "bindingKind", reason.binding_kind);
        set_text(one, "bindingNamespace", reason.binding_namespace);
        set_text(one, "role", reason.role);
        set_text(one, "roleKind", reason.role_kind);
        json_array_append_new(asking->answer, one);
    }
    return false;
}

json_t *rbac_model_who_can(struct rbac_model *model, const struct rbac_request *request)
{
    struct asking asking = {request, json_array()};
    struct span namespace = request->path.len > 0 ? span_str("") : request->namespace;

    rbac_model_each_binding(model, namespace, list_subjects, &asking);
    return asking.answer;
}
