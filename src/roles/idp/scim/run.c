/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/scim/scim_api.h"

#include "base/mem.h"
#include "codec/json.h"

#include <strings.h>

enum { OBJECT_MAX = 1024 * 1024 };

void scim_outcome_free(struct scim_outcome *outcome)
{
    json_decref(outcome->body);
    outcome->body = NULL;
}

/* ------------------------------------------------------------------ errors */

static void set_error(struct scim_outcome *out, unsigned status, const char *type,
                      const char *detail)
{
    char number[8];

    snprintf(number, sizeof(number), "%u", status);
    json_decref(out->body);
    out->status = status;
    out->body =
        json_pack("{s:[s], s:s, s:s}", "schemas", "urn:ietf:params:scim:api:messages:2.0:Error",
                  "status", number, "detail", detail);
    if (out->body == NULL) /* the detail is no UTF-8 */
        out->body = json_pack("{s:[s], s:s}", "schemas",
                              "urn:ietf:params:scim:api:messages:2.0:Error", "status", number);
    if (type != NULL)
        json_object_set_new(out->body, "scimType", json_string(type));
}

void scim_refuse(struct scim_outcome *out, unsigned status, const char *type, const char *fmt, ...)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1024);
    va_list args;

    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    set_error(out, status, type, buf_text(&text));
}

void scim_refuse_err(struct scim_outcome *out, const char *type, const struct err *err)
{
    switch (err->code) {
    case ERR_INVALID: set_error(out, 400, type == NULL ? "invalidValue" : type, err->msg); break;
    case ERR_UNAUTHENTICATED: set_error(out, 401, NULL, err->msg); break;
    case ERR_DENIED: set_error(out, 403, NULL, err->msg); break;
    case ERR_NOT_FOUND: set_error(out, 404, NULL, err->msg); break;
    case ERR_EXISTS: set_error(out, 409, "uniqueness", err->msg); break;
    case ERR_CONFLICT: set_error(out, 409, NULL, err->msg); break;
    case ERR_TOO_LARGE: set_error(out, 413, NULL, err->msg); break;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_LIMITED: set_error(out, 503, NULL, err->msg); break;
    default: set_error(out, 500, NULL, err->msg);
    }
}

/* A `Status` of the object API. */
static void refuse_status(struct scim_outcome *out, const struct kube_answer *answer)
{
    CLEANUP_JSON json_t *status = NULL;
    struct err err = ERR_INIT;
    const char *type = NULL;
    unsigned code = answer->status;

    if (codec_json_parse(buf_span(&answer->body), "the status", &status, &err) < 0)
        status = json_object();
    const char *reason = codec_json_text(status, "reason", "");
    if (strcmp(reason, "AlreadyExists") == 0)
        type = "uniqueness";
    if (code == 422) {
        code = 400;
        type = "invalidValue";
    }
    set_error(out, code, type, codec_json_text(status, "message", "the request was refused"));
}

/* ------------------------------------------------------------------ may the caller? */

bool scim_may(struct scim *scim, const char *verb, const struct scim_binding *binding,
              const char *name, struct scim_outcome *out)
{
    struct serve_action action = {.verb = verb,
                                  .group = "drun.io",
                                  .resource = binding->kind->plural,
                                  .subresource = "",
                                  .namespace = "",
                                  .name = name};

    struct err err = ERR_INIT;

    if (serve_may(scim->request, &action, &err))
        return true;
    scim_refuse_err(out, NULL, &err);
    return false;
}

/* ------------------------------------------------------------------ preconditions */

/* RFC 9110 section 13.1: one of a list, or a star; weak ones count (RFC 7644 section 3.14). */
static bool tag_is_among(const char *list, const char *version)
{
    size_t len = strlen(version);

    if (strcmp(list, "*") == 0)
        return true;
    for (const char *at = list; (at = strstr(at, version + 2)) != NULL; at++)
        if (at[len - 2] == '\0' || at[len - 2] == ',' || at[len - 2] == ' ')
            return true;
    return false;
}

static bool precondition_holds(const struct scim_op *op, const json_t *object,
                               struct scim_outcome *out)
{
    char version[64];

    scim_version(object, version);
    if (op->if_match == NULL || tag_is_among(op->if_match, version))
        return true;
    scim_refuse(out, 412, NULL, "the resource has changed: its version is %s", version);
    return false;
}

