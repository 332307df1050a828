/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/managed.h"

#include "base/mem.h"
#include "codec/json.h"
#include "kube/path.h"

static json_t *fields_of_value(const struct kube_field *field, const json_t *value);

static void put(json_t *tree, const char *kind, const char *name, json_t *value)
{
    CLEANUP_FREE char *key = mem_printf("%s:%s", kind, name);

    json_object_set_new(tree, key, value);
}

static json_t *fields_of_members(const struct kube_shape *shape, const json_t *object)
{
    json_t *tree = json_object();
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)object, name, value) {
        const struct kube_field *field = kube_shape_field(shape, name);
        if (field != NULL)
            put(tree, "f", name, fields_of_value(field, value));
    }
    return tree;
}

static json_t *fields_of_map(const json_t *map)
{
    json_t *tree = json_object();
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)map, name, value)
        put(tree, "f", name, json_object());
    return tree;
}

static json_t *fields_of_list(const struct kube_field *field, const json_t *list)
{
    json_t *tree = json_object();
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        bool keyed = field->list == KUBE_KEYED;
        json_t *named = keyed ? json_object_get(item, field->merge_key) : item;
        CLEANUP_JSON json_t *key =
            keyed ? json_pack("{s:O*}", field->merge_key, named) : json_incref(named);
        CLEANUP_FREE char *text = json_dumps(key, JSON_ENCODE_ANY | JSON_COMPACT);
        json_t *inner = keyed ? fields_of_members(field->shape, item) : json_object();
        if (keyed)
            json_object_set_new(inner, ".", json_object());
        put(tree, keyed ? "k" : "v", text != NULL ? text : "", inner);
    }
    return tree;
}

static json_t *fields_of_value(const struct kube_field *field, const json_t *value)
{
    if (field->type == KUBE_OBJECT && json_is_object(value))
        return fields_of_members(field->shape, value);
    if (field->type == KUBE_MAP && json_is_object(value))
        return fields_of_map(value);
    if (field->type == KUBE_LIST && field->list != KUBE_ATOMIC && json_is_array(value))
        return fields_of_list(field, value);
    return json_object();
}

json_t *kube_fields_of(const struct kube_shape *shape, const json_t *object)
{
    static const char *const identity[] = {"f:name",
                                           "f:namespace",
                                           "f:uid",
                                           "f:resourceVersion",
                                           "f:creationTimestamp",
                                           "f:generation",
                                           "f:managedFields",
                                           "f:generateName"};
    json_t *tree = fields_of_members(shape, object);
    json_t *meta = json_object_get(tree, "f:metadata");

    json_object_del(tree, "f:apiVersion");
    json_object_del(tree, "f:kind");
    for (size_t i = 0; i < ARRAY_LEN(identity); i++)
        json_object_del(meta, identity[i]);
    if (json_object_size(meta) == 0)
        json_object_del(tree, "f:metadata");
    return tree;
}

/* ------------------------------------------------------------------ walking */

/* The place in a list of what "k:{...}" or "v:..." names; -1 when it is not there. */
static ssize_t place_in(const json_t *list, const char *key)
{
    CLEANUP_JSON json_t *want = json_loads(key + 2, JSON_DECODE_ANY, NULL);
    size_t i;
    json_t *item;

    json_array_foreach (list, i, item) {
        if (key[0] == 'v' && json_equal(item, want))
            return (ssize_t)i;
        const char *name;
        json_t *value;
        if (key[0] != 'k' || json_object_size(want) == 0)
            continue;
        bool same = true;
        json_object_foreach (want, name, value)
            same = same && json_equal(json_object_get(item, name), value);
        if (same)
            return (ssize_t)i;
    }
    return -1;
}

static json_t *value_in(const json_t *parent, const char *key)
{
    if (key[0] == 'f')
        return json_object_get(parent, key + 2);
    ssize_t at = place_in(parent, key);
    return at >= 0 ? json_array_get(parent, (size_t)at) : NULL;
}

static bool is_leaf(const json_t *tree)
{
    return json_object_size(tree) == 0;
}

struct comparing {
    struct kube_path path;
    kube_fields_fn *fn;
    void *ctx;
};

static size_t extend(struct kube_path *path, const char *key)
{
    size_t before = path->len;

    if (key[0] == 'f') {
        kube_path_name(path, key + 2);
        return before;
    }
    kube_path_key(path, key + 2);
    return before;
}

static void compare(struct comparing *comparing, const json_t *mine, const json_t *theirs,
                    const json_t *live, const json_t *applied)
{
    const char *key;
    json_t *inner;

    json_object_foreach ((json_t *)mine, key, inner) {
        const json_t *other = json_object_get(theirs, key);
        if (other == NULL || strlen(key) < 2)
            continue;
        const json_t *have = value_in(live, key), *want = value_in(applied, key);
        size_t before = extend(&comparing->path, key);
        if (is_leaf(inner) || is_leaf(other)) {
            if (have == NULL || !json_equal(have, want))
                comparing->fn(comparing->ctx, comparing->path.text);
        } else {
            compare(comparing, inner, other, have, want);
        }
        kube_path_cut(&comparing->path, before);
    }
}

void kube_fields_conflicts(const json_t *mine, const json_t *theirs, const json_t *live,
                           const json_t *applied, kube_fields_fn *fn, void *ctx)
{
    struct comparing comparing = {.fn = fn, .ctx = ctx};

    compare(&comparing, mine, theirs, live, applied);
}

void kube_fields_subtract(json_t *theirs, const json_t *mine)
{
    const char *key;
    json_t *inner;

    json_object_foreach ((json_t *)mine, key, inner) {
        json_t *other = json_object_get(theirs, key);
        if (other == NULL)
            continue;
        if (!is_leaf(inner) && !is_leaf(other))
            kube_fields_subtract(other, inner);
        if (is_leaf(inner) || is_leaf(other))
            json_object_del(theirs, key);
    }
}

/* The same member of each tree. */
static json_t *members_of(const json_t *trees, const char *key)
{
    json_t *list = json_array();
    size_t i;
    json_t *tree;

    json_array_foreach (trees, i, tree) {
        json_t *inner = json_object_get(tree, key);
        if (inner != NULL)
            json_array_append(list, inner);
    }
    return list;
}

static void drop(json_t *parent, const char *key)
{
    if (key[0] == 'f') {
        json_object_del(parent, key + 2);
        return;
    }
    ssize_t at = place_in(parent, key);
    if (at >= 0)
        json_array_remove(parent, (size_t)at);
}

static bool is_empty(const json_t *value)
{
    return (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

void kube_fields_remove(json_t *object, const json_t *before, const json_t *now,
                        const json_t *others)
{
    const char *key;
    json_t *inner;

    json_object_foreach ((json_t *)before, key, inner) {
        json_t *value = strlen(key) >= 2 ? value_in(object, key) : NULL;
        const json_t *still = json_object_get(now, key);
        if (value == NULL)
            continue;
        CLEANUP_JSON json_t *shared = members_of(others, key);
        bool owned = still != NULL || json_array_size(shared) > 0;
        /* An entry of a list goes as a whole. */
        if (!owned && (is_leaf(inner) || key[0] == 'k')) {
            drop(object, key);
            continue;
        }
        if (is_leaf(inner))
            continue;
        kube_fields_remove(value, inner, still, shared);
        if (!owned && is_empty(value))
            drop(object, key);
    }
}
