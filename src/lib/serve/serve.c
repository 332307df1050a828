/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"
#include "serve/serve_internal.h"
#include "snapshot/policy.h"

#include <fcntl.h>
#include <stdlib.h>

enum { REMEMBERED_TOKENS = 512, TICK_MS = 1000, BATCHES_A_TURN = 4 };

static bool is_probe(const char *path)
{
    return strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0 ||
           strcmp(path, "/livez") == 0;
}

/* What the record says about every request alike. */
static void begin_record(struct serve_request *request)
{
    const char *agent = http_request_header(request->http, "User-Agent");
    const char *id = http_request_header(request->http, "X-Request-Id");

    request->event = (struct audit_event){
        .time_ns = clock_wall_ns(),
        .event = span_str(AUDIT_API_REQUEST),
        .action = {.verb = span_str(request->http->method), .name = span_str(request->http->path)},
        .address = span_str(serve_address(request)),
        .user_agent = span_str(agent == NULL ? "" : agent),
        .request_id = span_str(id == NULL ? "" : id),
    };
}

static void end_record(struct serve_request *request)
{
    struct audit_event *event = &request->event;
    unsigned status = request->answer->status;

    if (event->event.len == 0)
        return;
    event->status = (uint16_t)status;
    event->duration_ns = clock_wall_ns() - event->time_ns;
    if (event->outcome == AUDIT_SUCCESS && status >= 400)
        event->outcome = status == 401 || status == 403 ? AUDIT_DENIED : AUDIT_FAILURE;
    serve_record(request->serve, event);
}

static void answer_kinds(struct serve_request *request)
{
    struct err err = ERR_INIT;

    if (request->serve->kube == NULL || request->operator_socket) {
        err_set(&err, ERR_NOT_FOUND, "there is nothing at %s", request->http->path);
        serve_answer_error(request, &err);
    } else if (serve_authenticate(request) == 0 &&
               (!serve_is_dangerous(request) || serve_step_up(request))) {
        serve_by_kube(request);
    }
}

static void on_request(void *ctx, const struct http_request *http, struct http_answer *answer)
{
    struct serve_listener *listener = ctx;
    struct serve *serve = listener->serve;
    /* The first piece of the arena always fits. */
    struct serve_request *request = arena_alloc(http->arena, sizeof(*request));

    *request = (struct serve_request){.serve = serve,
                                      .http = http,
                                      .answer = answer,
                                      .operator_socket = listener->operator_socket};
    if (is_probe(http->path)) {
        buf_put_str(&answer->body, "ok");
        serve_answer(request, 200, "text/plain");
        return;
    }
    begin_record(request);
    if (serve->config.route == NULL || !serve->config.route(serve->config.ctx, request))
        answer_kinds(request);
    if (!request->later)
        end_record(request);
}

void serve_later(struct serve_request *request)
{
    request->later = true;
    http_request_later(request->http);
}

void serve_answered(struct serve_request *request)
{
    end_record(request);
    http_request_answered(request->http);
}

/* ------------------------------------------------------------------ batches */

static void as_unavailable(void *ctx, const struct http_request *http, const struct err *err,
                           struct http_answer *answer)
{
    struct serve *serve = ctx;
    struct serve_request request = {.serve = serve, .http = http, .answer = answer};

    if (serve->config.failed != NULL && serve->config.failed(serve->config.ctx, &request, err))
        return;
    struct kube_answer status = {.body = BUF_INIT(4096)};
    struct err unavailable = *err;

    unavailable.code = ERR_UNAVAILABLE; /* whatever it was for us, the caller may try again */
    kube_answer_error(&status, &unavailable);
    answer->status = status.status;
    http_answer_header(answer, "Content-Type", status.content_type);
    http_answer_header(answer, "Retry-After", "1");
    buf_put_span(&answer->body, buf_span(&status.body));
    buf_free(&status.body);
}