/* ------------------------------------------------------------------ writing */

static void show(struct scim *scim, const struct scim_op *op, const json_t *object, unsigned status,
                 struct scim_outcome *out)
{
    CLEANUP_JSON json_t *shown = scim_show(scim, op->binding, object);
    struct err err = ERR_INIT;

    scim_id_of(object, out->id);
    scim_version(object, out->version);
    snprintf(out->location, sizeof(out->location), "%s",
             codec_json_text(json_object_get(shown, "meta"), "location", ""));
    if (scim_project(op->binding->resource, shown, op->attributes, op->excluded, scim->arena,
                     &err) < 0) {
        scim_refuse_err(out, "invalidPath", &err);
        return;
    }
    out->status = status;
    out->body = json_incref(shown);
}

static void write_object(struct scim *scim, const struct scim_op *op, const char *method,
                         const char *path, const json_t *object, unsigned status,
                         struct scim_outcome *out)
{
    struct kube_answer answer = {.body = BUF_INIT(OBJECT_MAX)};
    CLEANUP(buf_free) struct buf body = BUF_INIT(OBJECT_MAX);
    CLEANUP_JSON json_t *written = NULL;
    struct err err = ERR_INIT;

    if (object != NULL)
        codec_json_put(object, &body);
    if (buf_check(&body, "the resource", &err) < 0) {
        scim_refuse_err(out, NULL, &err);
        return;
    }
    serve_call_kube(scim->request, method, path, buf_span(&body), &answer);
    if (answer.status >= 300)
        refuse_status(out, &answer);
    else if (object == NULL)
        out->status = 204;
    else if (codec_json_parse(buf_span(&answer.body), "the object", &written, &err) < 0)
        scim_refuse_err(out, NULL, &err);
    else
        show(scim, op, written, status, out);
    buf_free(&answer.body);
}

static char *path_of(const struct scim_op *op, const json_t *object)
{
    return mem_printf("/apis/drun.io/v1/%s/%s", op->binding->kind->plural,
                      codec_json_text(json_object_get(object, "metadata"), "name", ""));
}

/* Is the resource's naming attribute another object's? */
static bool is_unique(struct scim *scim, const struct scim_op *op, const json_t *resource,
                      const char *own_id, struct scim_outcome *out)
{
    const char *attribute = op->binding->naming;
    const char *text = codec_json_text(resource, attribute, "");
    json_t *found[2];
    /* Several that have it already: they can be mended, but none comes in addition. */
    bool unique = scim_index_find(scim, op->binding, attribute, text, found) || own_id[0] != '\0';

    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        char id[SCIM_ID_SIZE] = "";
        if (found[i] != NULL)
            scim_id_of(found[i], id);
        CLEANUP_JSON json_t *shown =
            found[i] == NULL ? NULL : scim_show(scim, op->binding, found[i]);
        if (found[i] != NULL && strcmp(id, own_id) != 0 &&
            strcasecmp(codec_json_text(shown, attribute, ""), text) == 0)
            unique = false;
        json_decref(found[i]);
    }
    if (!unique)
        scim_refuse(out, 409, "uniqueness", "there is a %s with the %s %.128s already",
                    op->binding->resource->name, attribute, text);
    return unique;
}

static void put_resource(struct scim *scim, const struct scim_op *op, const json_t *old,
                         const json_t *resource, struct scim_outcome *out)
{
    CLEANUP_JSON json_t *object = json_deep_copy(old);
    CLEANUP_FREE char *path = path_of(op, old);
    const char *type = NULL;
    struct err err = ERR_INIT;

    if (!is_unique(scim, op, resource, op->id, out))
        return;
    if (op->binding->from_scim(scim, resource, object, &type, &err) < 0)
        scim_refuse_err(out, type, &err);
    else
        write_object(scim, op, "PUT", path, object, 200, out);
}

/* ------------------------------------------------------------------ the operations */

