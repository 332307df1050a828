/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAPI v2 and v3 from the schema tables; what `kubectl explain` and client-side checks read. */
#include "base/enc.h"
#include "kube/kube_internal.h"

enum edition { V2, V3 };

static void add_shape(json_t *schemas, const struct kube_shape *shape, enum edition edition);

static json_t *reference(const char *name, enum edition edition)
{
    return json_pack(
        "{s:o}", "$ref",
        json_sprintf("%s%s", edition == V2 ? "#/definitions/" : "#/components/schemas/", name));
}

/* In v3 a reference has no neighbours, so one that is described is wrapped. */
static json_t *described_reference(const struct kube_field *field, enum edition edition)
{
    json_t *ref = reference(field->shape->name, edition);

    if (edition == V3)
        ref = json_pack("{s:[o]}", "allOf", ref);
    json_object_set_new(ref, "description", json_string(field->doc));
    return ref;
}

static void put_format(json_t *schema, enum kube_format format)
{
    const char *name = format == KUBE_BYTES ? "byte" : format == KUBE_TIME ? "date-time" : NULL;

    if (name != NULL)
        json_object_set_new(schema, "format", json_string(name));
}

static void put_values(json_t *schema, const char *const *values)
{
    json_t *list = json_array();

    for (size_t i = 0; values[i] != NULL; i++)
        json_array_append_new(list, json_string(values[i]));
    json_object_set_new(schema, "enum", list);
}

static json_t *plain(enum kube_type type)
{
    switch (type) {
    case KUBE_STRING: return json_pack("{s:s}", "type", "string");
    case KUBE_BOOL: return json_pack("{s:s}", "type", "boolean");
    case KUBE_INT32: return json_pack("{s:s, s:s}", "type", "integer", "format", "int32");
    case KUBE_INT64: return json_pack("{s:s, s:s}", "type", "integer", "format", "int64");
    case KUBE_OBJECT:
    case KUBE_MAP: return json_pack("{s:s}", "type", "object");
    case KUBE_LIST: return json_pack("{s:s}", "type", "array");
    case KUBE_ANY:
        return json_pack("{s:s, s:b}", "type", "object", "x-kubernetes-preserve-unknown-fields", 1);
    }
    return json_object();
}

static json_t *item_schema(const struct kube_field *field, enum edition edition)
{
    if (field->shape != NULL)
        return reference(field->shape->name, edition);
    json_t *schema = plain(field->item);
    put_format(schema, field->format);
    if (field->values != NULL)
        put_values(schema, field->values);
    return schema;
}

static void put_list(json_t *schema, const struct kube_field *field, enum edition edition)
{
    json_object_set_new(schema, "items", item_schema(field, edition));
    if (field->max > 0)
        json_object_set_new(schema, "maxItems", json_integer(field->max));
    json_object_set_new(schema, "x-kubernetes-list-type",
                        json_string(field->list == KUBE_SET     ? "set"
                                    : field->list == KUBE_KEYED ? "map"
                                                                : "atomic"));
    if (field->list == KUBE_KEYED) {
        json_object_set_new(schema, "x-kubernetes-list-map-keys",
                            json_pack("[s]", field->merge_key));
        json_object_set_new(schema, "x-kubernetes-patch-merge-key", json_string(field->merge_key));
    }
    if (field->list != KUBE_ATOMIC)
        json_object_set_new(schema, "x-kubernetes-patch-strategy", json_string("merge"));
}

static void put_range(json_t *schema, const struct kube_field *field)
{
    bool text = field->type == KUBE_STRING;

    if (text && field->max > 0)
        json_object_set_new(schema, "maxLength", json_integer(field->max));
    if (text || (field->min == 0 && field->max == 0))
        return;
    json_object_set_new(schema, "minimum", json_integer(field->min));
    if (field->max != INT64_MAX)
        json_object_set_new(schema, "maximum", json_integer(field->max));
}

static json_t *field_schema(const struct kube_field *field, enum edition edition)
{
    if (field->type == KUBE_OBJECT)
        return described_reference(field, edition);
    json_t *schema = plain(field->type);
    json_object_set_new(schema, "description", json_string(field->doc));
    if (field->type == KUBE_LIST)
        put_list(schema, field, edition);
    else if (field->type == KUBE_MAP)
        json_object_set_new(schema, "additionalProperties", item_schema(field, edition));
    else {
        put_format(schema, field->format);
        if (field->values != NULL)
            put_values(schema, field->values);
        put_range(schema, field);
    }
    if (field->fallback != NULL)
        json_object_set_new(schema, "default", json_loads(field->fallback, JSON_DECODE_ANY, NULL));
    return schema;
}