static size_t held(const struct serve *serve)
{
    size_t count = 0;

    for (size_t i = 0; i < serve->listener_count; i++)
        count += http_server_held(serve->listeners[i].server);
    return count;
}

void serve_leave(struct serve *serve, const struct err *failed)
{
    for (size_t i = 0; i < serve->listener_count; i++) {
        struct http_server *server = serve->listeners[i].server;
        if (failed == NULL)
            http_server_release_called(server);
        else
            http_server_fail_called(server, failed, as_unavailable, serve);
    }
}

static void answer_held(struct serve *serve, const struct err *failed)
{
    for (size_t i = 0; i < serve->listener_count; i++) {
        struct http_server *server = serve->listeners[i].server;
        if (failed == NULL)
            http_server_release(server);
        else
            http_server_fail(server, failed, as_unavailable, serve);
    }
}

static bool needs_flush(const struct serve *serve)
{
    return serve_has_records(serve) ||
           (serve->config.store != NULL && store_needs_flush(serve->config.store));
}

/* One that is durable before anything else happens, or has nothing to make durable. */
static void run_batch(struct serve *serve)
{
    struct err err = ERR_INIT;

    if (needs_flush(serve))
        serve_settle(serve);
    bool durable = serve_flush(serve, &err) == 0;
    if (durable && serve->config.after_flush != NULL)
        serve->config.after_flush(serve->config.ctx);
    if (!durable)
        log_error("serve.flush", &err);
    if (!durable && serve->kube != NULL)
        kube_server_taken_back(serve->kube);
    if (!durable && serve->config.after_discard != NULL)
        serve->config.after_discard(serve->config.ctx);
    answer_held(serve, durable ? NULL : &err);
}

/* False when there is nothing to do now: nothing at all, or records that wait for those under way.
 */
static bool step(struct serve *serve)
{
    if (held(serve) == 0 && !needs_flush(serve))
        return false;
    if (!serve_may_fly(serve)) {
        run_batch(serve);
        return true;
    }
    if (serve->flies)
        return false;
    serve_fly(serve);
    return true;
}

/* Releasing answers reads further requests of the same connections. Some batches follow at once;
 * then other events get their turn, whatever the clients do. */
static void after_batch(void *ctx)
{
    struct serve *serve = ctx;

    bool more = true;

    for (int i = 0; more && i < BATCHES_A_TURN; i++) {
        if (serve->config.prepare != NULL)
            serve->config.prepare(serve->config.ctx);
        more = step(serve);
    }
    if (more && serve->listener_count > 0)
        http_server_wake(serve->listeners[0].server);
    serve_ends_follow(serve);
}

static void on_tick(void *ctx)
{
    struct serve *serve = ctx;
    struct err err = ERR_INIT;

    if (serve->kube != NULL) {
        kube_server_tick(serve->kube);
        serve_ends_tick(serve);
    }
    if (auth_trouble(serve->auth, &err) < 0)
        log_error("serve.identity", &err);
}

/* ------------------------------------------------------------------ start */

static int start_listener(struct serve *serve, const char *name, bool operator_socket,
                          struct err *err)
{
    CLEANUP_FD int fd = role_take_fd(serve->config.role, name);

    if (fd < 0)
        return 0;
    struct serve_listener *listener = &serve->listeners[serve->listener_count];
    *listener = (struct serve_listener){.serve = serve, .operator_socket = operator_socket};
    TRY(http_server_new(role_loop(serve->config.role), &fd, on_request, listener, &listener->server,
                        err));
    serve->listener_count++;
    return 0;
}

/* The owner's own functions get its own context. */
static int on_admit(void *ctx, struct kube_change *change, struct kube_causes *causes,
                    struct err *err)
{
    struct serve *serve = ctx;

    return serve->config.admit(serve->config.ctx, change, causes, err);
}

