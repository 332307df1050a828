/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6902. */
#include "base/mem.h"
#include "codec/json.h"
#include "kube/patch.h"

struct patching {
    json_t **target;
    size_t nodes; /* made by copying so far; copies of copies grow without end */
};

/* Where a pointer leads: a place in `parent`, which need not be taken yet. */
struct place {
    json_t *at; /* while walking */
    json_t *parent;
    char *token; /* NULL: the whole document */
    int depth;
};

static void place_free(struct place *place)
{
    free(place->token);
}

static int walk_to_parent(void *ctx, const char *token, bool last, struct err *err)
{
    struct place *place = ctx;
    size_t index;

    place->depth++;
    if (last) {
        place->parent = place->at;
        place->token = mem_strdup(token);
        return 0;
    }
    if (json_is_array(place->at)) {
        TRY(kube_pointer_index(token, json_array_size(place->at), false, &index, err));
        place->at = json_array_get(place->at, index);
    } else {
        place->at = json_object_get(place->at, token);
    }
    if (place->at == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no \"%.64s\"", token);
    return 0;
}

static int find_place(struct patching *patching, const char *pointer, struct place *place,
                      struct err *err)
{
    place->at = *patching->target;
    TRY(kube_pointer_walk(pointer, walk_to_parent, place, err));
    if (place->token != NULL && !json_is_array(place->parent) && !json_is_object(place->parent))
        return err_set(err, ERR_NOT_FOUND, "what holds \"%.64s\" is neither object nor list",
                       place->token);
    return 0;
}

static json_t *place_value(const struct place *place, struct patching *patching)
{
    struct err err = ERR_INIT;
    size_t index;

    if (place->token == NULL)
        return *patching->target;
    if (json_is_object(place->parent))
        return json_object_get(place->parent, place->token);
    if (kube_pointer_index(place->token, json_array_size(place->parent), false, &index, &err) < 0)
        return NULL;
    return json_array_get(place->parent, index);
}

static int depth_of(const json_t *value, int most)
{
    int deepest = 0;
    size_t i;
    const char *name;
    json_t *item;

    if (most == 0)
        return 1;
    if (json_is_array(value)) {
        json_array_foreach (value, i, item) {
            int depth = depth_of(item, most - 1);
            deepest = depth > deepest ? depth : deepest;
        }
    }
    if (json_is_object(value)) {
        json_object_foreach ((json_t *)value, name, item) {
            int depth = depth_of(item, most - 1);
            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest + 1;
}

/* Moves and copies nest what was flat, so the depth is bounded at each step. */
static int place_set(struct patching *patching, const struct place *place, json_t *value, bool add,
                     struct err *err)
{
    size_t index;

    if (place->depth + depth_of(value, KUBE_PATCH_DEPTH_MAX) > KUBE_PATCH_DEPTH_MAX)
        return err_set(err, ERR_TOO_LARGE, "the result is nested deeper than %d levels",
                       KUBE_PATCH_DEPTH_MAX);
    if (place->token == NULL) {
        json_decref(*patching->target);
        *patching->target = json_incref(value);
        return 0;
    }
    if (json_is_object(place->parent)) {
        json_object_set(place->parent, place->token, value);
        return 0;
    }
    TRY(kube_pointer_index(place->token, json_array_size(place->parent), add, &index, err));
    if (add)
        json_array_insert(place->parent, index, value);
    else
        json_array_set(place->parent, index, value);
    return 0;
}

static int place_remove(const struct place *place, struct err *err)
{
    size_t index;

    if (place->token == NULL)
        return err_set(err, ERR_INVALID, "the whole document cannot be removed");
    if (json_is_object(place->parent)) {
        if (json_object_del(place->parent, place->token) < 0)
            return err_set(err, ERR_NOT_FOUND, "there is no \"%.64s\"", place->token);
        return 0;
    }
    TRY(kube_pointer_index(place->token, json_array_size(place->parent), false, &index, err));
    json_array_remove(place->parent, index);
    return 0;
}

static size_t count_nodes(const json_t *value, size_t most)
{
    size_t count = 1, i;
    const char *name;
    json_t *item;

    if (json_is_array(value)) {
        json_array_foreach (value, i, item) {
            if (count > most)
                return count;
            count += count_nodes(item, most - count);
        }
    }
    if (json_is_object(value)) {
        json_object_foreach ((json_t *)value, name, item) {
            if (count > most)
                return count;
            count += count_nodes(item, most - count);
        }
    }
    return count;
}

/* Numbers are equal by value: 1 and 1.0 (section 4.6). */
static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b))
        return json_number_value(a) == json_number_value(b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_array(a)) {
        if (json_array_size(a) != json_array_size(b))
            return false;
        for (size_t i = 0; i < json_array_size(a); i++)
            if (!same_value(json_array_get(a, i), json_array_get(b, i)))
                return false;
        return true;
    }
    if (json_is_object(a)) {
        const char *name;
        json_t *item;
        if (json_object_size(a) != json_object_size(b))
            return false;
        json_object_foreach ((json_t *)a, name, item) {
            const json_t *other = json_object_get(b, name);
            if (other == NULL || !same_value(item, other))
                return false;
        }
        return true;
    }
    return json_equal(a, b);
}

