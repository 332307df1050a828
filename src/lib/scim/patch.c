/* SPDX-License-Identifier: Apache-2.0 */
#include "scim/scim_internal.h"

#include "base/mem.h"
#include "codec/json.h"

#include <strings.h>

enum patch_op { PATCH_ADD, PATCH_REPLACE, PATCH_REMOVE };

struct patch {
    const struct scim_resource *resource;
    json_t *target;
    struct arena *arena;
    const char **type;
    enum patch_op op;
    bool lenient; /* what is read-only is passed over: it came in an object with the rest */
};

static int fail(struct patch *patch, const char *type, struct err *err, const char *why,
                const char *name)
{
    *patch->type = type;
    return err_set(err, ERR_INVALID, "%s: %s", name, why);
}

static void set(json_t *object, const char *name, json_t *value)
{
    INVARIANT(json_object_set_new(object, name, value) == 0);
}

/* ------------------------------------------------------------------ one object's member */

static int remove_member(struct patch *patch, json_t *holder,
                         const struct scim_attribute *attribute, struct err *err)
{
    if (attribute->required)
        return fail(patch, scim_not_mutable, err, "it is required and cannot be removed",
                    attribute->name);
    json_object_del(holder, attribute->name);
    return 0;
}

static int set_simple(struct patch *patch, json_t *holder, const struct scim_attribute *attribute,
                      const json_t *value, struct err *err)
{
    CLEANUP_JSON json_t *read = NULL;
    const json_t *old = json_object_get(holder, attribute->name);

    TRY(scim_read_element(attribute, value, &read, patch->type, err));
    if (attribute->mutability == SCIM_IMMUTABLE && old != NULL && !json_equal(old, read))
        return fail(patch, scim_not_mutable, err, "it cannot be changed", attribute->name);
    if (attribute->required && json_is_string(read) && json_string_length(read) == 0)
        return fail(patch, scim_invalid_value, err, "it is required and cannot be empty",
                    attribute->name);
    set(holder, attribute->name, json_incref(read));
    return 0;
}

/* Sub-attributes that are not named stay as they are. */
static int merge_complex(struct patch *patch, json_t *holder,
                         const struct scim_attribute *attribute, const json_t *value,
                         struct err *err)
{
    CLEANUP_JSON json_t *read = NULL;
    json_t *old = json_object_get(holder, attribute->name);

    TRY(scim_read_element(attribute, value, &read, patch->type, err));
    if (json_is_object(old))
        INVARIANT(json_object_update(old, read) == 0);
    else
        set(holder, attribute->name, json_incref(read));
    return 0;
}

/* ------------------------------------------------------------------ many values */

static json_t *list_of(json_t *holder, const struct scim_attribute *attribute)
{
    json_t *list = json_object_get(holder, attribute->name);

    if (json_is_array(list))
        return list;
    list = json_array();
    set(holder, attribute->name, list);
    return list;
}

/* Only one value is the primary one: the last that was made it. */
static void keep_one_primary(json_t *list, const json_t *chosen)
{
    if (!json_is_true(json_object_get(chosen, "primary")))
        return;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *element = json_array_get(list, i);
        if (element != chosen && json_is_true(json_object_get(element, "primary")))
            set(element, "primary", json_false());
    }
}

/* Two elements are the same when they are equal, or name the same value and no other use of it. */
static bool same_element(const json_t *a, const json_t *b)
{
    const char *values[] = {codec_json_text(a, "value", NULL), codec_json_text(b, "value", NULL)};
    const char *types[] = {codec_json_text(a, "type", ""), codec_json_text(b, "type", "")};

    if (values[0] == NULL || values[1] == NULL)
        return json_equal(a, b);
    return strcmp(values[0], values[1]) == 0 &&
           (types[0][0] == '\0' || types[1][0] == '\0' || strcasecmp(types[0], types[1]) == 0);
}

static void add_element(json_t *list, json_t *element)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *old = json_array_get(list, i);
        if (!same_element(old, element))
            continue;
        if (json_is_object(old))
            INVARIANT(json_object_update(old, element) == 0);
        json_decref(element);
        keep_one_primary(list, old);
        return;
    }
    INVARIANT(json_array_append_new(list, element) == 0);
    keep_one_primary(list, element);
}

static int add_values(struct patch *patch, json_t *list, const struct scim_attribute *attribute,
                      const json_t *value, struct err *err)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1;

    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(value) ? json_array_get(value, i) : value;
        json_t *element;
        TRY(scim_read_element(attribute, one, &element, patch->type, err));
        add_element(list, element);
    }
    return 0;
}

/* With a value those of its elements are removed, as Entra ID and Okta ask; without, all. */
static int remove_values(struct patch *patch, json_t *holder,
                         const struct scim_attribute *attribute, const json_t *value,
                         struct err *err)
{
    CLEANUP_JSON json_t *gone = json_array();
    json_t *list = json_object_get(holder, attribute->name);

