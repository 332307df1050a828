/* SPDX-License-Identifier: Apache-2.0 */
/* The model into the policy snapshot: each subject gets a list of (namespace, role), each role its
 * rules with names as numbers. */
#include "rbac/model_internal.h"

#include "base/mem.h"

#include <stdlib.h>

struct pending {
    uint32_t subject;
    struct policy_grant grant;
};

struct compiling {
    struct rbac_model *model;
    struct snapshot_writer *writer;
    struct pending *pending;
    size_t count;
    size_t cap;
};

static void compiling_free(struct compiling *compiling)
{
    free(compiling->pending);
}

static int put_atom(struct compiling *c, struct span text, uint32_t *out, struct err *err)
{
    struct policy_text record;

    *out = policy_find_atom(snapshot_writer_view(c->writer), text);
    if (*out != POLICY_NO_ATOM)
        return 0;
    TRY(snapshot_writer_text(c->writer, text, "a name in an RBAC object", &record.text, err));
    *out = snapshot_writer_add(c->writer, POLICY_ATOMS, &record);
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int put_ids(struct compiling *c, const struct rbac_list *list, struct snapshot_ref *out,
                   struct err *err)
{
    CLEANUP_FREE uint32_t *ids = mem_new_array(list->count, sizeof(*ids));

    for (size_t i = 0; i < list->count; i++)
        TRY(put_atom(c, list->items[i], &ids[i], err));
    if (list->count > 0)
        qsort(ids, list->count, sizeof(*ids), compare_ids);
    out->at = snapshot_count(snapshot_writer_view(c->writer), POLICY_IDS);
    out->count = (uint32_t)list->count;
    for (size_t i = 0; i < list->count; i++)
        snapshot_writer_add(c->writer, POLICY_IDS, &ids[i]);
    return 0;
}

static bool has_star(const struct rbac_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (span_eq_str(list->items[i], "*"))
            return true;
    return false;
}

static int put_filtered(struct compiling *c, const struct rbac_list *list, struct snapshot_ref *out,
                        uint64_t *bits, struct err *err)
{
    TRY(put_ids(c, list, out, err));
    const uint32_t *ids = snapshot_records(snapshot_writer_view(c->writer), POLICY_IDS);
    *bits = has_star(list) ? UINT64_MAX : 0;
    /* Past the ceiling nothing was added; the whole file is refused in the end. */
    if (out->at + out->count > snapshot_count(snapshot_writer_view(c->writer), POLICY_IDS))
        return 0;
    for (uint32_t i = 0; i < out->count; i++)
        *bits |= 1ULL << ids[out->at + i] % 64;
    return 0;
}

static int put_urls(struct compiling *c, const struct rbac_list *list, struct snapshot_ref *out,
                    struct err *err)
{
    struct policy_text record;

    out->at = snapshot_count(snapshot_writer_view(c->writer), POLICY_URLS);
    out->count = (uint32_t)list->count;
    for (size_t i = 0; i < list->count; i++) {
        TRY(snapshot_writer_text(c->writer, list->items[i], "a path in an RBAC object",
                                 &record.text, err));
        snapshot_writer_add(c->writer, POLICY_URLS, &record);
    }
    return 0;
}

static int compile_rule(struct compiling *c, const struct rbac_rule *rule, struct policy_rule *out,
                        struct err *err)
{
    *out = (struct policy_rule){
        .any = (has_star(&rule->verbs) ? POLICY_ANY_VERB : 0U) |
               (has_star(&rule->groups) ? POLICY_ANY_GROUP : 0U) |
               (has_star(&rule->resources) ? POLICY_ANY_RESOURCE : 0U),
    };
    TRY(put_filtered(c, &rule->verbs, &out->verbs, &out->verb_bits, err));
    TRY(put_filtered(c, &rule->groups, &out->groups, &out->group_bits, err));
    TRY(put_filtered(c, &rule->resources, &out->resources, &out->resource_bits, err));
    TRY(put_ids(c, &rule->names, &out->names, err));
    return put_urls(c, &rule->urls, &out->urls, err);
}

/* A role that is in use is compiled once. */
static int compile_role(struct compiling *c, struct rbac_entry *role, uint32_t *out,
                        struct err *err)
{
    struct rbac_rules rules = rbac_entry_rules(role);
    struct policy_role record = {.clusterwide = rbac_kind_is_clusterwide(role->object->kind)};
    struct policy_rule rule;

    if (role->compiled > 0) {
        *out = role->compiled - 1;
        return 0;
    }
    TRY(snapshot_writer_text(c->writer, role->object->name, "role", &record.name, err));
    record.rules.at = snapshot_count(snapshot_writer_view(c->writer), POLICY_RULES);
    record.rules.count = (uint32_t)rules.count;
    for (size_t i = 0; i < rules.count; i++) {
        TRY(compile_rule(c, &rules.items[i], &rule, err));
        snapshot_writer_add(c->writer, POLICY_RULES, &rule);
    }
    *out = snapshot_writer_add(c->writer, POLICY_ROLES, &record);
    role->compiled = *out + 1;
    return 0;
}

static int put_subject(struct compiling *c, const struct rbac_subject *subject, uint32_t *out,
                       struct err *err)
{
    const struct snapshot *view = snapshot_writer_view(c->writer);
    const struct policy_subject *first = snapshot_records(view, POLICY_SUBJECTS);
    const struct policy_subject *found = policy_find_subject(view, subject->kind, subject->name);
    struct policy_subject record = {.kind = subject->kind};

    if (found != NULL) {
        *out = (uint32_t)(found - first);
        return 0;
    }
    TRY(snapshot_writer_text(c->writer, subject->name, "subject", &record.name, err));
    *out = snapshot_writer_add(c->writer, POLICY_SUBJECTS, &record);
    return 0;
}

static void add_pending(struct compiling *c, uint32_t subject, const struct policy_grant *grant)
{
    if (c->count == c->cap) {
        c->cap = c->cap > 0 ? 2 * c->cap : 64;
        c->pending = mem_resize_array(c->pending, c->cap, sizeof(*c->pending));
    }
    c->pending[c->count++] = (struct pending){subject, *grant};
}

static int compile_binding(struct compiling *c, const struct rbac_object *binding, struct err *err)
{
    struct rbac_entry *role = rbac_model_role_of(c->model, binding);
    struct policy_binding record;
    struct policy_grant grant = {0};
    uint32_t subject;

    if (role == NULL || binding->subject_count == 0)
        return 0;
    TRY(compile_role(c, role, &grant.role, err));
    if (!rbac_kind_is_clusterwide(binding->kind)) {
        TRY(put_atom(c, binding->namespace, &grant.namespace, err));
        grant.namespace ++;
    }
    TRY(snapshot_writer_text(c->writer, binding->name, "binding", &record.name, err));
    TRY(snapshot_writer_text(c->writer, binding->namespace, "namespace", &record.namespace, err));
    grant.binding = snapshot_writer_add(c->writer, POLICY_BINDINGS, &record);
    for (size_t i = 0; i < binding->subject_count; i++) {
        TRY(put_subject(c, &binding->subjects[i], &subject, err));
        add_pending(c, subject, &grant);
    }
    return 0;
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_pending(const void *a, const void *b)
{
    const struct pending *x = a;
    const struct pending *y = b;
    int order = compare_numbers(x->subject, y->subject);

    if (order == 0)
        order = compare_numbers(x->grant.namespace, y->grant.namespace);
    if (order == 0)
        order = compare_numbers(x->grant.role, y->grant.role);
    return order != 0 ? order : compare_numbers(x->grant.binding, y->grant.binding);
}

static bool gives_the_same(const struct pending *a, const struct pending *b)
{
    return a->subject == b->subject && a->grant.namespace == b->grant.namespace &&
           a->grant.role == b->grant.role;
}

static void put_grants(struct compiling *c)
{
    if (c->count > 0)
        qsort(c->pending, c->count, sizeof(*c->pending), compare_pending);
    for (size_t i = 0; i < c->count; i++) {
        const struct pending *pending = &c->pending[i];
        if (i > 0 && gives_the_same(pending, pending - 1))
            continue;
        uint32_t at = snapshot_writer_add(c->writer, POLICY_GRANTS, &pending->grant);
        if (pending->subject >= snapshot_count(snapshot_writer_view(c->writer), POLICY_SUBJECTS))
            return; /* past the ceiling */
        struct policy_subject *subject =
            snapshot_writer_at(c->writer, POLICY_SUBJECTS, pending->subject);
        if (subject->grants.count++ == 0)
            subject->grants.at = at;
    }
}

static int compile_kind(struct compiling *c, enum rbac_kind kind, struct err *err)
{
    struct rbac_entry *entry;

    TAILQ_FOREACH (entry, &c->model->of_kind[kind], link)
        TRY(compile_binding(c, entry->object, err));
    return 0;
}

int rbac_model_compile(struct rbac_model *model, struct policy_builder *builder, struct err *err)
{
    CLEANUP(compiling_free)
    struct compiling c = {.model = model, .writer = policy_builder_writer(builder)};
    struct rbac_entry *entry;

    INVARIANT(snapshot_count(snapshot_writer_view(c.writer), POLICY_SUBJECTS) == 0);
    rbac_model_aggregate(model);
    for (int kind = RBAC_ROLE; kind <= RBAC_CLUSTER_ROLE; kind++)
        TAILQ_FOREACH (entry, &model->of_kind[kind], link)
            entry->compiled = 0;
    TRY(compile_kind(&c, RBAC_CLUSTER_ROLE_BINDING, err));
    TRY(compile_kind(&c, RBAC_ROLE_BINDING, err));
    put_grants(&c);
    return 0;
}
