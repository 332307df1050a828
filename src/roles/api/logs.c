/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /apis/drun.io/v1/namespaces/NS/modelservices/NAME/log: what the engine says, as `pods/log`
 * has it (?follow, ?previous, ?tailLines), and ?replica. The engine is the agent's: the question
 * goes to it with its next order, and what it says is passed on as it comes. docs/PROTOCOL.agent.
 */
#include "api/api_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "log/log.h"
#include "wire/orders.h"

#include <stdlib.h>
#include <sys/queue.h>

#define PREFIX "/apis/drun.io/v1/namespaces/"
#define MIDDLE "/modelservices/"
#define SUFFIX "/log"

enum { OPEN_MAX = 32, ANSWER_SEC = 10, TAIL_MAX = 1000000, REPLICA_MAX = 1000 };

struct wanted {
    struct logs *logs;
    uint64_t id;
    char *namespace, *name;
    json_t *order;
    struct serve_request *request; /* until the agent has answered */
    struct http_stream *stream;    /* from then on */
    bool sent;                     /* to the agent */
    int64_t asked_sec;
    LIST_ENTRY(wanted) entry;
};

struct logs {
    struct api *api;
    uint64_t last_id;
    size_t count;
    LIST_HEAD(, wanted) list;
};

static void forget(struct logs *logs, struct wanted *wanted)
{
    LIST_REMOVE(wanted, entry);
    logs->count--;
    json_decref(wanted->order);
    free(wanted->namespace);
    free(wanted->name);
    free(wanted);
}

static void refuse_later(struct wanted *wanted, enum err_code code, const char *why)
{
    struct serve_request *request = wanted->request;
    struct err err = ERR_INIT;

    err_set(&err, code, "modelservice %s/%s: %s", wanted->namespace, wanted->name, why);
    wanted->request = NULL;
    serve_answer_error(request, &err);
    serve_answered(request);
}

/* ------------------------------------------------------------------ the request */

/* Takes "NS" and "NAME" out of the path; false when it is another one. */
static bool parse_path(const char *path, struct arena *arena, const char **namespace,
                       const char **name)
{
    size_t len = strlen(path);

    if (strncmp(path, PREFIX, strlen(PREFIX)) != 0 || len < strlen(PREFIX) + strlen(SUFFIX) ||
        strcmp(path + len - strlen(SUFFIX), SUFFIX) != 0)
        return false;
    const char *end = path + len - strlen(SUFFIX);
    path += strlen(PREFIX);
    const char *middle = strstr(path, MIDDLE);
    if (middle == NULL || middle + strlen(MIDDLE) > end)
        return false;
    const char *rest = middle + strlen(MIDDLE);
    *namespace = arena_copy(arena, span_of(path, (size_t)(middle - path)));
    *name = arena_copy(arena, span_of(rest, (size_t)(end - rest)));
    return *namespace != NULL && *name != NULL &&
           kube_format_check(KUBE_DNS_LABEL, *namespace) == NULL &&
           kube_format_check(KUBE_DNS_LABEL, *name) == NULL;
}

static int read_flag(const struct http_request *http, const char *name, json_t *order,
                     struct err *err)
{
    const char *value = http_request_query(http, name);
    bool yes = value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);

    if (value != NULL && !yes && value[0] != '\0' && strcmp(value, "false") != 0 &&
        strcmp(value, "0") != 0)
        return err_set(err, ERR_INVALID, "%s must be true or false", name);
    json_object_set_new(order, name, json_boolean(yes));
    return 0;
}

static int read_count(const struct http_request *http, const char *name, uint64_t max,
                      json_t *order, struct err *err)
{
    const char *text = http_request_query(http, name);
    uint64_t count;

    if (text == NULL || text[0] == '\0')
        return 0;
    TRY(num_parse_u64(span_str(text), 0, max, name, &count, err));
    json_object_set_new(order, name, json_integer((json_int_t)count));
    return 0;
}

static int read_order(const struct http_request *http, json_t *order, struct err *err)
{
    TRY(read_flag(http, "follow", order, err));
    TRY(read_flag(http, "previous", order, err));
    TRY(read_count(http, "tailLines", TAIL_MAX, order, err));
    TRY(read_count(http, "replica", REPLICA_MAX, order, err));
    if (json_is_true(json_object_get(order, "previous")) && json_object_get(order, "replica"))
        return err_set(err, ERR_INVALID,
                       "previous and replica do not go together: the run before "
                       "is that of the last engine that ended");
    return 0;
}

static int find_service(struct api *api, const char *namespace, const char *name, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    if (kube_object_get(serve_kube(api->serve), &kube_model_service, namespace, name, &object,
                        err) < 0)
        return err->code == ERR_NOT_FOUND
                   ? err_set(err, ERR_NOT_FOUND, "modelservices.drun.io \"%s\" not found", name)
                   : -1;
    if (codec_json_at(object, "spec", "engine", NULL) == NULL)
        return err_set(err, ERR_INVALID,
                       "the model service %s passes calls on; it has no engine here whose log "
                       "there could be",
                       name);
    return 0;
}

