/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals in the words of kube-apiserver, which clients compare and people know. */
#include "kube/kube_internal.h"

#include <stdarg.h>

json_t *kube_status_new(unsigned code, const char *reason, const char *message, json_t *details)
{
    json_t *status =
        json_pack("{s:s, s:s, s:{}, s:s, s:s}", "kind", "Status", "apiVersion", "v1", "metadata",
                  "status", code < 400 ? "Success" : "Failure", "message", message);

    if (status == NULL) /* a message that is not UTF-8 */
        status = json_pack("{s:s, s:s, s:{}, s:s}", "kind", "Status", "apiVersion", "v1",
                           "metadata", "status", "Failure");
    if (message[0] == '\0')
        json_object_del(status, "message");
    if (reason != NULL)
        json_object_set_new(status, "reason", json_string(reason));
    if (details != NULL)
        json_object_set_new(status, "details", details);
    json_object_set_new(status, "code", json_integer((json_int_t)code));
    return status;
}

static void answer_status(struct kube_call *call, unsigned code, const char *reason,
                          const char *message, json_t *details)
{
    CLEANUP_JSON json_t *status = kube_status_new(code, reason, message, details);

    kube_put(call, code, status);
}

int kube_refuse(struct kube_call *call, unsigned code, const char *reason, json_t *details,
                const char *fmt, ...)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(64 * 1024);
    va_list args;

    va_start(args, fmt);
    buf_vprintf(&message, fmt, args);
    va_end(args);
    answer_status(call, code, reason, buf_text(&message), details);
    return -1;
}

int kube_refuse_bad(struct kube_call *call, const char *fmt, ...)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(64 * 1024);
    va_list args;

    va_start(args, fmt);
    buf_vprintf(&message, fmt, args);
    va_end(args);
    answer_status(call, 400, "BadRequest", buf_text(&message), NULL);
    return -1;
}

json_t *kube_details(const struct kube_call *call, const char *name)
{
    json_t *details = json_object();

    if (name[0] != '\0')
        json_object_set_new(details, "name", json_string(name));
    if (call->kind != NULL && call->kind->group[0] != '\0')
        json_object_set_new(details, "group", json_string(call->kind->group));
    if (call->kind != NULL)
        json_object_set_new(details, "kind", json_string(call->kind->plural));
    return details;
}

int kube_refuse_missing_path(struct kube_call *call)
{
    return kube_refuse(call, 404, "NotFound", json_object(),
                       "the server could not find the requested resource");
}

int kube_refuse_not_found(struct kube_call *call, const char *name)
{
    return kube_refuse(call, 404, "NotFound", kube_details(call, name), "%s \"%s\" not found",
                       kube_kind_resource(call->kind), name);
}

int kube_refuse_exists(struct kube_call *call, const char *name)
{
    return kube_refuse(call, 409, "AlreadyExists", kube_details(call, name),
                       "%s \"%s\" already exists", kube_kind_resource(call->kind), name);
}

int kube_refuse_conflict(struct kube_call *call, const char *name, const char *why)
{
    return kube_refuse(call, 409, "Conflict", kube_details(call, name),
                       "Operation cannot be fulfilled on %s \"%s\": %s",
                       kube_kind_resource(call->kind), name,
                       why != NULL ? why
                                   : "the object has been modified; please apply your changes to "
                                     "the latest version and try again");
}

int kube_refuse_forbidden(struct kube_call *call, const char *name, const char *why)
{
    const char *resource = kube_kind_resource(call->kind);

    if (name[0] == '\0')
        return kube_refuse(call, 403, "Forbidden", kube_details(call, name), "%s is forbidden: %s",
                           resource, why);
    return kube_refuse(call, 403, "Forbidden", kube_details(call, name),
                       "%s \"%s\" is forbidden: %s", resource, name, why);
}

static void put_causes(const json_t *causes, struct buf *out)
{
    size_t i, count = json_array_size(causes);
    json_t *cause;

    if (count > 1)
        buf_put_str(out, "[");
    json_array_foreach (causes, i, cause) {
        const char *field = json_string_value(json_object_get(cause, "field"));
        buf_printf(out, "%s%s%s%s", i > 0 ? ", " : "", field, field[0] != '\0' ? ": " : "",
                   json_string_value(json_object_get(cause, "message")));
    }
    if (count > 1)
        buf_put_str(out, "]");
}

int kube_refuse_invalid(struct kube_call *call, const char *name, const struct kube_causes *causes)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(64 * 1024);
    json_t *details = kube_details(call, name);
    const char *group = call->kind->group;

    put_causes(causes->list, &text);
    json_object_set_new(details, "kind", json_string(call->kind->kind));
    json_object_set(details, "causes", causes->list);
    return kube_refuse(call, 422, "Invalid", details, "%s%s%s \"%s\" is invalid: %s",
                       call->kind->kind, group[0] != '\0' ? "." : "", group, name, buf_text(&text));
}

int kube_refuse_expired(struct kube_call *call, const char *why)
{
    return kube_refuse(call, 410, "Expired", NULL, "%s", why);
}

static const struct {
    unsigned code;
    const char *reason;
} by_code[ERR_CODE_COUNT] = {
    [ERR_INVALID] = {400, "BadRequest"},
    [ERR_UNAUTHENTICATED] = {401, "Unauthorized"},
    [ERR_DENIED] = {403, "Forbidden"},
    [ERR_NOT_FOUND] = {404, "NotFound"},
    [ERR_EXISTS] = {409, "AlreadyExists"},
    [ERR_CONFLICT] = {409, "Conflict"},
    [ERR_GONE] = {410, "Expired"},
    [ERR_TOO_LARGE] = {413, "RequestEntityTooLarge"},
    [ERR_LIMITED] = {429, "TooManyRequests"},
    [ERR_UNSUPPORTED] = {501, "NotImplemented"},
    [ERR_UNAVAILABLE] = {503, "ServiceUnavailable"},
    [ERR_TIMEOUT] = {504, "Timeout"},
    [ERR_CORRUPT] = {500, "InternalError"},
    [ERR_IO] = {500, "InternalError"},
    [ERR_INTERNAL] = {500, "InternalError"},
};

static unsigned retry_after(unsigned code)
{
    return code == 429 || code == 503 ? 1 : 0;
}

int kube_refuse_err(struct kube_call *call, const struct err *err)
{
    unsigned code = by_code[err->code].code;

    if (code == 0)
        code = 500;
    call->answer->retry_after_sec = retry_after(code);
    return kube_refuse(call, code, code == 500 ? "InternalError" : by_code[err->code].reason,
                       call->kind != NULL ? kube_details(call, call->route.name) : NULL, "%s",
                       err->msg);
}

void kube_answer_error(struct kube_answer *answer, const struct err *err)
{
    unsigned code = by_code[err->code].code != 0 ? by_code[err->code].code : 500;
    CLEANUP_JSON json_t *status = kube_status_new(
        code, code == 500 ? "InternalError" : by_code[err->code].reason, err->msg, NULL);

    buf_reset(&answer->body);
    answer->status = code;
    answer->content_type = "application/json";
    answer->retry_after_sec = retry_after(code);
    codec_json_put(status, &answer->body);
}
