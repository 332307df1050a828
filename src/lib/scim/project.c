/* SPDX-License-Identifier: Apache-2.0 */
#include "scim/scim_internal.h"

#include "base/mem.h"

typedef int path_fn(void *ctx, const struct scim_path *path, struct err *err);

/* Calls fn for each path in a list with commas. */
static int each_path(const struct scim_resource *resource, const char *list, struct arena *arena,
                     path_fn *fn, void *ctx, struct err *err)
{
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        struct span text = span_of(list, len);
        struct scim_path path;
        const char *type;
        while (text.len > 0 && text.p[0] == ' ')
            text = span_of(text.p + 1, text.len - 1);
        while (text.len > 0 && text.p[text.len - 1] == ' ')
            text.len--;
        TRY(scim_path_parse(resource, text, arena, &path, &type, err));
        TRY(fn(ctx, &path, err));
        list += len + (list[len] == ',');
    }
    return 0;
}

/* ------------------------------------------------------------------ excludedAttributes */

static void drop_sub(json_t *value, const struct scim_attribute *sub)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        drop_sub(json_array_get(value, i), sub);
    if (json_is_object(value))
        json_object_del(value, sub->name);
}

static int exclude(void *ctx, const struct scim_path *path, struct err *err UNUSED)
{
    json_t *target = ctx;
    json_t *holder = scim_holder(path, target);

    if (path->attribute == NULL)
        json_object_del(target, path->schema->urn);
    else if (path->sub != NULL)
        drop_sub(json_object_get(holder, path->attribute->name), path->sub);
    else if (path->attribute->returned != SCIM_ALWAYS)
        json_object_del(holder, path->attribute->name);
    return 0;
}

/* ------------------------------------------------------------------ attributes */

struct selection {
    json_t *from;
    json_t *to;
};

static void set_new(json_t *object, const char *name, json_t *value)
{
    INVARIANT(json_object_set_new(object, name, value) == 0);
}

/* Copies one sub-attribute of a value, or of each of many, beside those that are there already. */
static void take_sub(json_t *to, const json_t *value, const struct scim_path *path)
{
    const char *name = path->attribute->name;
    json_t *into = json_object_get(to, name);

    if (into == NULL) {
        into = json_is_array(value) ? json_array() : json_object();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(into, json_object());
        set_new(to, name, into);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *sub = json_object_get(json_array_get(value, i), path->sub->name);
        if (sub != NULL)
            set_new(json_array_get(into, i), path->sub->name, json_incref(sub));
    }
    json_t *sub = json_object_get(value, path->sub->name);
    if (sub != NULL)
        set_new(into, path->sub->name, json_incref(sub));
}

static int take(void *ctx, const struct scim_path *path, struct err *err UNUSED)
{
    const struct selection *selection = ctx;
    const json_t *holder = scim_holder(path, selection->from);
    json_t *to = selection->to;

    if (path->extension && holder != NULL) {
        if (path->attribute == NULL) {
            set_new(to, path->schema->urn, json_deep_copy(holder));
            return 0;
        }
        if (json_object_get(to, path->schema->urn) == NULL)
            set_new(to, path->schema->urn, json_object());
        to = json_object_get(to, path->schema->urn);
    }
    json_t *value = path->attribute == NULL ? NULL : json_object_get(holder, path->attribute->name);
    if (value != NULL && path->sub != NULL &&
        !json_equal(json_object_get(to, path->attribute->name), value))
        take_sub(to, value, path);
    else if (value != NULL)
        set_new(to, path->attribute->name, json_deep_copy(value));
    return 0;
}

static void take_always(const struct scim_attribute *table, const json_t *from, json_t *to)
{
    for (; table->name != NULL; table++) {
        json_t *value = json_object_get(from, table->name);
        if (table->returned == SCIM_ALWAYS && value != NULL)
            set_new(to, table->name, json_incref(value));
    }
}

/* ------------------------------------------------------------------ both */

static void drop_never(const struct scim_attribute *table, json_t *target)
{
    for (; table->name != NULL; table++)
        if (table->returned == SCIM_NEVER)
            json_object_del(target, table->name);
}

int scim_project(const struct scim_resource *resource, json_t *target, const char *attributes,
                 const char *excluded, struct arena *arena, struct err *err)
{
    drop_never(resource->schema->attributes, target);
    if (attributes[0] == '\0')
        return each_path(resource, excluded, arena, exclude, target, err);
    json_t *to = json_object();
    struct selection selection = {.from = target, .to = to};
    int result = each_path(resource, attributes, arena, take, &selection, err);
    if (result == 0) {
        take_always(scim_common, target, to);
        take_always(resource->schema->attributes, target, to);
        json_object_clear(target);
        INVARIANT(json_object_update(target, to) == 0);
    }
    json_decref(to);
    return result;
}
