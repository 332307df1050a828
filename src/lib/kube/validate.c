/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "kube/path.h"
#include "kube/schema.h"

enum { SHOWN_MAX = 128 };

struct checker {
    struct kube_causes *causes;
    struct kube_path path;
};

static void check_object(struct checker *checker, const struct kube_shape *shape,
                         const json_t *object, const json_t *old);

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "object";
    case JSON_ARRAY: return "array";
    case JSON_STRING: return "string";
    case JSON_INTEGER: return "integer";
    case JSON_REAL: return "number";
    case JSON_TRUE:
    case JSON_FALSE: return "boolean";
    case JSON_NULL: return "null";
    }
    return "null";
}

static void wrong_type(struct checker *checker, const json_t *value, const char *wanted)
{
    kube_cause(checker->causes, "FieldValueTypeInvalid", checker->path.text,
               "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", type_name(value),
               checker->path.text, wanted, type_name(value));
}

static void not_supported(struct checker *checker, const struct kube_field *field, const char *text)
{
    CLEANUP(buf_free) struct buf list = BUF_INIT(4096);

    for (size_t i = 0; field->values[i] != NULL; i++)
        buf_printf(&list, "%s\"%s\"", i > 0 ? ", " : "", field->values[i]);
    kube_cause(checker->causes, "FieldValueNotSupported", checker->path.text,
               "Unsupported value: \"%.*s\": supported values: %s", SHOWN_MAX, text,
               buf_text(&list));
}

static bool one_of(const char *const *values, const char *text)
{
    for (size_t i = 0; values[i] != NULL; i++)
        if (strcmp(values[i], text) == 0)
            return true;
    return false;
}

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* `field` is that of the text, or of the list or map that it is in. */
static void check_text(struct checker *checker, const struct kube_field *field, const json_t *value)
{
    if (!json_is_string(value)) {
        wrong_type(checker, value, "string");
        return;
    }
    const char *text = json_string_value(value);
    bool alone = field->type == KUBE_STRING;
    if (field->values != NULL && !one_of(field->values, text))
        not_supported(checker, field, text);
    if (alone && text[0] == '\0' && (field->flags & KUBE_NOT_EMPTY) != 0)
        kube_cause(checker->causes, "FieldValueRequired", checker->path.text, "Required value");
    const char *fault = text[0] != '\0' ? kube_format_check(field->format, text) : NULL;
    if (fault != NULL && field->format == KUBE_BYTES) /* may be a secret in plain text */
        kube_cause(checker->causes, "FieldValueInvalid", checker->path.text, "Invalid value: %s",
                   fault);
    else if (fault != NULL)
        kube_cause(checker->causes, "FieldValueInvalid", checker->path.text,
                   "Invalid value: \"%.*s\": %s", SHOWN_MAX, text, fault);
    if (alone && field->max > 0 && characters(text) > (size_t)field->max)
        kube_cause(checker->causes, "FieldValueTooLong", checker->path.text,
                   "Too long: may not be longer than %lld", (long long)field->max);
}

static void check_int(struct checker *checker, const struct kube_field *field, const json_t *value)
{
    if (!json_is_integer(value)) {
        wrong_type(checker, value, "integer");
        return;
    }
    long long number = json_integer_value(value);
    long long min = field->min, max = field->max;
    if (min == 0 && max == 0) {
        bool small = field->type == KUBE_INT32;
        min = small ? INT32_MIN : INT64_MIN;
        max = small ? INT32_MAX : INT64_MAX;
    }
    if (number < min)
        kube_cause(checker->causes, "FieldValueInvalid", checker->path.text,
                   "Invalid value: %lld: %s in body should be greater than or equal to %lld",
                   number, checker->path.text, min);
    if (number > max)
        kube_cause(checker->causes, "FieldValueInvalid", checker->path.text,
                   "Invalid value: %lld: %s in body should be less than or equal to %lld", number,
                   checker->path.text, max);
}

static void check_item(struct checker *checker, const struct kube_field *field, const json_t *item,
                       const json_t *old)
{
    if (field->item == KUBE_STRING)
        check_text(checker, field, item);
    else if (field->item == KUBE_OBJECT && !json_is_object(item))
        wrong_type(checker, item, "object");
    else if (field->item == KUBE_OBJECT)
        check_object(checker, field->shape, item, old);
}

/* Two entries of a set, or two with one merge key. */
static bool same_entry(const struct kube_field *field, const json_t *a, const json_t *b)
{
    if (field->list == KUBE_SET)
        return json_equal(a, b);
    const json_t *key = json_object_get(a, field->merge_key);
    return key != NULL && json_equal(key, json_object_get(b, field->merge_key));
}