static json_t *shape_schema(const struct kube_shape *shape, enum edition edition)
{
    json_t *properties = json_object(), *required = json_array();

    for (const struct kube_field *field = shape->fields; field->name != NULL; field++) {
        json_object_set_new(properties, field->name, field_schema(field, edition));
        if ((field->flags & KUBE_REQUIRED) != 0)
            json_array_append_new(required, json_string(field->name));
    }
    json_t *schema = json_pack("{s:s, s:s, s:o}", "type", "object", "description", shape->doc,
                               "properties", properties);
    if (json_array_size(required) > 0)
        json_object_set(schema, "required", required);
    json_decref(required);
    return schema;
}

static void add_shape(json_t *schemas, const struct kube_shape *shape, enum edition edition)
{
    if (json_object_get(schemas, shape->name) != NULL)
        return;
    json_object_set_new(schemas, shape->name, shape_schema(shape, edition));
    for (const struct kube_field *field = shape->fields; field->name != NULL; field++)
        if (field->shape != NULL)
            add_shape(schemas, field->shape, edition);
}

static json_t *gvk(const struct kube_kind *kind)
{
    return json_pack("{s:s, s:s, s:s}", "group", kind->group, "version", kind->version, "kind",
                     kind->kind);
}

static void add_list(json_t *schemas, const struct kube_kind *kind, enum edition edition)
{
    char name[256], list_kind[128];

    snprintf(name, sizeof(name), "%sList", kind->shape->name);
    snprintf(list_kind, sizeof(list_kind), "%sList", kind->kind);
    json_object_set_new(
        schemas, name,
        json_pack("{s:s, s:s, s:[s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s, s:o}}, s:[{s:s, s:s, "
                  "s:s}]}",
                  "type", "object", "description", "A list of objects of one kind.", "required",
                  "items", "properties", "apiVersion", "type", "string", "kind", "type", "string",
                  "metadata", "type", "object", "items", "type", "array", "items",
                  reference(kind->shape->name, edition), "x-kubernetes-group-version-kind", "group",
                  kind->group, "version", kind->version, "kind", list_kind));
}

static void add_kind(json_t *schemas, const struct kube_kind *kind, enum edition edition)
{
    add_shape(schemas, kind->shape, edition);
    json_object_set_new(json_object_get(schemas, kind->shape->name),
                        "x-kubernetes-group-version-kind", json_pack("[o]", gvk(kind)));
    if (kind->special == KUBE_STORED)
        add_list(schemas, kind, edition);
}

/* ------------------------------------------------------------------ paths */

static void add_query(json_t *list, const char *name, const char *type, const char *doc,
                      enum edition edition)
{
    json_t *parameter =
        json_pack("{s:s, s:s, s:s}", "name", name, "in", "query", "description", doc);

    if (edition == V2)
        json_object_set_new(parameter, "type", json_string(type));
    else
        json_object_set_new(parameter, "schema", json_pack("{s:s}", "type", type));
    json_array_append_new(list, parameter);
}

static json_t *parameters(const char *action, enum edition edition)
{
    json_t *list = json_array();
    bool reads = strcmp(action, "get") == 0 || strcmp(action, "list") == 0;

    if (strcmp(action, "list") == 0) {
        add_query(list, "labelSelector", "string", "Only objects with these labels.", edition);
        add_query(list, "fieldSelector", "string", "Only objects with these fields.", edition);
        add_query(list, "limit", "integer", "The most objects in one answer.", edition);
        add_query(list, "continue", "string", "Where the answer before ended.", edition);
        add_query(list, "watch", "boolean", "Go on with what changes.", edition);
    }
    if (!reads)
        add_query(list, "dryRun", "string", "All: check, but change nothing.", edition);
    if (!reads && strcmp(action, "delete") != 0) {
        add_query(list, "fieldManager", "string", "The name of the tool that writes.", edition);
        add_query(list, "fieldValidation", "string", "Strict, Warn or Ignore.", edition);
    }
    return list;
}

static json_t *operation(const struct kube_kind *kind, const char *action, enum edition edition)
{
    json_t *ref = reference(kind->shape->name, edition), *ok;

    if (edition == V2)
        ok = json_pack("{s:s, s:o}", "description", "OK", "schema", ref);
    else
        ok = json_pack("{s:s, s:{s:{s:o}}}", "description", "OK", "content", "application/json",
                       "schema", ref);
    return json_pack(
        "{s:o, s:o, s:{s:o}, s:s, s:o}", "operationId",
        json_sprintf("%s%s%s", action, kind->namespaced ? "Namespaced" : "", kind->kind),
        "parameters", parameters(action, edition), "responses", "200", ok, "x-kubernetes-action",
        action, "x-kubernetes-group-version-kind", gvk(kind));
}

static void add_path(json_t *paths, const struct kube_kind *kind, const char *path,
                     const char *const methods[][2], size_t count, enum edition edition)
{
    json_t *item = json_object();

    for (size_t i = 0; i < count; i++)
        json_object_set_new(item, methods[i][0], operation(kind, methods[i][1], edition));
    json_object_set_new(paths, path, item);
}

