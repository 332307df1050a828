/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategic merge patch, as the Kubernetes API documents it. What a list is (atomic, a set, keyed)
 * comes from the schema; where the schema knows nothing, objects are merged and lists replaced.
 */
#include "base/buf.h"
#include "codec/json.h"
#include "kube/patch.h"

#define DELETE_PREFIX "$deleteFromPrimitiveList/"
#define ORDER_PREFIX  "$setElementOrder/"

static int merge_object(json_t *target, const json_t *patch, const struct kube_shape *shape,
                        struct err *err);

static const struct kube_field *field_of(const struct kube_shape *shape, const char *name)
{
    return shape != NULL ? kube_shape_field(shape, name) : NULL;
}

static bool merges(const struct kube_field *field)
{
    return field != NULL && field->type == KUBE_LIST && field->list != KUBE_ATOMIC;
}

/* Two entries of the field's list that are the same one. An order list may name a keyed entry by
 * an object that holds the key alone. */
static bool same_entry(const struct kube_field *field, const json_t *a, const json_t *b)
{
    if (field->list == KUBE_SET)
        return json_equal(a, b);
    const json_t *key = json_object_get(a, field->merge_key);
    return key != NULL && json_equal(key, json_object_get(b, field->merge_key));
}

static ssize_t index_of(const struct kube_field *field, const json_t *list, const json_t *entry)
{
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        if (same_entry(field, item, entry))
            return (ssize_t)i;
    }
    return -1;
}

/* NULL, or what "$patch" says. */
static const char *directive(const json_t *patch)
{
    return json_string_value(json_object_get(patch, "$patch"));
}

static int bad_directive(const json_t *patch, struct err *err)
{
    const char *text = directive(patch);

    return err_set(err, ERR_INVALID, "unknown patch type found: %.32s",
                   text != NULL ? text : "not a text");
}

/* The list that is left when a patch says so: its entries without the directive. */
static bool replaces_list(const json_t *patch)
{
    size_t i;
    json_t *item;

    json_array_foreach (patch, i, item) {
        const char *text = directive(item);
        if (text != NULL && strcmp(text, "replace") == 0)
            return true;
    }
    return false;
}

static int merge_entry(json_t *list, const struct kube_field *field, const json_t *patch,
                       struct err *err)
{
    const char *text = directive(patch);
    bool drop = text != NULL && strcmp(text, "delete") == 0;

    if (!json_is_object(patch))
        return err_set(err, ERR_INVALID, "an entry of %s must be an object", field->name);
    if (text != NULL && !drop && strcmp(text, "merge") != 0 && strcmp(text, "replace") != 0)
        return bad_directive(patch, err);
    if (json_object_get(patch, field->merge_key) == NULL)
        return err_set(err, ERR_INVALID, "an entry of %s does not contain its merge key: %s",
                       field->name, field->merge_key);
    ssize_t at = index_of(field, list, patch);
    if (drop) {
        for (; at >= 0; at = index_of(field, list, patch))
            json_array_remove(list, (size_t)at);
        return 0;
    }
    if (at >= 0)
        return merge_object(json_array_get(list, (size_t)at), patch, field->shape, err);
    json_t *entry = json_object();
    json_array_append_new(list, entry);
    return merge_object(entry, patch, field->shape, err);
}

static int merge_list(json_t *list, const struct kube_field *field, const json_t *patch,
                      struct err *err)
{
    bool replace = field->list == KUBE_KEYED && replaces_list(patch);
    size_t i;
    json_t *item;

    if (replace)
        json_array_clear(list);
    json_array_foreach (patch, i, item) {
        bool only_directive = replace && json_object_size(item) == 1 && directive(item) != NULL;
        if (only_directive)
            continue;
        if (field->list == KUBE_KEYED)
            TRY(merge_entry(list, field, item, err));
        else if (index_of(field, list, item) < 0)
            json_array_append_new(list, json_deep_copy(item));
    }
    return 0;
}

/* Entries that the order names come in its order; the others keep their place relative to those
 * that were there before. */
static void set_order(json_t *list, const struct kube_field *field, const json_t *order,
                      const json_t *before)
{
    CLEANUP_JSON json_t *named = json_array();
    CLEANUP_JSON json_t *others = json_array();
    size_t i, left = 0, right = 0;
    json_t *item;

    json_array_foreach (order, i, item) {
        ssize_t at = index_of(field, list, item);
        if (at >= 0 && index_of(field, named, item) < 0)
            json_array_append(named, json_array_get(list, (size_t)at));
    }
    json_array_foreach (list, i, item) {
        if (index_of(field, order, item) < 0)
            json_array_append(others, item);
    }
    json_array_clear(list);
    while (left < json_array_size(others) || right < json_array_size(named)) {
        json_t *other = json_array_get(others, left), *name = json_array_get(named, right);
        ssize_t other_at = other != NULL ? index_of(field, before, other) : -1;
        ssize_t name_at = name != NULL ? index_of(field, before, name) : -1;
        bool take_other = name == NULL || (other_at >= 0 && name_at >= 0 && other_at < name_at);
        if (other != NULL && take_other) {
            json_array_append(list, other);
            left++;
        } else {
            json_array_append(list, name);
            right++;
        }
    }
}

/* Replaces *value in target under the name by an empty list when it is none. */
static json_t *list_in(json_t *target, const char *name)
{
    json_t *list = json_object_get(target, name);

    if (json_is_array(list))
        return list;
    list = json_array();
    json_object_set_new(target, name, list);
    return list;
}

