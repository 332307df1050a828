/* SPDX-License-Identifier: Apache-2.0 */
/* Who has what, and by which binding, for whoever reviews it. */
#include "base/mem.h"
#include "rbac/model_internal.h"

#include <stdlib.h>

#define BUILT_IN "kubernetes.io/bootstrapping"

struct report {
    struct rbac_model *model;
    struct span namespace; /* empty: all */
    bool with_cluster;
    json_t *grants;
    json_t *used; /* "KIND/NAMESPACE/NAME" of a role: how many bindings */
};

static void set_text(json_t *object, const char *name, struct span text)
{
    json_object_set_new(object, name, json_stringn((const char *)text.p, text.len));
}

static char *key_of(enum rbac_kind kind, struct span namespace, struct span name)
{
    return mem_printf("%s/%.*s/%.*s", rbac_kind_name(kind), SPAN_ARG(namespace), SPAN_ARG(name));
}

static bool is_wanted(const struct report *report, const struct rbac_object *object)
{
    if (rbac_kind_is_clusterwide(object->kind))
        return report->with_cluster;
    return report->namespace.len == 0 || span_eq(report->namespace, object->namespace);
}

static struct span role_namespace(const struct rbac_object *binding)
{
    return binding->role_kind == RBAC_ROLE ? binding->namespace : span_of("", 0);
}

static void count_use(struct report *report, const struct rbac_object *binding)
{
    CLEANUP_FREE char *key = key_of(binding->role_kind, role_namespace(binding), binding->role);
    json_int_t count = json_integer_value(json_object_get(report->used, key));

    json_object_set_new(report->used, key, json_integer(count + 1));
}

static void add_grants(struct report *report, const struct rbac_object *binding)
{
    bool missing = rbac_model_role_of(report->model, binding) == NULL;

    for (size_t i = 0; i < binding->subject_count; i++) {
        const struct rbac_subject *subject = &binding->subjects[i];
        json_t *one = json_pack("{s:s, s:s, s:s, s:b}", "kind",
                                subject->kind == POLICY_GROUP ? "Group" : "User", "bindingKind",
                                rbac_kind_name(binding->kind), "roleKind",
                                rbac_kind_name(binding->role_kind), "roleMissing", missing);
        set_text(one, "name", subject->name);
        set_text(one, "namespace", binding->namespace);
        set_text(one, "binding", binding->name);
        set_text(one, "role", binding->role);
        json_array_append_new(report->grants, one);
    }
}

static void add_bindings(struct report *report, enum rbac_kind kind)
{
    const struct rbac_entry *entry;

    TAILQ_FOREACH (entry, &report->model->of_kind[kind], link) {
        if (!is_wanted(report, entry->object))
            continue;
        count_use(report, entry->object);
        add_grants(report, entry->object);
    }
}

/* A ClusterRole of which no more may be seen is shown when it is used here. */
static void add_roles(struct report *report, enum rbac_kind kind, json_t *out)
{
    const struct rbac_entry *entry;

    TAILQ_FOREACH (entry, &report->model->of_kind[kind], link) {
        const struct rbac_object *role = entry->object;
        CLEANUP_FREE char *key = key_of(kind, role->namespace, role->name);
        json_int_t count = json_integer_value(json_object_get(report->used, key));
        struct rbac_rules rules = rbac_entry_rules(entry);
        if (!is_wanted(report, role) && count == 0)
            continue;
        json_t *one = json_pack("{s:s, s:I, s:b, s:o}", "kind", rbac_kind_name(kind), "bindings",
                                count, "builtIn", json_object_get(role->labels, BUILT_IN) != NULL,
                                "rules", rbac_rules_json(&rules));
        set_text(one, "namespace", role->namespace);
        set_text(one, "name", role->name);
        json_array_append_new(out, one);
    }
}

json_t *rbac_model_report(struct rbac_model *model, struct span namespace, bool with_cluster)
{
    struct report report = {.model = model,
                            .namespace = namespace,
                            .with_cluster = with_cluster,
                            .grants = json_array(),
                            .used = json_object()};
    json_t *roles = json_array();

    rbac_model_aggregate(model);
    add_bindings(&report, RBAC_CLUSTER_ROLE_BINDING);
    add_bindings(&report, RBAC_ROLE_BINDING);
    add_roles(&report, RBAC_CLUSTER_ROLE, roles);
    add_roles(&report, RBAC_ROLE, roles);
    json_decref(report.used);
    return json_pack("{s:o, s:o, s:b}", "grants", report.grants, "roles", roles, "complete",
                     with_cluster && namespace.len == 0);
}
