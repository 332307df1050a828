/* SPDX-License-Identifier: Apache-2.0 */
/* Objects between storage, body and answer. */
#include "base/clock.h"
#include "base/num.h"
#include "codec/yaml.h"
#include "kube/kube_internal.h"

void kube_set_revision(json_t *object, int64_t revision)
{
    json_object_set_new(kube_meta(object), "resourceVersion",
                        json_sprintf("%lld", (long long)revision));
}

int64_t kube_revision_of(const json_t *object)
{
    const char *text = codec_json_text(json_object_get(object, "metadata"), "resourceVersion", "");
    struct err err = ERR_INIT;
    uint64_t revision;

    if (text[0] == '\0')
        return 0;
    if (num_parse_u64(span_str(text), 0, INT64_MAX, "resourceVersion", &revision, &err) < 0)
        return -1;
    return (int64_t)revision;
}

json_t *kube_meta(json_t *object)
{
    json_t *meta = json_object_get(object, "metadata");

    if (json_is_object(meta))
        return meta;
    meta = json_object();
    json_object_set_new(object, "metadata", meta);
    return meta;
}

const char *kube_name_of(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "name", "");
}

const char *kube_namespace_of(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "namespace", "");
}

struct kube_key kube_key_of(const struct kube_kind *kind, const char *namespace, const char *name)
{
    return (struct kube_key){.resource = kube_kind_resource(kind),
                             .namespace = kind->namespaced ? namespace : "",
                             .name = name};
}

int kube_decode(const struct kube_record *record, json_t **out, struct err *err)
{
    if (codec_json_parse(record->value, record->key.name, out, err) < 0) {
        err->code = ERR_CORRUPT;
        return err_wrap(err, "stored %s", record->key.resource);
    }
    kube_set_revision(*out, record->revision);
    return 0;
}

void kube_encode(const json_t *object, struct buf *out)
{
    CLEANUP_JSON json_t *copy = json_copy((json_t *)object);
    json_t *meta = json_copy(json_object_get(object, "metadata"));

    json_object_del(meta, "resourceVersion");
    json_object_set_new(copy, "metadata", meta);
    codec_json_put(copy, out);
}

void kube_normalise(const struct kube_kind *kind, json_t *object)
{
    CLEANUP_JSON json_t *members = json_copy(object);
    json_t *meta = json_incref(kube_meta(object));

    json_object_clear(object);
    json_object_set_new(object, "apiVersion", json_string(kube_kind_api_version(kind)));
    json_object_set_new(object, "kind", json_string(kind->kind));
    json_object_set_new(object, "metadata", meta);
    json_object_del(members, "apiVersion");
    json_object_del(members, "kind");
    json_object_del(members, "metadata");
    json_object_update(object, members);
}

static bool is_yaml(const char *content_type)
{
    return content_type != NULL &&
           (strncasecmp(content_type, "application/yaml", 16) == 0 ||
            strncasecmp(content_type, "application/apply-patch+yaml", 28) == 0);
}

static bool is_protobuf(const char *content_type)
{
    return content_type != NULL &&
           strncasecmp(content_type, "application/vnd.kubernetes.protobuf", 35) == 0;
}

/* Without a type JSON is meant. What forms and plain scripts of other sites can send is not read.
 */
static bool is_json(const char *content_type)
{
    return content_type == NULL || content_type[0] == '\0' ||
           strncasecmp(content_type, "application/json", 16) == 0 ||
           strncasecmp(content_type, "application/json-patch+json", 27) == 0 ||
           strncasecmp(content_type, "application/merge-patch+json", 28) == 0 ||
           strncasecmp(content_type, "application/strategic-merge-patch+json", 38) == 0;
}

static int parse_yaml(struct span text, json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *documents = NULL;

    TRY(codec_yaml_parse(text, "request body", &documents, err));
    if (json_array_size(documents) != 1)
        return err_set(err, ERR_INVALID, "the request body must be one YAML document, not %zu",
                       json_array_size(documents));
    *out = json_incref(json_array_get(documents, 0));
    return 0;
}

/* Kinds of our own have no protobuf form. */
static bool has_wire(const struct kube_shape *shape)
{
    for (const struct kube_field *field = shape->fields; field->name != NULL; field++)
        if (field->wire != 0 && strcmp(field->name, "metadata") != 0)
            return true;
    return false;
}

