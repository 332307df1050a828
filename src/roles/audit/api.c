/* SPDX-License-Identifier: Apache-2.0 */
#include "api_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>

static const char prefix[] = "/apis/audit.drun.io/v1";

struct audit_api *audit_api_new(const struct audit_api_config *config)
{
    struct audit_api *api = mem_new(sizeof(*api));

    api->config = *config;
    LIST_INIT(&api->watches);
    return api;
}

/* ------------------------------------------------------------------ arguments */

static int read_number(const struct http_request *request, const char *name, uint64_t max,
                       uint64_t otherwise, uint64_t *out, struct err *err)
{
    const char *text = http_request_query(request, name);

    *out = otherwise;
    if (text == NULL || text[0] == '\0')
        return 0;
    return num_parse_u64(span_str(text), 0, max, name, out, err);
}

static int read_time(const struct http_request *request, const char *name, uint64_t *out_ns,
                     struct err *err)
{
    const char *text = http_request_query(request, name);
    int64_t sec;

    *out_ns = 0;
    if (text == NULL || text[0] == '\0')
        return 0;
    if (clock_parse(span_str(text), &sec, err) < 0)
        return err_wrap(err, "%s", name);
    *out_ns = sec < 0 ? 0 : (uint64_t)sec * 1000000000ULL;
    return 0;
}

static struct span read_text(const struct http_request *request, const char *name)
{
    const char *text = http_request_query(request, name);

    return span_str(text == NULL ? "" : text);
}

int api_read_filter(const struct http_request *request, const char *namespace,
                    struct api_filter *out, struct err *err)
{
    struct audit_query *query = &out->query;
    struct span outcome = read_text(request, "outcome");
    struct span order = read_text(request, "order");

    *out = (struct api_filter){0};
    query->actor = read_text(request, "actor");
    query->event = read_text(request, "event");
    query->role = read_text(request, "role");
    query->namespace = span_str(namespace);
    query->outcome = outcome.len == 0 ? -1 : audit_outcome_by_name(outcome);
    query->oldest_first = span_eq_str(order, "oldest");
    query->scan_max = API_SCAN_MAX;
    if (outcome.len > 0 && query->outcome < 0)
        return err_set(err, ERR_INVALID, "outcome must be success, denied or failure");
    if (order.len > 0 && !query->oldest_first && !span_eq_str(order, "newest"))
        return err_set(err, ERR_INVALID, "order must be newest or oldest");
    TRY(read_time(request, "since", &query->since_ns, err));
    TRY(read_time(request, "until", &query->until_ns, err));
    TRY(read_number(request, "limit", UINT64_MAX, API_LIMIT, &out->limit, err));
    out->limit = out->limit == 0 ? API_LIMIT : NUM_MIN(out->limit, (uint64_t)API_LIMIT_MAX);
    return read_number(request, "continue", UINT64_MAX - 1, AUDIT_FROM_END, &query->start, err);
}

/* ------------------------------------------------------------------ answers */

void api_json(struct http_answer *answer)
{
    http_answer_header(answer, "Content-Type", "application/json");
}

static unsigned status_of(enum err_code code)
{
    switch (code) {
    case ERR_INVALID: return 400;
    case ERR_NOT_FOUND: return 404;
    case ERR_GONE: return 410;
    case ERR_LIMITED: return 429;
    case ERR_UNAVAILABLE: return 503;
    default: return 500;
    }
}

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 400: return "BadRequest";
    case 404: return "NotFound";
    case 405: return "MethodNotAllowed";
    case 410: return "Gone";
    case 429: return "TooManyRequests";
    case 503: return "ServiceUnavailable";
    default: return "InternalError";
    }
}

/* A Kubernetes Status. */
static void put_status(struct http_answer *answer, unsigned status, const char *message)
{
    CLEANUP_FREE char *text = mem_strdup(message);

    /* Only what needs no escape; the messages are our own and may quote a little of the input. */
    for (char *at = text; *at != '\0'; at++)
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ' || (unsigned char)*at > '~')
            *at = '\'';
    buf_reset(&answer->body);
    answer->status = status;
    buf_printf(&answer->body,
               "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
               "\"message\":\"%s\",\"reason\":\"%s\",\"code\":%u}\n",
               text, reason_of(status), status);
    api_json(answer);
}

void api_fail(struct http_answer *answer, const struct err *err)
{
    put_status(answer, status_of(err->code), err->msg);
}

static void discover(struct http_answer *answer)
{
    answer->status = 200;
    api_json(answer);
    buf_put_str(&answer->body,
                "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\","
                "\"groupVersion\":\"audit.drun.io/v1\",\"resources\":["
                "{\"name\":\"auditevents\",\"singularName\":\"auditevent\",\"namespaced\":true,"
                "\"kind\":\"AuditEvent\",\"verbs\":[\"get\",\"list\",\"watch\"]},"
                "{\"name\":\"checkpoints\",\"singularName\":\"checkpoint\",\"namespaced\":false,"
                "\"kind\":\"Checkpoint\",\"verbs\":[\"get\"]},"
                "{\"name\":\"publickey\",\"singularName\":\"publickey\",\"namespaced\":false,"
                "\"kind\":\"PublicKey\",\"verbs\":[\"get\"]}]}\n");
}