static int open_log(struct api *api, struct serve_request *request, const char *namespace,
                    const char *name, struct err *err)
{
    struct logs *logs = api->logs;
    CLEANUP_JSON json_t *order = json_object();

    TRY(read_order(request->http, order, err));
    TRY(find_service(api, namespace, name, err));
    if (logs->count >= OPEN_MAX)
        return err_set(err, ERR_LIMITED, "%d logs are being read already; try again later",
                       OPEN_MAX);
    struct wanted *wanted = mem_new(sizeof(*wanted));
    *wanted = (struct wanted){.logs = logs,
                              .id = ++logs->last_id,
                              .namespace = mem_strdup(namespace),
                              .name = mem_strdup(name),
                              .order = json_incref(order),
                              .request = request,
                              .asked_sec = clock_wall_sec()};
    json_object_set_new(order, "id", json_integer((json_int_t)wanted->id));
    LIST_INSERT_HEAD(&logs->list, wanted, entry);
    logs->count++;
    serve_later(request);
    orders_follow(api->orders);
    return 0;
}

bool logs_route(void *ctx, struct serve_request *request)
{
    struct api *api = ctx;
    struct err err = ERR_INIT;
    struct serve_action action = {
        .verb = "get", .group = "drun.io", .resource = "modelservices", .subresource = "log"};

    if (strcmp(request->http->method, "GET") != 0 ||
        !parse_path(request->http->path, request->http->arena, &action.namespace, &action.name))
        return false;
    if (serve_authenticate(request) < 0 || !serve_authorize(request, &action))
        return true;
    if (open_log(api, request, action.namespace, action.name, &err) < 0)
        serve_answer_error(request, &err);
    return true;
}

/* ------------------------------------------------------------------ the agent */

bool logs_put_order(struct logs *logs, struct buf *out)
{
    struct wanted *wanted;

    LIST_FOREACH (wanted, &logs->list, entry)
        if (!wanted->sent)
            break;
    if (wanted == NULL)
        return false;
    wanted->sent = true;
    CLEANUP_JSON json_t *message =
        json_pack("{s:s, s:s, s:s, s:O}", "kind", "Log", "namespace", wanted->namespace, "name",
                  wanted->name, "object", wanted->order);
    codec_json_put(message, out);
    return true;
}

void logs_agent_is_new(struct logs *logs)
{
    struct wanted *wanted;

    LIST_FOREACH (wanted, &logs->list, entry) {
        wanted->sent = wanted->stream != NULL; /* who has no answer yet is asked for again */
        if (wanted->stream != NULL)
            http_stream_end(wanted->stream);
    }
}

/* The agent is told when it next has something to say. */
static void on_close(void *ctx)
{
    struct wanted *wanted = ctx;

    forget(wanted->logs, wanted);
}

/* The first piece: the answer begins. */
static void begin(struct wanted *wanted)
{
    struct serve_request *request = wanted->request;

    wanted->request = NULL;
    serve_answer(request, 200, "text/plain; charset=utf-8");
    wanted->stream = http_answer_stream(request->answer, on_close, wanted);
    serve_answered(request);
}

static struct wanted *find(struct logs *logs, uint64_t id)
{
    struct wanted *wanted;

    LIST_FOREACH (wanted, &logs->list, entry)
        if (wanted->id == id)
            return wanted;
    return NULL;
}

int logs_handle_piece(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                      struct err *err)
{
    struct api *api = ctx;
    struct logs *logs = api->logs;
    struct cursor cursor = cursor_of(request->body);
    struct wanted *wanted = find(logs, cursor_u64(&cursor));
    uint8_t part = cursor_u8(&cursor);
    struct span bytes = cursor_bytes(&cursor, cursor.left);

    TRY(cursor_done(&cursor, "a piece of a log", err));
    if (wanted == NULL)
        return err_set(err, ERR_GONE, "nobody reads this log any more");
    if (part == API_LOG_REFUSED && wanted->request != NULL) {
        CLEANUP_FREE char *why = mem_strndup((const char *)bytes.p, bytes.len);
        refuse_later(wanted, ERR_INVALID, why);
        forget(logs, wanted);
        return IPC_ANSWER;
    }
    if (wanted->request != NULL)
        begin(wanted);
    http_stream_write(wanted->stream, bytes);
    if (part != API_LOG_MORE)
        http_stream_end(wanted->stream); /* the connection goes on until all of it is read */
    return IPC_ANSWER;
}

/* ------------------------------------------------------------------ life */

/* An agent that is being started again gets the question then; one that stays away does not keep
 * who asked. */
static void on_tick(void *ctx)
{
    struct logs *logs = ctx;
    struct wanted *wanted, *next;
    int64_t now = clock_wall_sec();

    for (wanted = LIST_FIRST(&logs->list); wanted != NULL; wanted = next) {
        next = LIST_NEXT(wanted, entry);
        if (wanted->request != NULL && now - wanted->asked_sec >= ANSWER_SEC) {
            refuse_later(wanted, ERR_UNAVAILABLE, "the agent does not answer; try again later");
            forget(logs, wanted);
        }
    }
}

int logs_new(struct api *api, struct logs **out, struct err *err)
{
    struct logs *logs = mem_new(sizeof(*logs));

    logs->api = api;
    LIST_INIT(&logs->list);
    *out = logs;
    return loop_add_timer(role_loop(api->role), 1000, 1000, on_tick, logs, NULL, err);
}

void logs_stop(struct logs *logs)
{
    struct wanted *wanted;

    LIST_FOREACH (wanted, &logs->list, entry)
        if (wanted->request != NULL)
            refuse_later(wanted, ERR_UNAVAILABLE, "the platform stops");
}

void logs_free(struct logs *logs)
{
    if (logs == NULL)
        return;
    while (!LIST_EMPTY(&logs->list))
        forget(logs, LIST_FIRST(&logs->list));
    free(logs);
}