enum { ENTRIES_MAX = 2000 }; /* of a list that is merged: comparing is quadratic */

static int merge_list_field(json_t *target, const struct kube_field *field, const json_t *patch,
                            const json_t *order, struct err *err)
{
    const char *name = field->name;

    if ((patch != NULL && !json_is_array(patch)) || (order != NULL && !json_is_array(order)))
        return err_set(err, ERR_INVALID, "%s must be a list", name);
    if (json_array_size(patch) > ENTRIES_MAX || json_array_size(order) > ENTRIES_MAX ||
        json_array_size(json_object_get(target, name)) > ENTRIES_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s has more than %d entries to merge", name,
                       ENTRIES_MAX);
    if (patch == NULL && !json_is_array(json_object_get(target, name)))
        return 0;
    json_t *list = list_in(target, name);
    CLEANUP_JSON json_t *before = json_copy(list);
    if (patch != NULL)
        TRY(merge_list(list, field, patch, err));
    if (order != NULL)
        set_order(list, field, order, before);
    return 0;
}

static int delete_primitives(json_t *target, const char *name, const json_t *values,
                             struct err *err)
{
    json_t *list = json_object_get(target, name);

    if (!json_is_array(values))
        return err_set(err, ERR_INVALID, DELETE_PREFIX "%.64s must be a list", name);
    if (!json_is_array(list))
        return 0;
    if (json_array_size(values) > ENTRIES_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d entries to delete", ENTRIES_MAX);
    for (size_t i = json_array_size(list); i-- > 0;) {
        for (size_t j = 0; j < json_array_size(values); j++) {
            if (!json_equal(json_array_get(list, i), json_array_get(values, j)))
                continue;
            json_array_remove(list, i);
            break;
        }
    }
    return 0;
}

static int retain_keys(json_t *target, const json_t *keys, struct err *err)
{
    const char *name;
    json_t *value;
    void *next;

    if (!json_is_array(keys))
        return err_set(err, ERR_INVALID, "$retainKeys must be a list");
    json_object_foreach_safe(target, next, name, value)
    {
        bool kept = false;
        for (size_t i = 0; i < json_array_size(keys) && !kept; i++) {
            const char *key = json_string_value(json_array_get(keys, i));
            kept = key != NULL && strcmp(key, name) == 0;
        }
        if (!kept)
            json_object_del(target, name);
    }
    return 0;
}

static int merge_value(json_t *target, const char *name, const json_t *patch,
                       const struct kube_field *field, struct err *err)
{
    json_t *value = json_object_get(target, name);

    if (json_is_null(patch)) {
        json_object_del(target, name);
        return 0;
    }
    if (!json_is_object(patch)) {
        json_object_set_new(target, name, json_deep_copy(patch));
        return 0;
    }
    if (!json_is_object(value)) {
        value = json_object();
        json_object_set_new(target, name, value);
    }
    bool known = field != NULL && field->type == KUBE_OBJECT;
    return merge_object(value, patch, known ? field->shape : NULL, err);
}

static int merge_name(json_t *target, const char *name, const json_t *value, const json_t *patch,
                      const struct kube_shape *shape, struct err *err)
{
    if (strcmp(name, "$patch") == 0 || strcmp(name, "$retainKeys") == 0)
        return 0;
    if (span_has_prefix(span_str(name), DELETE_PREFIX))
        return delete_primitives(target, name + strlen(DELETE_PREFIX), value, err);
    bool order = span_has_prefix(span_str(name), ORDER_PREFIX);
    const char *plain = order ? name + strlen(ORDER_PREFIX) : name;
    const struct kube_field *field = field_of(shape, plain);
    if (!merges(field))
        return order ? 0 : merge_value(target, plain, value, field, err);
    const json_t *list = json_object_get(patch, plain);
    if (json_is_null(list))
        return order ? 0 : merge_value(target, plain, value, field, err);
    if (order)
        return merge_list_field(target, field, list, value, err);
    char order_name[128];
    snprintf(order_name, sizeof(order_name), ORDER_PREFIX "%s", plain);
    if (json_object_get(patch, order_name) != NULL)
        return 0; /* merged with its order */
    return merge_list_field(target, field, value, NULL, err);
}

static int merge_object(json_t *target, const json_t *patch, const struct kube_shape *shape,
                        struct err *err)
{
    const json_t *said = json_object_get(patch, "$patch");
    const json_t *keys = json_object_get(patch, "$retainKeys");
    const char *text = directive(patch), *name;
    json_t *value;

    if (said != NULL &&
        (text == NULL || (strcmp(text, "replace") != 0 && strcmp(text, "delete") != 0 &&
                          strcmp(text, "merge") != 0)))
        return bad_directive(patch, err);
    if (text != NULL && strcmp(text, "merge") != 0)
        json_object_clear(target);
    if (text != NULL && strcmp(text, "delete") == 0)
        return 0;
    if (keys != NULL)
        TRY(retain_keys(target, keys, err));
    json_object_foreach ((json_t *)patch, name, value)
        TRY(merge_name(target, name, value, patch, shape, err));
    return 0;
}

int kube_patch_strategic(json_t **target, const json_t *patch, const struct kube_shape *shape,
                         struct err *err)
{
    if (!json_is_object(patch) || !json_is_object(*target))
        return err_set(err, ERR_INVALID, "a strategic merge patch must be an object");
    return merge_object(*target, patch, shape, err);
}