static const char *text_of(const json_t *op, const char *name)
{
    return json_string_value(json_object_get(op, name));
}

static json_t *value_copy(const json_t *op)
{
    return json_deep_copy(json_object_get(op, "value"));
}

static int do_add(struct patching *patching, const json_t *op, const struct place *place,
                  struct err *err)
{
    CLEANUP_JSON json_t *value = value_copy(op);

    if (value == NULL)
        return err_set(err, ERR_INVALID, "the operation has no value");
    return place_set(patching, place, value, true, err);
}

static int do_replace(struct patching *patching, const json_t *op, const struct place *place,
                      struct err *err)
{
    CLEANUP_JSON json_t *value = value_copy(op);

    if (value == NULL)
        return err_set(err, ERR_INVALID, "the operation has no value");
    if (place_value(place, patching) == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is nothing to replace");
    return place_set(patching, place, value, false, err);
}

static int do_test(struct patching *patching, const json_t *op, const struct place *place,
                   struct err *err)
{
    const json_t *want = json_object_get(op, "value");
    const json_t *have = place_value(place, patching);

    if (want == NULL)
        return err_set(err, ERR_INVALID, "the operation has no value");
    if (have == NULL || !same_value(have, want))
        return err_set(err, ERR_CONFLICT, "testing value %.64s failed", text_of(op, "path"));
    return 0;
}

static int do_move(struct patching *patching, const json_t *op, const struct place *unused UNUSED,
                   struct err *err)
{
    CLEANUP(place_free) struct place from = {0};
    CLEANUP(place_free) struct place to = {0};
    const char *from_text = text_of(op, "from"), *path = text_of(op, "path");
    size_t len = from_text != NULL ? strlen(from_text) : 0;

    if (from_text == NULL)
        return err_set(err, ERR_INVALID, "the operation has no from");
    if (strncmp(path, from_text, len) == 0 && path[len] == '/')
        return err_set(err, ERR_INVALID, "a value cannot be moved into itself");
    TRY(find_place(patching, from_text, &from, err));
    CLEANUP_JSON json_t *value = json_incref(place_value(&from, patching));
    if (value == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is nothing at %.64s", from_text);
    if (strcmp(path, from_text) == 0)
        return 0;
    TRY(place_remove(&from, err));
    TRY(find_place(patching, path, &to, err));
    return place_set(patching, &to, value, true, err);
}

static int do_copy(struct patching *patching, const json_t *op, const struct place *place,
                   struct err *err)
{
    CLEANUP(place_free) struct place from = {0};
    const char *from_text = text_of(op, "from");

    if (from_text == NULL)
        return err_set(err, ERR_INVALID, "the operation has no from");
    TRY(find_place(patching, from_text, &from, err));
    const json_t *source = place_value(&from, patching);
    if (source == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is nothing at %.64s", from_text);
    patching->nodes += count_nodes(source, KUBE_PATCH_NODES_MAX);
    if (patching->nodes > KUBE_PATCH_NODES_MAX)
        return err_set(err, ERR_TOO_LARGE, "the patch copies more than %d values",
                       KUBE_PATCH_NODES_MAX);
    CLEANUP_JSON json_t *value = json_deep_copy(source);
    return place_set(patching, place, value, true, err);
}

static int do_remove(struct patching *patching UNUSED, const json_t *op UNUSED,
                     const struct place *place, struct err *err)
{
    return place_remove(place, err);
}

static const struct operation {
    const char *name;
    int (*run)(struct patching *patching, const json_t *op, const struct place *place,
               struct err *err);
} operations[] = {
    {"add", do_add},   {"remove", do_remove}, {"replace", do_replace},
    {"move", do_move}, {"copy", do_copy},     {"test", do_test},
};

static int run(struct patching *patching, const json_t *op, struct err *err)
{
    CLEANUP(place_free) struct place place = {0};
    const char *name = text_of(op, "op"), *path = text_of(op, "path");

    if (name == NULL || path == NULL)
        return err_set(err, ERR_INVALID, "each operation needs op and path");
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        if (strcmp(operations[i].name, name) != 0)
            continue;
        /* A move looks its places up itself: the first changes the second. */
        if (operations[i].run != do_move)
            TRY(find_place(patching, path, &place, err));
        return operations[i].run(patching, op, &place, err);
    }
    return err_set(err, ERR_INVALID, "\"%.64s\" is no operation of a JSON patch", name);
}

int kube_patch_json(json_t **target, const json_t *patch, struct err *err)
{
    struct patching patching = {.target = target};
    size_t i;
    json_t *op;

    if (!json_is_array(patch))
        return err_set(err, ERR_INVALID, "a JSON patch must be a list of operations");
    if (json_array_size(patch) > KUBE_PATCH_OPS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a JSON patch may have at most %d operations",
                       KUBE_PATCH_OPS_MAX);
    json_array_foreach (patch, i, op) {
        if (run(&patching, op, err) < 0)
            return err_wrap(err, "operation %zu", i);
    }
    return 0;
}
