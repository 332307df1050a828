/* SPDX-License-Identifier: Apache-2.0 */
/* Between lib/http and lib/kube: requests, answers, watches. */
#include "base/mem.h"
#include "serve/serve_internal.h"

#include <stdlib.h>

void serve_answer(struct serve_request *request, unsigned status, const char *content_type)
{
    request->answer->status = status;
    if (content_type != NULL)
        http_answer_header(request->answer, "Content-Type", content_type);
}

void serve_answer_error(struct serve_request *request, const struct err *err)
{
    struct kube_answer status = {.body = BUF_INIT(KUBE_ANSWER_MAX)};

    kube_answer_error(&status, err);
    buf_reset(&request->answer->body);
    buf_put_span(&request->answer->body, buf_span(&status.body));
    buf_free(&status.body);
    serve_answer(request, status.status, status.content_type);
}

/* ------------------------------------------------------------------ watches */

struct link {
    struct kube_watch *watch;
    struct http_stream *stream;
};

static void on_bytes(void *ctx, struct span bytes)
{
    struct link *link = ctx;

    http_stream_write(link->stream, bytes);
}

static void on_end(void *ctx)
{
    struct link *link = ctx;

    http_stream_end(link->stream);
}

static void on_close(void *ctx)
{
    struct link *link = ctx;

    kube_watch_free(link->watch);
    free(link);
}

static void start_watch(struct http_answer *answer, struct kube_watch *watch)
{
    struct link *link = mem_new(sizeof(*link));

    link->watch = watch;
    link->stream = http_answer_stream(answer, on_close, link);
    kube_watch_start(watch, on_bytes, on_end, link);
}

/* ------------------------------------------------------------------ requests */

static const char *query_of(const struct kube_request *ask, const char *name)
{
    const struct serve_request *request = ask->query_ctx;
    const char *given = http_request_query(request->http, name);

    if (request->only == NULL || strcmp(name, "fieldSelector") != 0)
        return given;
    if (given == NULL || given[0] == '\0')
        return request->only;
    const char *both = arena_printf(ask->arena, "%s,%s", given, request->only);
    /* Without room for it nothing may be shown that was not allowed. */
    return both == NULL ? "metadata.name=" : both;
}

static const struct kube_principal *principal_of(const struct serve_request *request)
{
    const struct auth_principal *from = request->principal;
    struct arena *arena = request->http->arena;
    struct kube_principal *to = arena_alloc(arena, sizeof(*to));
    const char **groups = arena_alloc_array(arena, from->group_count + 1, sizeof(*groups));

    if (to == NULL || groups == NULL)
        return NULL;
    for (size_t i = 0; i < from->group_count; i++)
        groups[i] = (const char *)auth_text(from, from->groups[i]).p;
    to->name = (const char *)auth_text(from, from->name).p;
    to->uid = (const char *)auth_text(from, from->uid).p;
    to->groups = groups;
    return to;
}

static void put_answer(struct http_answer *answer, struct kube_answer *from)
{
    char seconds[16];

    answer->status = from->status;
    if (from->content_type != NULL)
        http_answer_header(answer, "Content-Type", from->content_type);
    for (size_t i = 0; i < from->warning_count; i++)
        http_answer_header(answer, "Warning", from->warnings[i]);
    if (from->retry_after_sec > 0) {
        snprintf(seconds, sizeof(seconds), "%u", from->retry_after_sec);
        http_answer_header(answer, "Retry-After", seconds);
    }
    answer->body = from->body;
    if (from->watch != NULL)
        start_watch(answer, from->watch);
}

static const char *no_query(const struct kube_request *ask UNUSED, const char *name UNUSED)
{
    return NULL;
}

void serve_call_kube(struct serve_request *request, const char *method, const char *path,
                     struct span body, struct kube_answer *answer)
{
    struct serve *serve = request->serve;
    struct kube_request ask = {
        .method = method,
        .path = path,
        .query = no_query,
        .body = body,
        .principal = principal_of(request),
        .arena = request->http->arena,
    };
    struct err err = ERR_INIT;

    if (arena_check(request->http->arena, "the request", &err) < 0) {
        kube_answer_error(answer, &err);
        return;
    }
    serve->current = request;
    kube_serve(serve->kube, &ask, answer);
    serve->current = NULL;
}

void serve_by_kube(struct serve_request *request)
{
    const struct http_request *http = request->http;
    struct serve *serve = request->serve;
    struct kube_request ask = {
        .method = http->method,
        .path = http->path,
        .query = query_of,
        .query_ctx = request,
        .accept = http_request_header(http, "Accept"),
        .content_type = http_request_header(http, "Content-Type"),
        .body = http->body,
        .principal = principal_of(request),
        .arena = http->arena,
    };
    struct kube_answer answer = {.body = request->answer->body};
    struct err err = ERR_INIT;

    if (arena_check(http->arena, "the request", &err) < 0) {
        serve_answer_error(request, &err);
        return;
    }
    serve->current = request;
    kube_serve(serve->kube, &ask, &answer);
    serve->current = NULL;
    put_answer(request->answer, &answer);
}