/* ------------------------------------------------------------------ routes */

struct route {
    struct audit_api_action action;
    char *namespace; /* in the request's arena */
};

/* "", or what is behind "/resource". NULL when the path is another one. */
static const char *behind(const char *path, const char *resource)
{
    size_t len = strlen(resource);

    if (strncmp(path, resource, len) != 0 || (path[len] != '\0' && path[len] != '/'))
        return NULL;
    return path[len] == '/' ? path + len + 1 : "";
}

static bool find_route(const struct http_request *request, const char *path, struct route *out)
{
    const char *watch = http_request_query(request, "watch");
    const char *rest = behind(path, "/namespaces");
    const char *slash = rest == NULL ? NULL : strchr(rest, '/');

    *out = (struct route){.action = {.namespace = "", .name = ""}};
    if (slash != NULL) {
        out->namespace = arena_copy(request->arena, span_of(rest, (size_t)(slash - rest)));
        out->action.namespace = out->namespace == NULL ? "" : out->namespace;
        path = slash;
    }
    if (slash == NULL && strcmp(path, "/publickey") == 0) {
        out->action.resource = "publickey";
        out->action.verb = "get";
        return true;
    }
    out->action.resource = "auditevents";
    rest = behind(path, "/auditevents");
    if (rest == NULL && slash == NULL) {
        out->action.resource = "checkpoints";
        rest = behind(path, "/checkpoints");
    }
    if (rest == NULL || strchr(rest, '/') != NULL)
        return false;
    bool wants_watch = watch != NULL && (strcmp(watch, "true") == 0 || strcmp(watch, "1") == 0);
    out->action.name = rest;
    out->action.verb = rest[0] != '\0' ? "get" : wants_watch ? "watch" : "list";
    return rest[0] != '\0' || out->action.resource[0] == 'a';
}

static void get_checkpoint(struct audit_api *api, const struct http_request *request,
                           const char *name, struct http_answer *answer)
{
    struct audit_log *log = audit_service_log(api->config.service);
    struct err err = ERR_INIT;

    if (strcmp(name, "consistency") == 0) {
        api_consistency(api, request, answer);
    } else if (strcmp(name, "latest") != 0) {
        err_set(&err, ERR_NOT_FOUND, "there is no checkpoint of that name");
        api_fail(answer, &err);
    } else if (audit_log_checkpoint(log, &err) < 0 && audit_log_newest_size(log) == 0) {
        api_fail(answer, &err);
    } else {
        answer->status = 200;
        http_answer_header(answer, "Content-Type", "text/plain; charset=utf-8");
        buf_put_span(&answer->body, audit_log_newest_note(log));
    }
}

/* In the form in which verifiers take them (docs/PROTOCOL.audit section 3), the newest last. */
static void get_public_key(struct audit_api *api, struct http_answer *answer)
{
    struct note_keys keys;
    struct err err = ERR_INIT;

    if (audit_service_signers(api->config.service, &keys, &err) < 0) {
        api_fail(answer, &err);
        return;
    }
    answer->status = 200;
    http_answer_header(answer, "Content-Type", "text/plain; charset=utf-8");
    for (size_t i = 0; i < keys.count; i++) {
        note_key_put(&keys.key[i], &answer->body);
        buf_put_u8(&answer->body, '\n');
    }
}

static void serve(struct audit_api *api, const struct route *route,
                  const struct http_request *request, struct http_answer *answer)
{
    const struct audit_api_action *action = &route->action;
    struct api_filter filter;
    struct err err = ERR_INIT;

    if (audit_service_log(api->config.service) == NULL) {
        err_set(&err, ERR_UNAVAILABLE, "the audit log is not open yet: kms is sealed");
        api_fail(answer, &err);
    } else if (action->resource[0] == 'p') {
        get_public_key(api, answer);
    } else if (action->resource[0] == 'c') {
        get_checkpoint(api, request, action->name, answer);
    } else if (action->name[0] != '\0') {
        api_get(api, action->name, answer);
    } else if (api_read_filter(request, action->namespace, &filter, &err) < 0) {
        api_fail(answer, &err);
    } else if (strcmp(action->verb, "watch") == 0) {
        if (read_number(request, "resourceVersion", UINT64_MAX - 1, AUDIT_FROM_END,
                        &filter.query.start, &err) < 0)
            api_fail(answer, &err);
        else
            api_start_watch(api, &filter, answer);
    } else {
        api_list(api, &filter, answer);
    }
}

bool audit_api_handle(struct audit_api *api, void *request_ctx, const struct http_request *request,
                      struct http_answer *answer)
{
    const char *path = behind(request->path, prefix);
    struct route route;

    if (path == NULL)
        return false;
    if (strcmp(request->method, "GET") != 0)
        put_status(answer, 405, "the audit log can only be read");
    else if (path[0] == '\0')
        discover(answer);
    else if (!find_route(request, path - 1, &route))
        put_status(answer, 404, "the server could not find the requested resource");
    else if (route.action.namespace[0] != '\0' && route.action.name[0] != '\0')
        put_status(answer, 404, "one event is read by its index, without a namespace");
    else if (api->config.allow(request_ctx, request, &route.action, answer))
        serve(api, &route, request, answer);
    return true;
}
