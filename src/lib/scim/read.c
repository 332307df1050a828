/* SPDX-License-Identifier: Apache-2.0 */
/* What a client sent, as the schema writes it. */
#include "scim/scim_internal.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"

#include <strings.h>

enum { BINARY_MAX = 64 * 1024 };

static int wrong_type(const struct scim_attribute *attribute, const char *wanted, const char **type,
                      struct err *err)
{
    *type = scim_invalid_value;
    return err_set(err, ERR_INVALID, "%s must be %s", attribute->name, wanted);
}

static int read_text(const struct scim_attribute *attribute, const json_t *value, json_t **out,
                     const char **type, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(BINARY_MAX);
    struct err ignored = ERR_INIT;
    struct span text = span_of(json_string_value(value), json_string_length(value));
    int64_t sec;

    if (!json_is_string(value))
        return wrong_type(attribute, "a text", type, err);
    if (attribute->type == SCIM_DATETIME && clock_parse(text, &sec, &ignored) < 0)
        return wrong_type(attribute, "a time, such as 2026-01-31T12:00:00Z", type, err);
    if (attribute->type == SCIM_BINARY && enc_unbase64(ENC_BASE64, text, &bytes, &ignored) < 0)
        return wrong_type(attribute, "in base64, of at most 64 KiB", type, err);
    *out = json_copy((json_t *)(uintptr_t)value);
    return 0;
}

static int read_boolean(const struct scim_attribute *attribute, const json_t *value, json_t **out,
                        const char **type, struct err *err)
{
    const char *text = json_string_value(value);
    bool yes = json_is_true(value) || (text != NULL && strcasecmp(text, "true") == 0);
    bool no = json_is_false(value) || (text != NULL && strcasecmp(text, "false") == 0);

    if (!yes && !no)
        return wrong_type(attribute, "true or false", type, err);
    *out = json_boolean(yes);
    return 0;
}

static int read_members(const struct scim_attribute *attribute, const json_t *value, json_t *into,
                        const char **type, struct err *err)
{
    const char *name;
    json_t *member;

    json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
        const struct scim_attribute *sub = scim_attribute_find(attribute->sub, span_str(name));
        json_t *read;
        if (sub == NULL) {
            *type = scim_invalid_syntax;
            return err_set(err, ERR_INVALID, "%s has no sub-attribute \"%.64s\"", attribute->name,
                           name);
        }
        if (sub->mutability == SCIM_READ_ONLY || json_is_null(member))
            continue;
        TRY(scim_read_value(sub, member, &read, type, err));
        INVARIANT(json_object_set_new(into, sub->name, read) == 0);
    }
    return 0;
}

/* A bare text stands for its value: some clients name members so. */
static int read_complex(const struct scim_attribute *attribute, const json_t *value, json_t **out,
                        const char **type, struct err *err)
{
    CLEANUP_JSON json_t *into = json_object();

    if (json_is_string(value) && scim_default_sub(attribute) != NULL)
        INVARIANT(json_object_set(into, "value", (json_t *)(uintptr_t)value) == 0);
    else if (json_is_object(value))
        TRY(read_members(attribute, value, into, type, err));
    else
        return wrong_type(attribute, "an object", type, err);
    *out = into;
    into = NULL;
    return 0;
}

int scim_read_element(const struct scim_attribute *attribute, const json_t *value, json_t **out,
                      const char **type, struct err *err)
{
    switch (attribute->type) {
    case SCIM_BOOLEAN: return read_boolean(attribute, value, out, type, err);
    case SCIM_COMPLEX: return read_complex(attribute, value, out, type, err);
    case SCIM_INTEGER:
        if (!json_is_integer(value))
            return wrong_type(attribute, "a whole number", type, err);
        *out = json_copy((json_t *)(uintptr_t)value);
        return 0;
    default: return read_text(attribute, value, out, type, err);
    }
}