int kube_read_body(struct kube_call *call, const struct kube_shape *shape, json_t **out)
{
    const struct kube_request *request = call->request;
    struct err err = ERR_INIT;
    json_t *value = NULL;
    int result;

    *out = NULL;
    if (request->body.len == 0)
        return 0;
    if (request->body.len > KUBE_BODY_MAX)
        return kube_refuse(call, 413, "RequestEntityTooLarge", NULL,
                           "Request entity too large: limit is %d", KUBE_BODY_MAX);
    bool protobuf = is_protobuf(request->content_type);
    bool known = protobuf ? shape != NULL && has_wire(shape)
                          : is_yaml(request->content_type) || is_json(request->content_type);
    if (!known)
        return kube_refuse(call, 415, "UnsupportedMediaType", NULL,
                           "the body of the request was in an unknown format - accepted media "
                           "types include: application/json, application/yaml");
    if (protobuf)
        result = kube_protobuf_parse(request->body, shape, &value, &err);
    else if (is_yaml(request->content_type))
        result = parse_yaml(request->body, &value, &err);
    else
        result = codec_json_parse(request->body, "request body", &value, &err);
    if (result < 0)
        return kube_refuse_bad(call, "the object provided is unrecognized: %s", err.msg);
    *out = kube_keep(call, value);
    return 0;
}

static const char *body_faults(const struct kube_kind *kind, const json_t *object)
{
    const char *version = codec_json_text(object, "apiVersion", "");
    const char *name = codec_json_text(object, "kind", "");

    if (!json_is_object(object))
        return "the request body must be an object";
    if (version[0] != '\0' && strcmp(version, kube_kind_api_version(kind)) != 0)
        return "the API version in the data does not match the expected API version";
    if (name[0] != '\0' && strcmp(name, kind->kind) != 0)
        return "the kind in the data does not match the expected kind";
    const json_t *meta = json_object_get(object, "metadata");
    if (meta != NULL && !json_is_object(meta) && !json_is_null(meta))
        return "metadata must be an object";
    return NULL;
}

int kube_check_fields(struct kube_call *call, const struct kube_kind *kind, json_t *object)
{
    CLEANUP_JSON json_t *unknown = json_array();
    CLEANUP(buf_free) struct buf list = BUF_INIT(16 * 1024);
    const char *mode = kube_query(call, "fieldValidation");
    bool strict = strcmp(mode, "Strict") == 0;
    size_t i;
    json_t *path;

    if (mode[0] != '\0' && !strict && strcmp(mode, "Warn") != 0 && strcmp(mode, "Ignore") != 0)
        return kube_refuse_bad(call, "fieldValidation must be Strict, Warn or Ignore, not %.32s",
                               mode);
    kube_schema_prune(kind->shape, object, unknown);
    json_array_foreach (unknown, i, path) {
        buf_printf(&list, "%sunknown field \"%s\"", i > 0 ? ", " : "", json_string_value(path));
        if (!strict && strcmp(mode, "Ignore") != 0)
            kube_warn(call, "unknown field \"%s\"", json_string_value(path));
    }
    if (strict && json_array_size(unknown) > 0)
        return kube_refuse_bad(call,
                               "%s in version \"%s\" cannot be handled as a %s: strict decoding "
                               "error: %s",
                               kind->kind, kind->version, kind->kind, buf_text(&list));
    return 0;
}

int kube_read_object(struct kube_call *call, const struct kube_kind *kind, json_t **out)
{
    json_t *object;

    TRY(kube_read_body(call, kind->shape, &object));
    const char *fault = object != NULL ? body_faults(kind, object) : "the request has no body";
    if (fault != NULL)
        return kube_refuse_bad(call, "%s in version \"%s\" cannot be handled as a %s: %s",
                               kind->kind, kind->version, kind->kind, fault);
    TRY(kube_check_fields(call, kind, object));
    kube_normalise(kind, object);
    *out = object;
    return 0;
}

int kube_load(struct kube_call *call, json_t **out, int64_t *revision)
{
    const struct kube_storage *storage = call->server->config.storage;
    struct kube_key key = kube_key_of(call->kind, call->route.namespace, call->route.name);
    struct kube_record record;
    struct err err = ERR_INIT;
    json_t *object = NULL;

    if (storage->get(storage->ctx, &key, call->arena, &record, &err) < 0)
        return err.code == ERR_NOT_FOUND ? kube_refuse_not_found(call, call->route.name)
                                         : kube_refuse_err(call, &err);
    if (kube_decode(&record, &object, &err) < 0)
        return kube_refuse_err(call, &err);
    *out = kube_keep(call, object);
    if (revision != NULL)
        *revision = record.revision;
    return 0;
}
