/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "http/http_internal.h"
#include "log/log.h"

#include <stdlib.h>
#include <sys/epoll.h>

enum { CONNECTIONS_MAX = 4096, IDLE_SEC = 120, HEADERS_MAX = 64 * 1024 };

void http_answer_header(struct http_answer *answer, const char *name, const char *value)
{
    struct http_header *header = arena_alloc(answer->arena, sizeof(*header));
    char *name_copy = arena_strdup(answer->arena, name);
    char *value_copy = arena_strdup(answer->arena, value);

    /* An arena that is exhausted answers with what it has; the body says what went wrong. */
    if (header == NULL || name_copy == NULL || value_copy == NULL)
        return;
    *header = (struct http_header){.next = answer->headers, .name = name_copy, .value = value_copy};
    answer->headers = header;
}

static struct arena *take_arena(struct http_server *server)
{
    if (server->spare_count > 0)
        return server->spare[--server->spare_count];
    return arena_new(HTTP_ARENA_MAX);
}

static void give_arena(struct http_server *server, struct arena *arena)
{
    arena_reset(arena);
    if (server->spare_count < HTTP_SPARE_MAX && arena_bytes(arena) <= HTTP_SPARE_BYTES)
        server->spare[server->spare_count++] = arena;
    else
        arena_free(arena);
}

static struct http_connection *connection_new(struct http_server *server,
                                              struct MHD_Connection *mhd, const char *path,
                                              const char *method)
{
    struct http_connection *connection = mem_new(sizeof(*connection));
    struct arena *arena = take_arena(server);

    *connection = (struct http_connection){.server = server, .mhd = mhd};
    connection->body = (struct buf)BUF_INIT(HTTP_BODY_MAX);
    connection->answer = (struct http_answer){.body = BUF_INIT(HTTP_ANSWER_MAX), .arena = arena};
    connection->request = (struct http_request){
        .method = arena_strdup(arena, method),
        .path = arena_strdup(arena, path),
        .arena = arena,
        .connection = connection,
    };
    return connection;
}

static void connection_free(struct http_connection *connection)
{
    INVARIANT(!connection->later && !connection->held);
    if (connection->answer.stream != NULL)
        http_stream_closed(connection->answer.stream);
    buf_free_wiped(&connection->body);
    buf_free_wiped(&connection->answer.body);
    give_arena(connection->server, connection->request.arena);
    free(connection);
}

static struct MHD_Response *response_of(struct http_answer *answer)
{
    if (answer->stream != NULL)
        return http_stream_response(answer->stream);
    return MHD_create_response_from_buffer(answer->body.len, answer->body.data,
                                           MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_answer(struct http_connection *connection)
{
    struct http_answer *answer = &connection->answer;
    struct MHD_Response *response = response_of(answer);

    if (response == NULL)
        return MHD_NO;
    for (struct http_header *header = answer->headers; header != NULL; header = header->next)
        MHD_add_response_header(response, header->name, header->value);
    enum MHD_Result queued = MHD_queue_response(connection->mhd, answer->status, response);
    MHD_destroy_response(response);
    return queued;
}

static void hold(struct http_connection *connection)
{
    if (connection->answer.body.overflowed) {
        buf_reset(&connection->answer.body);
        connection->answer.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        buf_printf(&connection->answer.body, "the answer is larger than %d bytes\n",
                   HTTP_ANSWER_MAX);
    }
    INVARIANT(connection->answer.status >= 200 || connection->server->closing);
    connection->held = true;
    TAILQ_INSERT_TAIL(&connection->server->held, connection, entry);
    connection->server->held_count++;
}

void http_request_later(const struct http_request *request)
{
    struct http_connection *connection = request->connection;

    INVARIANT(!connection->later && !connection->held);
    connection->later = true;
    TAILQ_INSERT_TAIL(&connection->server->waiting, connection, entry);
}

void http_request_answered(const struct http_request *request)
{
    struct http_connection *connection = request->connection;

    INVARIANT(connection->later);
    connection->later = false;
    TAILQ_REMOVE(&connection->server->waiting, connection, entry);
    hold(connection);
}

static void handle(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    connection->handled = true;
    connection->request.body = buf_span(&connection->body);
    if (connection->body.overflowed) {
        connection->answer.status = MHD_HTTP_CONTENT_TOO_LARGE;
        buf_printf(&connection->answer.body, "the request body is larger than %d bytes\n",
                   HTTP_BODY_MAX);
    } else if (http_request_has_nul(&connection->request)) {
        connection->answer.status = MHD_HTTP_BAD_REQUEST;
        buf_put_str(&connection->answer.body, "a parameter of the request has a NUL in it\n");
    } else {
        server->handler(server->ctx, &connection->request, &connection->answer);
    }
    if (!connection->later)
        hold(connection);
    MHD_suspend_connection(connection->mhd);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *mhd, const char *path,
                                 const char *method, const char *version UNUSED, const char *upload,
                                 size_t *upload_len, void **state)
{
    struct http_connection *connection = *state;
    const struct http_server *server = ctx;

    if (server->closing && (connection == NULL || !connection->handled))
        return MHD_NO;
    if (connection == NULL) {
        *state = connection_new(ctx, mhd, path, method);
        return MHD_YES;
    }
    if (*upload_len > 0) {
        buf_put(&connection->body, upload, *upload_len);
        *upload_len = 0;
        return MHD_YES;
    }
    if (connection->handled)
        return send_answer(connection);
    handle(connection);
    return MHD_YES;
}

static void on_completed(void *ctx UNUSED, struct MHD_Connection *mhd UNUSED, void **state,
                         enum MHD_RequestTerminationCode code UNUSED)
{
    if (*state != NULL)
        connection_free(*state);
    *state = NULL;
}

/* libmicrohttpd says how long it can wait; its idle time-outs need a turn then. */
static void run(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    MHD_run(server->mhd);
    if (server->timer != NULL && MHD_get_timeout(server->mhd, &wait_ms) == MHD_YES)
        loop_rearm(server->timer, wait_ms, 0);
}

void http_server_wake(struct http_server *server)
{
    if (server->timer != NULL)
        loop_rearm(server->timer, 0, 0);
}

static void on_ready(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    run(ctx);
}

static void on_timer(void *ctx)
{
    run(ctx);
}

static void log_mhd(void *ctx UNUSED, const char *fmt, va_list args)
{
    char text[512];

    vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\n")] = '\0';
    log_say(LOG_DEBUG, "http.server", "%s", text);
}

static int start(struct http_server *server, int *listen_fd, struct err *err)
{
    TRY(fd_set_nonblocking(*listen_fd, err));
    server->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_access,
        server, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL, MHD_OPTION_LISTEN_SOCKET, *listen_fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SEC,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX, MHD_OPTION_END);
    if (server->mhd == NULL)
        return err_set(err, ERR_INTERNAL, "cannot start the HTTP server");
    *listen_fd = -1; /* libmicrohttpd closes it */
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    INVARIANT(info != NULL);
    TRY(loop_add_timer(server->loop, IDLE_SEC * 1000, 0, on_timer, server, &server->timer, err));
    return loop_add_fd(server->loop, info->epoll_fd, EPOLLIN, on_ready, server, &server->source,
                       err);
}

int http_server_new(struct loop *loop, int *listen_fd, http_handler_fn *handler, void *ctx,
                    struct http_server **out, struct err *err)
{
    struct http_server *server = mem_new(sizeof(*server));