int scim_read_value(const struct scim_attribute *attribute, const json_t *value, json_t **out,
                    const char **type, struct err *err)
{
    CLEANUP_JSON json_t *list = json_array();

    if (!attribute->many)
        return scim_read_element(attribute, value, out, type, err);
    if (!json_is_array(value))
        return wrong_type(attribute, "a list", type, err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *element;
        TRY(scim_read_element(attribute, json_array_get(value, i), &element, type, err));
        INVARIANT(json_array_append_new(list, element) == 0);
    }
    *out = list;
    list = NULL;
    return 0;
}

/* ------------------------------------------------------------------ a whole resource */

struct reader {
    const struct scim_resource *resource;
    json_t *out;
    const char **type;
};

static bool is_schema(const struct scim_schema *schema, const char *urn)
{
    return schema != NULL && urn != NULL && strcasecmp(schema->urn, urn) == 0;
}

static int check_schemas(const struct reader *reader, const json_t *schemas, struct err *err)
{
    *reader->type = scim_invalid_value;
    if (!json_is_array(schemas))
        return err_set(err, ERR_INVALID, "schemas must be a list of URNs");
    for (size_t i = 0; i < json_array_size(schemas); i++) {
        const char *urn = json_string_value(json_array_get(schemas, i));
        if (!is_schema(reader->resource->schema, urn) &&
            !is_schema(reader->resource->extension, urn))
            return err_set(err, ERR_INVALID, "there is no schema \"%.128s\" for a %s",
                           urn != NULL ? urn : "", reader->resource->name);
    }
    return 0;
}

static int read_member(struct reader *reader, const struct scim_attribute *table, const char *name,
                       const json_t *value, json_t *into, struct err *err)
{
    const struct scim_attribute *attribute = scim_attribute_find(table, span_str(name));
    json_t *read;

    if (attribute == NULL && into == reader->out)
        attribute = scim_attribute_find(scim_common, span_str(name));
    if (attribute == NULL) {
        *reader->type = scim_invalid_syntax;
        return err_set(err, ERR_INVALID, "a %s has no attribute \"%.64s\"", reader->resource->name,
                       name);
    }
    if (attribute->mutability == SCIM_READ_ONLY || json_is_null(value))
        return 0;
    if (strcmp(attribute->name, "schemas") == 0)
        return check_schemas(reader, value, err);
    TRY(scim_read_value(attribute, value, &read, reader->type, err));
    INVARIANT(json_object_set_new(into, attribute->name, read) == 0);
    return 0;
}

static int read_extension(struct reader *reader, const json_t *value, struct err *err)
{
    const struct scim_schema *schema = reader->resource->extension;
    const char *name;
    json_t *member;

    if (!json_is_object(value)) {
        *reader->type = scim_invalid_value;
        return err_set(err, ERR_INVALID, "%s must be an object", schema->urn);
    }
    json_t *into = json_object();
    INVARIANT(json_object_set_new(reader->out, schema->urn, into) == 0);
    json_object_foreach ((json_t *)(uintptr_t)value, name, member)
        TRY(read_member(reader, schema->attributes, name, member, into, err));
    return 0;
}

static int check_required(const struct reader *reader, struct err *err)
{
    const struct scim_attribute *attribute = reader->resource->schema->attributes;

    for (; attribute->name != NULL; attribute++) {
        if (!attribute->required || codec_json_text(reader->out, attribute->name, "")[0] != '\0')
            continue;
        *reader->type = scim_invalid_value;
        return err_set(err, ERR_INVALID, "a %s needs %s", reader->resource->name, attribute->name);
    }
    return 0;
}

int scim_read(const struct scim_resource *resource, const json_t *body, json_t **out,
              const char **type, struct err *err)
{
    CLEANUP_JSON json_t *into = json_object();
    struct reader reader = {.resource = resource, .out = into, .type = type};
    const char *name;
    json_t *member;

    *type = scim_invalid_syntax;
    if (!json_is_object(body))
        return err_set(err, ERR_INVALID, "a %s must be an object", resource->name);
    json_object_foreach ((json_t *)(uintptr_t)body, name, member) {
        if (is_schema(resource->extension, name))
            TRY(read_extension(&reader, member, err));
        else
            TRY(read_member(&reader, resource->schema->attributes, name, member, into, err));
    }
    TRY(check_required(&reader, err));
    *out = into;
    into = NULL;
    return 0;
}
