/* SPDX-License-Identifier: Apache-2.0 */
#include "rbac/model_internal.h"

#include "base/mem.h"

#include <search.h>
#include <stdlib.h>

struct rbac_model *rbac_model_new(void)
{
    struct rbac_model *model = mem_new(sizeof(*model));

    for (int i = 0; i < RBAC_KIND_COUNT; i++)
        TAILQ_INIT(&model->of_kind[i]);
    return model;
}

static void free_entry(struct rbac_entry *entry)
{
    rbac_object_free(entry->object);
    free(entry->gathered);
    free(entry);
}

static void keep_node(void *node UNUSED)
{
}

void rbac_model_free(struct rbac_model *model)
{
    if (model == NULL)
        return;
    tdestroy(model->index, keep_node);
    for (int i = 0; i < RBAC_KIND_COUNT; i++)
        for (struct rbac_entry *entry; (entry = TAILQ_FIRST(&model->of_kind[i])) != NULL;) {
            TAILQ_REMOVE(&model->of_kind[i], entry, link);
            free_entry(entry);
        }
    free(model);
}

void rbac_model_free_ptr(struct rbac_model **model)
{
    rbac_model_free(*model);
}

static int compare_spans(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.p, b.p, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_entries(const void *a, const void *b)
{
    const struct rbac_object *x = ((const struct rbac_entry *)a)->object;
    const struct rbac_object *y = ((const struct rbac_entry *)b)->object;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    int order = compare_spans(x->namespace, y->namespace);
    return order != 0 ? order : compare_spans(x->name, y->name);
}

struct rbac_entry *rbac_model_find(const struct rbac_model *model, enum rbac_kind kind,
                                   struct span namespace, struct span name)
{
    struct rbac_object object = {.kind = kind, .namespace = namespace, .name = name};
    struct rbac_entry wanted = {.object = &object};
    struct rbac_entry *const *found = tfind(&wanted, &model->index, compare_entries);

    return found != NULL ? *found : NULL;
}

static void add_entry(struct rbac_model *model, struct rbac_object *object)
{
    struct rbac_entry *entry = mem_new(sizeof(*entry));

    entry->object = object;
    struct rbac_entry **node = tsearch(entry, &model->index, compare_entries);
    INVARIANT(node != NULL && *node == entry);
    TAILQ_INSERT_TAIL(&model->of_kind[object->kind], entry, link);
}

static void remove_entry(struct rbac_model *model, struct rbac_entry *entry)
{
    tdelete(entry, &model->index, compare_entries);
    TAILQ_REMOVE(&model->of_kind[entry->object->kind], entry, link);
    free_entry(entry);
}

int rbac_model_put(struct rbac_model *model, const json_t *json, struct err *err)
{
    struct rbac_object *object = NULL;

    TRY(rbac_object_read(json, &object, err));
    struct rbac_entry *old = rbac_model_find(model, object->kind, object->namespace, object->name);
    if (old != NULL)
        remove_entry(model, old);
    model->aggregates_stale |= object->kind == RBAC_CLUSTER_ROLE;
    add_entry(model, object);
    return 0;
}

bool rbac_model_delete(struct rbac_model *model, const char *kind, const char *namespace,
                       const char *name)
{
    int number = rbac_kind_by_name(kind);

    if (number < 0)
        return false;
    struct rbac_entry *entry =
        rbac_model_find(model, (enum rbac_kind)number, span_str(namespace), span_str(name));
    if (entry == NULL)
        return false;
    model->aggregates_stale |= number == RBAC_CLUSTER_ROLE;
    remove_entry(model, entry);
    return true;
}

struct rbac_rules rbac_entry_rules(const struct rbac_entry *entry)
{
    if (entry->object->selectors != NULL)
        return (struct rbac_rules){entry->gathered, entry->gathered_count};
    return entry->object->rules;
}

struct rbac_entry *rbac_model_role_of(const struct rbac_model *model,
                                      const struct rbac_object *binding)
{
    struct span namespace = binding->role_kind == RBAC_ROLE ? binding->namespace : span_str("");

    return rbac_model_find(model, binding->role_kind, namespace, binding->role);
}

/* ---------------------------------------------------------------- aggregation */

static bool is_selected(const struct rbac_entry *aggregate, const struct rbac_entry *other)
{
    const json_t *selector;
    size_t i;

    json_array_foreach (aggregate->object->selectors, i, selector)
        if (rbac_selector_matches(selector, other->object->labels))
            return true;
    return false;
}

static void gather(struct rbac_entry *into, const struct rbac_rules *rules)
{
    size_t count = into->gathered_count + rules->count;

    if (rules->count == 0)
        return;
    into->gathered = mem_resize_array(into->gathered, count, sizeof(*into->gathered));
    memcpy(into->gathered + into->gathered_count, rules->items,
           rules->count * sizeof(*rules->items));
    into->gathered_count = count;
}

/* An aggregated role has the rules of those that its selectors name, and of those that these in
 * turn name; its own are not looked at. */
static void gather_from(struct rbac_model *model, struct rbac_entry *into,
                        struct rbac_entry *aggregate)
{
    struct rbac_entry *other;

    TAILQ_FOREACH (other, &model->of_kind[RBAC_CLUSTER_ROLE], link) {
        if (other->visited || !is_selected(aggregate, other))
            continue;
        other->visited = true;
        if (other->object->selectors != NULL)
            gather_from(model, into, other);
        else
            gather(into, &other->object->rules);
    }
}

static void clear_visited(struct rbac_model *model)
{
    struct rbac_entry *entry;

    TAILQ_FOREACH (entry, &model->of_kind[RBAC_CLUSTER_ROLE], link)
        entry->visited = false;
}

void rbac_model_aggregate(struct rbac_model *model)
{
    struct rbac_entry *entry;

    if (!model->aggregates_stale)
        return;
    TAILQ_FOREACH (entry, &model->of_kind[RBAC_CLUSTER_ROLE], link) {
        if (entry->object->selectors == NULL)
            continue;
        clear_visited(model);
        entry->visited = true;
        entry->gathered_count = 0;
        gather_from(model, entry, entry);
    }
    model->aggregates_stale = false;
}

static json_t *list_json(const struct rbac_list *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array,
                              json_stringn((const char *)list->items[i].p, list->items[i].len));
    return array;
}

static void set_list(json_t *rule, const char *name, const struct rbac_list *list)
{
    if (list->count > 0)
        json_object_set_new(rule, name, list_json(list));
}

json_t *rbac_rules_json(const struct rbac_rules *rules)
{
    json_t *array = json_array();

    for (size_t i = 0; i < rules->count; i++) {
        json_t *rule = json_object();
        set_list(rule, "verbs", &rules->items[i].verbs);
        set_list(rule, "apiGroups", &rules->items[i].groups);
        set_list(rule, "resources", &rules->items[i].resources);
        set_list(rule, "resourceNames", &rules->items[i].names);
        set_list(rule, "nonResourceURLs", &rules->items[i].urls);
        json_array_append_new(array, rule);
    }
    return array;
}

json_t *rbac_model_aggregated_rules(struct rbac_model *model, const char *name)
{
    struct rbac_entry *entry =
        rbac_model_find(model, RBAC_CLUSTER_ROLE, span_str(""), span_str(name));

    if (entry == NULL || entry->object->selectors == NULL)
        return NULL;
    rbac_model_aggregate(model);
    struct rbac_rules rules = rbac_entry_rules(entry);
    return rbac_rules_json(&rules);
}