static void on_changed(void *ctx, const struct kube_change *change)
{
    struct serve *serve = ctx;

    if (serve->current != NULL)
        serve_name_action(serve->current, change->name);
    else
        serve_ends_record(serve, change);
    if (serve->config.changed != NULL)
        serve->config.changed(serve->config.ctx, change);
}

static int on_token(void *ctx, const struct kube_principal *principal, const json_t *account,
                    json_t *token_request, struct err *err)
{
    struct serve *serve = ctx;

    return serve->config.issue_token(serve->config.ctx, principal, account, token_request, err);
}

static bool on_owner(void *ctx, const struct kube_kind *kind, const char *namespace,
                     const char *name, const char *uid)
{
    struct serve *serve = ctx;

    return serve->config.owner_is_gone(serve->config.ctx, kind, namespace, name, uid);
}

static int start_kube(struct serve *serve, struct err *err)
{
    const struct serve_config *config = &serve->config;
    struct kube_config kube = {
        .kinds = config->kinds,
        .storage = config->storage,
        .ctx = serve,
        .authorize = serve_kube_authorize,
        .rules = serve_kube_rules,
        .namespace_state = serve_kube_namespace,
        .admit = config->admit == NULL ? NULL : on_admit,
        .changed = on_changed,
        .issue_token = config->issue_token == NULL ? NULL : on_token,
        .review_token = serve_kube_review_token,
        .owner_is_gone = config->owner_is_gone == NULL ? NULL : on_owner,
    };

    if (config->kinds == NULL)
        return 0;
    TRY(kube_server_new(&kube, &serve->kube, err));
    return serve_ends_start(serve, err);
}

int serve_new(const struct serve_config *config, struct serve **out, struct err *err)
{
    struct serve *serve = mem_new(sizeof(*serve));
    CLEANUP_FREE char *identity = mem_printf("%s/idp", role_run_dir(config->role));
    CLEANUP_FREE char *policy = mem_printf("%s/api", role_run_dir(config->role));

    serve->config = *config;
    *out = serve;
    CLEANUP_FD int identity_fd = fd_open_dir(AT_FDCWD, identity, err);
    TRY(identity_fd);
    CLEANUP_FD int policy_fd = fd_open_dir(AT_FDCWD, policy, err);
    TRY(policy_fd);
    serve->auth = auth_new(&identity_fd, REMEMBERED_TOKENS);
    serve->policy = snapshot_reader_new(&policy_snapshot, &policy_fd);
    TRY(serve_flight_start(serve, err));
    TRY(start_kube(serve, err));
    TRY(serve_upkeep_start(serve, err));
    TRY(start_listener(serve, "listen:http", false, err));
    TRY(start_listener(serve, "listen:operator", true, err));
    loop_add_batch(role_loop(config->role), after_batch, serve);
    return loop_add_timer(role_loop(config->role), TICK_MS, TICK_MS, on_tick, serve, NULL, err);
}

void serve_free(struct serve *serve)
{
    if (serve == NULL)
        return;
    serve_settle(serve);
    if (serve->kube != NULL)
        kube_server_drain(serve->kube);
    for (size_t i = 0; i < serve->listener_count; i++)
        http_server_free(serve->listeners[i].server);
    kube_server_free(serve->kube);
    auth_free(serve->auth);
    snapshot_reader_free(serve->policy);
    serve_records_free(&serve->records);
    serve_records_free(&serve->undone);
    serve_records_free(&serve->flying);
    free(serve);
}

void serve_free_ptr(struct serve **serve)
{
    serve_free(*serve);
}

struct serve_request *serve_current(const struct serve *serve)
{
    return serve->current;
}

struct kube_server *serve_kube(struct serve *serve)
{
    return serve->kube;
}

const struct snapshot *serve_policy(struct serve *serve)
{
    struct err err = ERR_INIT;

    if (snapshot_reader_refresh(serve->policy, &err) < 0)
        log_error("serve.policy", &err);
    return snapshot_reader_current(serve->policy);
}
