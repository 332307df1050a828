/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to an object before it is judged: unknown names and nulls go, defaults come. */
#include "base/buf.h"
#include "kube/path.h"
#include "kube/schema.h"

struct pruning {
    json_t *unknown;
    struct kube_path path;
};

static void prune_object(struct pruning *pruning, const struct kube_shape *shape, json_t *object);

static void prune_list(struct pruning *pruning, const struct kube_field *field, json_t *list)
{
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        size_t before = kube_path_index(&pruning->path, i);
        if (field->shape != NULL && json_is_object(item))
            prune_object(pruning, field->shape, item);
        kube_path_cut(&pruning->path, before);
    }
}

static void prune_map(struct pruning *pruning, const struct kube_field *field, json_t *map)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(map, next, name, value)
    {
        if (json_is_null(value)) {
            json_object_del(map, name);
            continue;
        }
        if (field->format == KUBE_QUANTITY && json_is_integer(value))
            json_object_set_new(map, name,
                                json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value)));
        if (field->shape != NULL && json_is_object(value)) {
            size_t before = kube_path_key(&pruning->path, name);
            prune_object(pruning, field->shape, value);
            kube_path_cut(&pruning->path, before);
        }
    }
}

static void prune_value(struct pruning *pruning, const struct kube_field *field, json_t *value)
{
    size_t before = kube_path_name(&pruning->path, field->name);

    if (field->type == KUBE_OBJECT && json_is_object(value))
        prune_object(pruning, field->shape, value);
    else if (field->type == KUBE_LIST && json_is_array(value))
        prune_list(pruning, field, value);
    else if (field->type == KUBE_MAP && json_is_object(value))
        prune_map(pruning, field, value);
    kube_path_cut(&pruning->path, before);
}

static void note_unknown(struct pruning *pruning, const char *name)
{
    size_t before = kube_path_name(&pruning->path, name);

    if (pruning->unknown != NULL) {
        json_t *path = json_string(pruning->path.text);
        /* A path that was cut inside a character is no text. */
        json_array_append_new(pruning->unknown, path != NULL ? path : json_string("..."));
    }
    kube_path_cut(&pruning->path, before);
}

static void prune_object(struct pruning *pruning, const struct kube_shape *shape, json_t *object)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, name, value)
    {
        const struct kube_field *field = kube_shape_field(shape, name);
        if (field == NULL)
            note_unknown(pruning, name);
        else
            prune_value(pruning, field, value);
        if (field == NULL || json_is_null(value) || (field->flags & KUBE_DROPPED) != 0)
            json_object_del(object, name);
    }
}

void kube_schema_prune(const struct kube_shape *shape, json_t *object, json_t *unknown)
{
    struct pruning pruning = {.unknown = unknown};

    prune_object(&pruning, shape, object);
}

static void defaults_value(const struct kube_field *field, json_t *value)
{
    size_t i;
    const char *name;
    json_t *item;

    if (field->shape == NULL)
        return;
    if (field->type == KUBE_OBJECT && json_is_object(value))
        kube_schema_defaults(field->shape, value);
    if (field->type == KUBE_LIST) {
        json_array_foreach (value, i, item) {
            if (json_is_object(item))
                kube_schema_defaults(field->shape, item);
        }
    }
    if (field->type == KUBE_MAP) {
        json_object_foreach (value, name, item) {
            if (json_is_object(item))
                kube_schema_defaults(field->shape, item);
        }
    }
}

void kube_schema_defaults(const struct kube_shape *shape, json_t *object)
{
    for (const struct kube_field *field = shape->fields; field->name != NULL; field++) {
        json_t *value = json_object_get(object, field->name);
        if (value == NULL && field->fallback != NULL) {
            value = json_loads(field->fallback, JSON_DECODE_ANY, NULL);
            INVARIANT(value != NULL);
            json_object_set_new(object, field->name, value);
        }
        if (value != NULL)
            defaults_value(field, value);
    }
}
