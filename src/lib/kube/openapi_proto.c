/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenAPI v2 document as the protobuf message openapi.v2.Document of gnostic, which kubectl up
 * to 1.23 asks for. Only what our documents have is written; the numbers are the message's own.
 */
#include "kube/kube_internal.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, MESSAGE_MAX = 8 << 20 };

static void put_varint(struct buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        buf_put_u8(out, (uint8_t)(value | 0x80));
    buf_put_u8(out, (uint8_t)value);
}

static void put_tag(struct buf *out, unsigned number, unsigned wire)
{
    put_varint(out, number << 3 | wire);
}

static void put_bytes(struct buf *out, unsigned number, struct span bytes)
{
    put_tag(out, number, WIRE_BYTES);
    put_varint(out, bytes.len);
    buf_put_span(out, bytes);
}

static void put_text(struct buf *out, unsigned number, const json_t *value)
{
    if (json_is_string(value))
        put_bytes(out, number, span_of(json_string_value(value), json_string_length(value)));
}

static void put_int(struct buf *out, unsigned number, const json_t *value)
{
    if (!json_is_integer(value))
        return;
    put_tag(out, number, WIRE_VARINT);
    put_varint(out, (uint64_t)json_integer_value(value));
}

static void put_double(struct buf *out, unsigned number, const json_t *value)
{
    double as_double = json_number_value(value);
    uint64_t bits;

    if (!json_is_number(value))
        return;
    memcpy(&bits, &as_double, sizeof(bits));
    put_tag(out, number, WIRE_FIXED64);
    buf_put_u64(out, bits);
}

typedef void put_fn(struct buf *out, const json_t *value);

static void put_message(struct buf *out, unsigned number, put_fn *put, const json_t *value)
{
    CLEANUP(buf_free) struct buf inner = BUF_INIT(MESSAGE_MAX);

    if (value == NULL)
        return;
    put(&inner, value);
    if (inner.overflowed)
        out->overflowed = true;
    put_bytes(out, number, buf_span(&inner));
}

/* A map is a list of messages with a name (1) and a value (2). */
static void put_named(struct buf *out, unsigned number, const char *name, put_fn *put,
                      const json_t *value)
{
    CLEANUP(buf_free) struct buf inner = BUF_INIT(MESSAGE_MAX);

    put_bytes(&inner, 1, span_str(name));
    put_message(&inner, 2, put, value);
    if (inner.overflowed)
        out->overflowed = true;
    put_bytes(out, number, buf_span(&inner));
}

/* Any: a YAML text (2), and JSON is YAML. */
static void put_any(struct buf *out, const json_t *value)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(64 * 1024);

    codec_json_put(value, &text);
    put_bytes(out, 2, buf_span(&text));
}

static void put_extensions(struct buf *out, unsigned number, const json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)object, name, value) {
        if (strncmp(name, "x-", 2) == 0)
            put_named(out, number, name, put_any, value);
    }
}

static void put_schema(struct buf *out, const json_t *schema);

static void put_type_item(struct buf *out, const json_t *value)
{
    put_text(out, 1, value);
}

static void put_one_schema(struct buf *out, const json_t *value)
{
    put_message(out, 1, put_schema, value);
}

static void put_named_schemas(struct buf *out, const json_t *schemas)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)schemas, name, value)
        put_named(out, 1, name, put_schema, value);
}

static void put_schema(struct buf *out, const json_t *schema)
{
    const json_t *required = json_object_get(schema, "required");
    const json_t *values = json_object_get(schema, "enum");

    put_text(out, 1, json_object_get(schema, "$ref"));
    put_text(out, 2, json_object_get(schema, "format"));
    put_text(out, 4, json_object_get(schema, "description"));
    put_message(out, 5, put_any, json_object_get(schema, "default"));
    put_double(out, 7, json_object_get(schema, "maximum"));
    put_double(out, 9, json_object_get(schema, "minimum"));
    put_int(out, 11, json_object_get(schema, "maxLength"));
    put_int(out, 14, json_object_get(schema, "maxItems"));
    for (size_t i = 0; i < json_array_size(required); i++)
        put_text(out, 19, json_array_get(required, i));
    for (size_t i = 0; i < json_array_size(values); i++)
        put_message(out, 20, put_any, json_array_get(values, i));
    put_message(out, 21, put_one_schema, json_object_get(schema, "additionalProperties"));
    put_message(out, 22, put_type_item, json_object_get(schema, "type"));
    put_message(out, 23, put_one_schema, json_object_get(schema, "items"));
    put_message(out, 25, put_named_schemas, json_object_get(schema, "properties"));
    put_extensions(out, 31, schema);
}

/* ------------------------------------------------------------------ paths */

static void put_query(struct buf *out, const json_t *parameter)
{
    put_text(out, 2, json_object_get(parameter, "in"));
    put_text(out, 3, json_object_get(parameter, "description"));
    put_text(out, 4, json_object_get(parameter, "name"));
    put_text(out, 6, json_object_get(parameter, "type"));
}

static void put_non_body(struct buf *out, const json_t *parameter)
{
    put_message(out, 3, put_query, parameter);
}

static void put_parameter(struct buf *out, const json_t *parameter)
{
    put_message(out, 2, put_non_body, parameter);
}

static void put_parameter_item(struct buf *out, const json_t *parameter)
{
    put_message(out, 1, put_parameter, parameter);
}

static void put_response(struct buf *out, const json_t *response)
{
    put_text(out, 1, json_object_get(response, "description"));
    put_message(out, 2, put_one_schema, json_object_get(response, "schema"));
}

static void put_response_value(struct buf *out, const json_t *response)
{
    put_message(out, 1, put_response, response);
}

static void put_responses(struct buf *out, const json_t *responses)
{
    const char *code;
    json_t *value;

    json_object_foreach ((json_t *)responses, code, value)
        put_named(out, 1, code, put_response_value, value);
}

static void put_operation(struct buf *out, const json_t *operation)
{
    const json_t *list = json_object_get(operation, "parameters");

    put_text(out, 5, json_object_get(operation, "operationId"));
    for (size_t i = 0; i < json_array_size(list); i++)
        put_message(out, 8, put_parameter_item, json_array_get(list, i));
    put_message(out, 9, put_responses, json_object_get(operation, "responses"));
    put_extensions(out, 13, operation);
}

static void put_path_item(struct buf *out, const json_t *item)
{
    put_message(out, 2, put_operation, json_object_get(item, "get"));
    put_message(out, 3, put_operation, json_object_get(item, "put"));
    put_message(out, 4, put_operation, json_object_get(item, "post"));
    put_message(out, 5, put_operation, json_object_get(item, "delete"));
    put_message(out, 8, put_operation, json_object_get(item, "patch"));
}

static void put_paths(struct buf *out, const json_t *paths)
{
    const char *path;
    json_t *item;

    json_object_foreach ((json_t *)paths, path, item)
        put_named(out, 2, path, put_path_item, item);
}

static void put_info(struct buf *out, const json_t *info)
{
    put_text(out, 1, json_object_get(info, "title"));
    put_text(out, 2, json_object_get(info, "version"));
}

void kube_openapi_v2_proto(const json_t *document, struct buf *out)
{
    put_text(out, 1, json_object_get(document, "swagger"));
    put_message(out, 2, put_info, json_object_get(document, "info"));
    put_message(out, 8, put_paths, json_object_get(document, "paths"));
    put_message(out, 9, put_named_schemas, json_object_get(document, "definitions"));
}