    if (value == NULL || json_is_null(value))
        return remove_member(patch, holder, attribute, err);
    TRY(add_values(patch, gone, attribute, value, err));
    for (size_t i = json_array_size(list); i-- > 0;)
        for (size_t k = 0; k < json_array_size(gone); k++)
            if (same_element(json_array_get(list, i), json_array_get(gone, k))) {
                json_array_remove(list, i);
                break;
            }
    return 0;
}

static int change_many(struct patch *patch, json_t *holder, const struct scim_attribute *attribute,
                       const json_t *value, struct err *err)
{
    if (patch->op == PATCH_REMOVE)
        return remove_values(patch, holder, attribute, value, err);
    if (patch->op == PATCH_REPLACE)
        set(holder, attribute->name, json_array());
    return add_values(patch, list_of(holder, attribute), attribute, value, err);
}

/* ------------------------------------------------------------------ some of many */

static int change_element(struct patch *patch, const struct scim_path *path, json_t *list,
                          size_t index, const json_t *value, struct err *err)
{
    json_t *element = json_array_get(list, index);
    json_t *read;

    if (patch->op == PATCH_REMOVE)
        return path->sub != NULL ? remove_member(patch, element, path->sub, err)
                                 : json_array_remove(list, index);
    if (path->sub != NULL) {
        TRY(set_simple(patch, element, path->sub, value, err));
    } else {
        TRY(scim_read_element(path->attribute, value, &read, patch->type, err));
        if (patch->op == PATCH_REPLACE)
            json_object_clear(element);
        INVARIANT(json_object_update_new(element, read) == 0);
    }
    keep_one_primary(list, element);
    return 0;
}

/* Nothing matches. To add emails[type eq "work"].value makes that value; what shall be gone is gone
 * already. */
static int change_none(struct patch *patch, const struct scim_path *path, json_t *list,
                       const json_t *value, struct err *err)
{
    CLEANUP_JSON json_t *element = json_object();

    if (patch->op == PATCH_REMOVE)
        return 0;
    if (patch->op == PATCH_REPLACE || path->filter == NULL ||
        !scim_filter_fulfil(path->filter, element))
        return fail(patch, scim_no_target, err, "no value matches the path", path->attribute->name);
    INVARIANT(json_array_append(list, element) == 0);
    return change_element(patch, path, list, json_array_size(list) - 1, value, err);
}

static int change_some(struct patch *patch, json_t *holder, const struct scim_path *path,
                       const json_t *value, struct err *err)
{
    json_t *list = list_of(holder, path->attribute);
    bool found = false;

    for (size_t i = json_array_size(list); i-- > 0;) {
        if (path->filter != NULL &&
            !scim_filter_matches_element(path->filter, path->attribute, json_array_get(list, i)))
            continue;
        found = true;
        TRY(change_element(patch, path, list, i, value, err));
    }
    return found ? 0 : change_none(patch, path, list, value, err);
}

/* ------------------------------------------------------------------ a path */

static int change_sub(struct patch *patch, json_t *holder, const struct scim_path *path,
                      const json_t *value, struct err *err)
{
    json_t *object = json_object_get(holder, path->attribute->name);

    if (!json_is_object(object)) {
        object = json_object();
        set(holder, path->attribute->name, object);
    }
    return patch->op == PATCH_REMOVE ? remove_member(patch, object, path->sub, err)
                                     : set_simple(patch, object, path->sub, value, err);
}

static int change_member(struct patch *patch, json_t *holder, const struct scim_path *path,
                         const json_t *value, struct err *err)
{
    const struct scim_attribute *attribute = path->attribute;

    if (attribute->many && (path->filter != NULL || path->sub != NULL))
        return change_some(patch, holder, path, value, err);
    if (attribute->many)
        return change_many(patch, holder, attribute, value, err);
    if (path->sub != NULL)
        return change_sub(patch, holder, path, value, err);
    if (patch->op == PATCH_REMOVE)
        return remove_member(patch, holder, attribute, err);
    return attribute->type == SCIM_COMPLEX ? merge_complex(patch, holder, attribute, value, err)
                                           : set_simple(patch, holder, attribute, value, err);
}

/* What has become empty is not there (RFC 7643 section 2.5). */
static void drop_empty(json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if ((json_is_array(value) && json_array_size(value) == 0) ||
        (json_is_object(value) && json_object_size(value) == 0))
        json_object_del(object, name);
}

static int change_extension(struct patch *patch, const json_t *value, struct err *err);

static int change(struct patch *patch, const struct scim_path *path, const json_t *value,
                  struct err *err)
{
    struct patch here = *patch;
    json_t *holder = patch->target;

    if (path->attribute == NULL)
        return change_extension(patch, value, err);
    if (path->attribute->mutability == SCIM_READ_ONLY ||
        (path->sub != NULL && path->sub->mutability == SCIM_READ_ONLY))
        return patch->lenient ? 0
                              : fail(patch, scim_not_mutable, err, "it is read-only",
                                     path->sub != NULL ? path->sub->name : path->attribute->name);
    if (path->schema == NULL && strcmp(path->attribute->name, "schemas") == 0)
        return 0; /* follows from what is there */
    if (path->extension) {
        holder = scim_holder(path, patch->target);
        if (!json_is_object(holder)) {
            holder = json_object();
            set(patch->target, path->schema->urn, holder);
        }
    }
    if (here.op != PATCH_REMOVE && (value == NULL || json_is_null(value))) {
        here.op = PATCH_REMOVE;
        value = NULL;
    }
    TRY(change_member(&here, holder, path, value, err));
    drop_empty(holder, path->attribute->name);
    if (path->extension)
        drop_empty(patch->target, path->schema->urn);
    return 0;
}