static void add_paths(json_t *paths, const struct kube_kind *kind, enum edition edition)
{
    static const char *const on_all[][2] = {{"get", "list"}, {"post", "create"}};
    static const char *const on_one[][2] = {
        {"get", "get"}, {"put", "update"}, {"patch", "patch"}, {"delete", "delete"}};
    char path[256], one[320];
    bool stored = kind->special == KUBE_STORED;
    bool writes = (kind->verbs & KUBE_CREATE) != 0;

    if (kind->special == KUBE_SUBRESOURCE_KIND)
        return;
    snprintf(path, sizeof(path), "%s/%s/%s%s", kind->group[0] != '\0' ? "/apis" : "/api",
             kube_kind_api_version(kind), kind->namespaced ? "namespaces/{namespace}/" : "",
             kind->plural);
    snprintf(one, sizeof(one), "%s/{name}", path);
    if (!stored) {
        add_path(paths, kind, path, &on_all[1], 1, edition);
        return;
    }
    add_path(paths, kind, path, on_all, writes ? 2 : 1, edition);
    add_path(paths, kind, one, on_one, writes ? ARRAY_LEN(on_one) : 1, edition);
}

/* ------------------------------------------------------------------ documents */

json_t *kube_openapi_v3(const char *group, const char *version)
{
    json_t *schemas = json_object(), *paths = json_object();
    bool any = false;

    for (size_t i = 0; kube_kinds[i] != NULL; i++) {
        const struct kube_kind *kind = kube_kinds[i];
        if (strcmp(kind->group, group) != 0 || strcmp(kind->version, version) != 0)
            continue;
        add_kind(schemas, kind, V3);
        add_paths(paths, kind, V3);
        any = true;
    }
    json_t *document =
        json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:o}}", "openapi", "3.0.0", "info", "title", "drun",
                  "version", DRUN_VERSION, "paths", paths, "components", "schemas", schemas);
    if (any)
        return document;
    json_decref(document);
    return NULL;
}

json_t *kube_openapi_v2(void)
{
    json_t *schemas = json_object(), *paths = json_object();

    for (size_t i = 0; kube_kinds[i] != NULL; i++) {
        add_kind(schemas, kube_kinds[i], V2);
        add_paths(paths, kube_kinds[i], V2);
    }
    return json_pack("{s:s, s:{s:s, s:s}, s:o, s:o}", "swagger", "2.0", "info", "title", "drun",
                     "version", DRUN_VERSION, "paths", paths, "definitions", schemas);
}

/* The address names the content, so that clients may keep it. */
static void add_document(json_t *paths, const struct kube_kind *kind)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(KUBE_ANSWER_MAX);
    CLEANUP_JSON json_t *document = kube_openapi_v3(kind->group, kind->version);
    uint8_t hash[CRYPTO_HASH_LEN];
    char hex[2 * CRYPTO_HASH_LEN + 1], name[256];

    codec_json_put(document, &text);
    crypto_sha256(buf_span(&text), hash);
    enc_hex(span_of(hash, sizeof(hash)), hex);
    snprintf(name, sizeof(name), "%s/%s", kind->group[0] != '\0' ? "apis" : "api",
             kube_kind_api_version(kind));
    json_object_set_new(
        paths, name,
        json_pack("{s:o}", "serverRelativeURL", json_sprintf("/openapi/v3/%s?hash=%s", name, hex)));
}

static json_t *v3_index(struct kube_server *server)
{
    if (server->openapi_paths == NULL) {
        json_t *paths = json_object();
        for (size_t i = 0; kube_kinds[i] != NULL; i++) {
            bool seen = false;
            for (size_t j = 0; j < i; j++)
                seen = seen || strcmp(kube_kind_api_version(kube_kinds[j]),
                                      kube_kind_api_version(kube_kinds[i])) == 0;
            if (!seen)
                add_document(paths, kube_kinds[i]);
        }
        server->openapi_paths = json_pack("{s:o}", "paths", paths);
    }
    return server->openapi_paths;
}

static int put_v2(struct kube_call *call)
{
    json_t *document = kube_keep(call, kube_openapi_v2());
    struct err err = ERR_INIT;

    if (call->accept.form != KUBE_FORM_PROTOBUF) {
        kube_put(call, 200, document);
        return 0;
    }
    call->answer->status = 200;
    /* With the "@" that clients ask for, the clients cannot parse it. */
    call->answer->content_type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    kube_openapi_v2_proto(document, &call->answer->body);
    return buf_check(&call->answer->body, "the document", &err) < 0 ? kube_refuse_err(call, &err)
                                                                    : 0;
}

int kube_do_openapi(struct kube_call *call)
{
    json_t *document;

    if (call->route.what == KUBE_ROUTE_OPENAPI_V2)
        return put_v2(call);
    if (call->route.what == KUBE_ROUTE_OPENAPI_V3) {
        kube_put(call, 200, v3_index(call->server));
        return 0;
    }
    document = kube_openapi_v3(call->route.group, call->route.version);
    if (document == NULL)
        return kube_refuse_missing_path(call);
    kube_put(call, 200, kube_keep(call, document));
    return 0;
}
