/* SPDX-License-Identifier: Apache-2.0 */
/* Names of attributes, and where their values are (RFC 7644 sections 3.5.2 and 3.10). */
#include "scim/scim_internal.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

int scim_cursor_fail(const struct scim_cursor *cursor, struct err *err, const char *fmt, ...)
{
    char why[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(err, ERR_INVALID, "column %zu: %s", (size_t)(cursor->p - cursor->all) + 1, why);
}

static struct span left(const struct scim_cursor *cursor)
{
    return span_of(cursor->p, (size_t)(cursor->end - cursor->p));
}

/* The schema's URN at the cursor, and ":" or the end behind it. */
static bool take_urn(struct scim_cursor *cursor, const struct scim_schema *schema)
{
    size_t len = schema == NULL ? 0 : strlen(schema->urn);
    struct span rest = left(cursor);

    if (schema == NULL || rest.len < len || strncasecmp(cursor->p, schema->urn, len) != 0 ||
        (rest.len > len && cursor->p[len] != ':'))
        return false;
    cursor->p += len + (rest.len > len);
    return true;
}

/* ATTRNAME, and "$ref". */
static struct span take_name(struct scim_cursor *cursor)
{
    const char *from = cursor->p;

    if (cursor->p < cursor->end && *cursor->p == '$')
        cursor->p++;
    while (cursor->p < cursor->end &&
           ((*cursor->p >= 'a' && *cursor->p <= 'z') || (*cursor->p >= 'A' && *cursor->p <= 'Z') ||
            (*cursor->p >= '0' && *cursor->p <= '9') || *cursor->p == '-' || *cursor->p == '_'))
        cursor->p++;
    return span_of(from, (size_t)(cursor->p - from));
}

static int unknown(struct scim_cursor *cursor, struct span name, struct err *err)
{
    cursor->p -= name.len;
    if (name.len == 0)
        return scim_cursor_fail(cursor, err, "the name of an attribute must begin here");
    return scim_cursor_fail(cursor, err, "there is no attribute \"%.*s\"",
                            name.len > 64 ? 64 : (int)name.len, (const char *)name.p);
}

static const struct scim_attribute *find_top(const struct scim_resource *resource, struct span name,
                                             struct scim_path *out)
{
    const struct scim_attribute *found =
        out->extension ? NULL : scim_attribute_find(scim_common, name);

    if (found != NULL) {
        out->schema = NULL;
        return found;
    }
    out->schema = out->extension ? resource->extension : resource->schema;
    return scim_attribute_find(out->schema->attributes, name);
}

int scim_path_parse_plain(const struct scim_resource *resource, struct scim_cursor *cursor,
                          struct scim_path *out, struct err *err)
{
    *out = (struct scim_path){.extension = take_urn(cursor, resource->extension)};
    if (out->extension && cursor->p == cursor->end) {
        out->schema = resource->extension;
        return 0;
    }
    if (!out->extension)
        (void)take_urn(cursor, resource->schema);
    struct span name = take_name(cursor);
    out->attribute = find_top(resource, name, out);
    if (out->attribute == NULL)
        return unknown(cursor, name, err);
    if (cursor->p == cursor->end || *cursor->p != '.')
        return 0;
    cursor->p++;
    name = take_name(cursor);
    out->sub = scim_attribute_find(out->attribute->sub, name);
    return out->sub != NULL ? 0 : unknown(cursor, name, err);
}

static int take_filter(struct scim_cursor *cursor, struct arena *arena, struct scim_path *out,
                       const char **type, struct err *err)
{
    if (out->attribute == NULL || !out->attribute->many || out->sub != NULL)
        return scim_cursor_fail(cursor, err, "only an attribute with many values takes a filter");
    cursor->p++;
    *type = scim_invalid_filter;
    TRY(scim_filter_parse_inner(out->attribute, cursor, arena, &out->filter, err));
    *type = scim_invalid_path;
    if (cursor->p == cursor->end || *cursor->p != ']')
        return scim_cursor_fail(cursor, err, "\"]\" is missing");
    cursor->p++;
    if (cursor->p == cursor->end || *cursor->p != '.')
        return 0;
    cursor->p++;
    struct span name = take_name(cursor);
    out->sub = scim_attribute_find(out->attribute->sub, name);
    return out->sub != NULL ? 0 : unknown(cursor, name, err);
}

int scim_path_parse(const struct scim_resource *resource, struct span text, struct arena *arena,
                    struct scim_path *out, const char **type, struct err *err)
{
    struct scim_cursor cursor = {.all = (const char *)text.p,
                                 .p = (const char *)text.p,
                                 .end = (const char *)text.p + text.len};

    *type = scim_invalid_path;
    if (text.len > SCIM_FILTER_MAX)
        return err_set(err, ERR_INVALID, "the path is longer than %d bytes", SCIM_FILTER_MAX);
    TRY(scim_path_parse_plain(resource, &cursor, out, err));
    if (cursor.p < cursor.end && *cursor.p == '[')
        TRY(take_filter(&cursor, arena, out, type, err));
    if (cursor.p < cursor.end)
        return scim_cursor_fail(&cursor, err, "something follows the path");
    return 0;
}

json_t *scim_holder(const struct scim_path *path, const json_t *resource)
{
    return path->extension ? json_object_get(resource, path->schema->urn)
                           : (json_t *)(uintptr_t)resource;
}

/* ------------------------------------------------------------------ order */

int scim_text_compare(const struct scim_attribute *attribute, const char *a, const char *b)
{
    struct err ignored = ERR_INIT;
    int64_t times[2];

    if (attribute->type == SCIM_DATETIME && clock_parse(span_str(a), &times[0], &ignored) == 0 &&
        clock_parse(span_str(b), &times[1], &ignored) == 0)
        return (times[0] > times[1]) - (times[0] < times[1]);
    return attribute->case_exact ? strcmp(a, b) : strcasecmp(a, b);
}

/* The value to sort by: of many the primary one, or the first. */
static const json_t *sort_value(const struct scim_path *path, const json_t *resource)
{
    const json_t *value = json_object_get(scim_holder(path, resource), path->attribute->name);
    const struct scim_attribute *sub =
        path->sub != NULL ? path->sub : scim_default_sub(path->attribute);

    if (json_is_array(value)) {
        const json_t *chosen = json_array_get(value, 0);
        for (size_t i = 0; i < json_array_size(value); i++)
            if (json_is_true(json_object_get(json_array_get(value, i), "primary")))
                chosen = json_array_get(value, i);
        value = chosen;
    }
    return sub != NULL && json_is_object(value) ? json_object_get(value, sub->name) : value;
}

int scim_compare(const struct scim_path *path, const json_t *a, const json_t *b)
{
    const json_t *values[] = {sort_value(path, a), sort_value(path, b)};
    const struct scim_attribute *attribute = path->sub != NULL ? path->sub : path->attribute;
    bool known[] = {json_is_string(values[0]) || json_is_number(values[0]),
                    json_is_string(values[1]) || json_is_number(values[1])};

    if (!known[0] || !known[1])
        return (int)known[1] - (int)known[0];
    if (json_is_string(values[0]) && json_is_string(values[1]))
        return scim_text_compare(attribute, json_string_value(values[0]),
                                 json_string_value(values[1]));
    double numbers[] = {json_number_value(values[0]), json_number_value(values[1])};
    return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1]);
}