/* ------------------------------------------------------------------ objects of changes */

/* Each member is a change of its own; names may be paths. */
static int change_each(struct patch *patch, const char *prefix, const json_t *value,
                       struct err *err)
{
    struct patch each = *patch;
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return fail(patch, scim_invalid_value, err, "it must be an object of attributes", "value");
    each.lenient = true;
    json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
        const char *text = arena_printf(patch->arena, "%s%s", prefix, name);
        struct scim_path path;
        if (prefix[0] != '\0' && strcasecmp(name, "schemas") == 0)
            continue; /* an extension that names itself */
        TRY(arena_check(patch->arena, "the operation", err));
        TRY(scim_path_parse(patch->resource, span_str(text), patch->arena, &path, patch->type,
                            err));
        TRY(change(&each, &path, member, err));
    }
    return 0;
}

static int change_extension(struct patch *patch, const json_t *value, struct err *err)
{
    const char *urn = patch->resource->extension->urn;

    if (patch->op == PATCH_REMOVE) {
        json_object_del(patch->target, urn);
        return 0;
    }
    const char *prefix = arena_printf(patch->arena, "%s:", urn);
    TRY(arena_check(patch->arena, "the operation", err));
    return change_each(patch, prefix, value, err);
}

/* ------------------------------------------------------------------ the message */

static json_t *member_of(const json_t *object, const char *wanted)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)object, name, value)
        if (strcasecmp(name, wanted) == 0)
            return value;
    return NULL;
}

static int read_op(struct patch *patch, const json_t *operation, struct err *err)
{
    static const char *const names[] = {"add", "replace", "remove"};
    const char *op = json_string_value(member_of(operation, "op"));

    for (size_t i = 0; op != NULL && i < ARRAY_LEN(names); i++) {
        if (strcasecmp(op, names[i]) != 0)
            continue;
        patch->op = (enum patch_op)i;
        return 0;
    }
    return fail(patch, scim_invalid_syntax, err, "it must be add, replace or remove", "op");
}

static int apply(struct patch *patch, const json_t *operation, struct err *err)
{
    const json_t *path_json = member_of(operation, "path");
    const json_t *value = member_of(operation, "value");
    struct scim_path path;

    TRY(read_op(patch, operation, err));
    if (path_json != NULL && !json_is_string(path_json))
        return fail(patch, scim_invalid_path, err, "it must be a text", "path");
    if (patch->op != PATCH_REMOVE && value == NULL)
        return fail(patch, scim_invalid_value, err, "it is missing", "value");
    if (path_json == NULL || json_string_length(path_json) == 0)
        return patch->op == PATCH_REMOVE
                   ? fail(patch, scim_no_target, err, "to remove needs one", "path")
                   : change_each(patch, "", value, err);
    TRY(scim_path_parse(patch->resource, span_str(json_string_value(path_json)), patch->arena,
                        &path, patch->type, err));
    return change(patch, &path, value, err);
}

static bool is_patch(const json_t *message)
{
    const json_t *schemas = member_of(message, "schemas");

    for (size_t i = 0; i < json_array_size(schemas); i++) {
        const char *urn = json_string_value(json_array_get(schemas, i));
        if (urn != NULL && strcasecmp(urn, "urn:ietf:params:scim:api:messages:2.0:PatchOp") == 0)
            return true;
    }
    return false;
}

static int apply_all(struct patch *patch, const json_t *operations, struct err *err)
{
    for (size_t i = 0; i < json_array_size(operations); i++)
        if (apply(patch, json_array_get(operations, i), err) < 0)
            return err_wrap(err, "Operations[%zu]", i);
    return 0;
}

int scim_patch(const struct scim_resource *resource, json_t *target, const json_t *message,
               const char **type, struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(1024 * 1024);
    CLEANUP_JSON json_t *work = json_deep_copy(target);
    struct patch patch = {.resource = resource, .target = work, .arena = arena, .type = type};
    const json_t *operations = member_of(message, "Operations");

    *type = scim_invalid_syntax;
    if (!is_patch(message))
        return err_set(err, ERR_INVALID, "schemas must name the PatchOp message");
    if (!json_is_array(operations) || json_array_size(operations) == 0 ||
        json_array_size(operations) > SCIM_OPERATIONS_MAX)
        return err_set(err, ERR_INVALID, "Operations must be a list of 1 to %d",
                       SCIM_OPERATIONS_MAX);
    TRY(apply_all(&patch, operations, err));
    json_object_clear(target);
    INVARIANT(json_object_update(target, work) == 0);
    return 0;
}