static void check_duplicates(struct checker *checker, const struct kube_field *field,
                             const json_t *list, size_t at)
{
    const json_t *item = json_array_get(list, at);

    for (size_t i = 0; i < at; i++) {
        if (!same_entry(field, json_array_get(list, i), item))
            continue;
        const json_t *shown =
            field->list == KUBE_SET ? item : json_object_get(item, field->merge_key);
        kube_cause(checker->causes, "FieldValueDuplicate", checker->path.text,
                   "Duplicate value: \"%.*s\"", SHOWN_MAX,
                   json_is_string(shown) ? json_string_value(shown) : "");
        return;
    }
}

static void check_list(struct checker *checker, const struct kube_field *field, const json_t *list)
{
    enum { COMPARED_MAX = 2000 }; /* comparing is quadratic */
    size_t i;
    json_t *item;

    if (!json_is_array(list)) {
        wrong_type(checker, list, "array");
        return;
    }
    size_t count = json_array_size(list);
    if (count == 0 && (field->flags & KUBE_NOT_EMPTY) != 0)
        kube_cause(checker->causes, "FieldValueRequired", checker->path.text, "Required value");
    if (field->max > 0 && count > (size_t)field->max) {
        kube_cause(checker->causes, "FieldValueTooMany", checker->path.text,
                   "Too many: %zu: must have at most %lld items", count, (long long)field->max);
        return;
    }
    json_array_foreach (list, i, item) {
        size_t before = kube_path_index(&checker->path, i);
        check_item(checker, field, item, NULL);
        if (field->list != KUBE_ATOMIC && i < COMPARED_MAX)
            check_duplicates(checker, field, list, i);
        kube_path_cut(&checker->path, before);
    }
}

static void check_map(struct checker *checker, const struct kube_field *field, const json_t *map)
{
    const char *name;
    json_t *value;

    if (!json_is_object(map)) {
        wrong_type(checker, map, "object");
        return;
    }
    json_object_foreach ((json_t *)map, name, value) {
        const char *fault = kube_format_check(field->key_format, name);
        if (fault != NULL)
            kube_cause(checker->causes, "FieldValueInvalid", checker->path.text,
                       "Invalid value: \"%.*s\": %s", SHOWN_MAX, name, fault);
        size_t before = kube_path_key(&checker->path, name);
        check_item(checker, field, value, NULL);
        kube_path_cut(&checker->path, before);
    }
}

static void check_value(struct checker *checker, const struct kube_field *field,
                        const json_t *value, const json_t *old)
{
    switch (field->type) {
    case KUBE_STRING: check_text(checker, field, value); break;
    case KUBE_BOOL:
        if (!json_is_boolean(value))
            wrong_type(checker, value, "boolean");
        break;
    case KUBE_INT32:
    case KUBE_INT64: check_int(checker, field, value); break;
    case KUBE_OBJECT:
        if (json_is_object(value))
            check_object(checker, field->shape, value, old);
        else
            wrong_type(checker, value, "object");
        break;
    case KUBE_LIST: check_list(checker, field, value); break;
    case KUBE_MAP: check_map(checker, field, value); break;
    case KUBE_ANY: break;
    }
}

static void check_immutable(struct checker *checker, const json_t *value, const json_t *old)
{
    bool same = value == NULL || old == NULL ? value == old : json_equal(value, old);

    if (!same)
        kube_cause(checker->causes, "FieldValueInvalid", checker->path.text,
                   "Invalid value: field is immutable");
}

static void check_object(struct checker *checker, const struct kube_shape *shape,
                         const json_t *object, const json_t *old)
{
    for (const struct kube_field *field = shape->fields; field->name != NULL; field++) {
        const json_t *value = json_object_get(object, field->name);
        const json_t *before = json_object_get(old, field->name);
        size_t len = kube_path_name(&checker->path, field->name);
        if (value == NULL && (field->flags & KUBE_REQUIRED) != 0)
            kube_cause(checker->causes, "FieldValueRequired", checker->path.text, "Required value");
        if (value != NULL)
            check_value(checker, field, value, before);
        if (old != NULL && (field->flags & KUBE_IMMUTABLE) != 0)
            check_immutable(checker, value, before);
        kube_path_cut(&checker->path, len);
    }
}

void kube_schema_validate(const struct kube_shape *shape, const json_t *object, const json_t *old,
                          struct kube_causes *causes)
{
    struct checker checker = {.causes = causes};

    check_object(&checker, shape, object, old);
}