    *server = (struct http_server){.loop = loop, .handler = handler, .ctx = ctx};
    TAILQ_INIT(&server->held);
    TAILQ_INIT(&server->aside);
    TAILQ_INIT(&server->called);
    TAILQ_INIT(&server->waiting);
    if (start(server, listen_fd, err) < 0) {
        http_server_free(server);
        return -1;
    }
    *out = server;
    return 0;
}

size_t http_server_held(const struct http_server *server)
{
    return server->held_count;
}

static void resume(struct http_server *server, struct http_connection_list *list)
{
    struct http_connection *connection;

    if (TAILQ_EMPTY(list))
        return;
    while ((connection = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, connection, entry);
        connection->held = false;
        if (connection->answer.stream != NULL)
            http_stream_attach(connection->answer.stream, connection);
        MHD_resume_connection(connection->mhd);
    }
    run(server);
}

static void empty_answer(struct http_answer *answer)
{
    if (answer->stream != NULL)
        http_stream_closed(answer->stream);
    answer->stream = NULL;
    answer->headers = NULL;
    buf_reset(&answer->body);
}

static void replace(struct http_connection_list *list, const struct err *err, http_error_fn *error,
                    void *ctx)
{
    struct http_connection *connection;

    TAILQ_FOREACH (connection, list, entry) {
        empty_answer(&connection->answer);
        error(ctx, &connection->request, err, &connection->answer);
    }
}

bool http_server_release(struct http_server *server)
{
    server->held_count = 0;
    resume(server, &server->held);
    return server->held_count > 0;
}

void http_server_fail(struct http_server *server, const struct err *err, http_error_fn *error,
                      void *ctx)
{
    replace(&server->held, err, error, ctx);
    http_server_release(server);
}

void http_server_put_aside(struct http_server *server)
{
    TAILQ_CONCAT(&server->aside, &server->held, entry);
    server->held_count = 0;
}

void http_server_call_up(struct http_server *server)
{
    TAILQ_CONCAT(&server->called, &server->aside, entry);
}

void http_server_release_called(struct http_server *server)
{
    resume(server, &server->called);
}

void http_server_fail_called(struct http_server *server, const struct err *err,
                             http_error_fn *error, void *ctx)
{
    replace(&server->called, err, error, ctx);
    http_server_release_called(server);
}

/* What is held promises what may not be durable. */
static void refuse_held(struct http_server *server)
{
    struct http_connection *connection;

    http_server_put_aside(server);
    http_server_call_up(server);
    TAILQ_FOREACH (connection, &server->called, entry) {
        empty_answer(&connection->answer);
        connection->answer.status = MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    http_server_release_called(server);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    server->closing = true;
    loop_remove(server->loop, server->source);
    loop_remove(server->loop, server->timer);
    server->timer = NULL;
    /* A suspended connection must be woken before the daemon can stop. */
    while (!TAILQ_EMPTY(&server->waiting))
        http_request_answered(&TAILQ_FIRST(&server->waiting)->request);
    refuse_held(server);
    http_streams_end(server);
    if (server->mhd != NULL)
        MHD_stop_daemon(server->mhd);
    while (server->spare_count > 0)
        arena_free(server->spare[--server->spare_count]);
    free(server);
}