static void create(struct scim *scim, const struct scim_op *op, struct scim_outcome *out)
{
    const struct scim_binding *binding = op->binding;
    CLEANUP_JSON json_t *resource = NULL;
    CLEANUP_FREE char *path = mem_printf("/apis/drun.io/v1/%s", binding->kind->plural);
    const char *type = NULL;
    char name[254];
    struct err err = ERR_INIT;

    if (scim_read(binding->resource, op->data, &resource, &type, &err) < 0) {
        scim_refuse_err(out, type, &err);
        return;
    }
    scim_make_name(binding, codec_json_text(resource, binding->naming, ""), name);
    if (name[0] == '\0') {
        scim_refuse(out, 400, "invalidValue", "%s: no name can be made of it", binding->naming);
        return;
    }
    if (!is_unique(scim, op, resource, "", out))
        return;
    CLEANUP_JSON json_t *object =
        json_pack("{s:s, s:s, s:{s:s}, s:{}}", "apiVersion", "drun.io/v1", "kind",
                  binding->kind->kind, "metadata", "name", name, "spec");
    if (binding->from_scim(scim, resource, object, &type, &err) < 0)
        scim_refuse_err(out, type, &err);
    else
        write_object(scim, op, "POST", path, object, 201, out);
}

static void read_one(struct scim *scim, const struct scim_op *op, const json_t *object,
                     struct scim_outcome *out)
{
    char version[64];

    scim_version(object, version);
    if (op->if_none_match != NULL && tag_is_among(op->if_none_match, version)) {
        out->status = 304;
        snprintf(out->version, sizeof(out->version), "%s", version);
        return;
    }
    show(scim, op, object, 200, out);
}

static void replace(struct scim *scim, const struct scim_op *op, const json_t *old,
                    struct scim_outcome *out)
{
    CLEANUP_JSON json_t *resource = NULL;
    const char *type = NULL;
    struct err err = ERR_INIT;

    if (scim_read(op->binding->resource, op->data, &resource, &type, &err) < 0)
        scim_refuse_err(out, type, &err);
    else
        put_resource(scim, op, old, resource, out);
}

static void patch(struct scim *scim, const struct scim_op *op, const json_t *old,
                  struct scim_outcome *out)
{
    CLEANUP_JSON json_t *target = scim_show(scim, op->binding, old);
    CLEANUP_JSON json_t *resource = NULL;
    const char *type = NULL;
    struct err err = ERR_INIT;

    if (scim_patch(op->binding->resource, target, op->data, &type, &err) < 0 ||
        scim_read(op->binding->resource, target, &resource, &type, &err) < 0) {
        scim_refuse_err(out, type, &err);
        return;
    }
    /* Removed on purpose: it is what a new user has. */
    if (op->binding->kind == &kube_user && json_object_get(resource, "active") == NULL)
        json_object_set_new(resource, "active", json_true());
    put_resource(scim, op, old, resource, out);
}

static void remove_one(struct scim *scim, const struct scim_op *op, const json_t *object,
                       struct scim_outcome *out)
{
    CLEANUP_FREE char *path = path_of(op, object);

    write_object(scim, op, "DELETE", path, NULL, 204, out);
}

static const struct {
    const char *method, *verb;
    void (*run)(struct scim *scim, const struct scim_op *op, const json_t *object,
                struct scim_outcome *out);
} operations[] = {
    {"GET", "get", read_one},
    {"PUT", "update", replace},
    {"PATCH", "update", patch},
    {"DELETE", "delete", remove_one},
};

static void run_on_one(struct scim *scim, const struct scim_op *op, size_t which,
                       struct scim_outcome *out)
{
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;
    const char *tilde = strrchr(op->id, '~');
    CLEANUP_FREE char *name = mem_strndup(op->id, tilde == NULL ? 0 : (size_t)(tilde - op->id));

    /* Whoever may not look hears nothing of what is there. */
    if (!scim_may(scim, operations[which].verb, op->binding, name, out))
        return;
    if (scim_find(scim, op->binding, op->id, &object, &err) < 0)
        scim_refuse_err(out, NULL, &err);
    else if (precondition_holds(op, object, out))
        operations[which].run(scim, op, object, out);
}

void scim_run(struct scim *scim, const struct scim_op *op, struct scim_outcome *out)
{
    if (op->id[0] == '\0' && strcmp(op->method, "POST") == 0) {
        if (scim_may(scim, "create", op->binding, "", out))
            create(scim, op, out);
        return;
    }
    for (size_t i = 0; op->id[0] != '\0' && i < ARRAY_LEN(operations); i++)
        if (strcmp(operations[i].method, op->method) == 0) {
            run_on_one(scim, op, i, out);
            return;
        }
    scim_refuse(out, 405, NULL, "%.16s is not answered here", op->method);
}
