/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 for roles, on a Unix socket behind the gateway (libmicrohttpd, on the role's own loop),
 * and a small blocking client.
 *
 * A request is handled in two steps. The handler runs when the whole request is there and fills in
 * the answer; the answer is held back until http_server_release(), which a role calls from its
 * batch hook when everything that the answer promises is durable. When that failed,
 * http_server_fail() turns all held answers into the error. A handler that has nothing to make
 * durable may release its own answer.
 */
#ifndef DRUN_HTTP_HTTP_H
#define DRUN_HTTP_HTTP_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "loop/loop.h"

enum {
    HTTP_BODY_MAX = 3 * 1024 * 1024, /* Kubernetes' own ceiling for a request */
    HTTP_ARENA_MAX = 16 * 1024 * 1024,
    HTTP_ANSWER_MAX = 64 * 1024 * 1024,
};

struct http_connection;
struct http_header;
struct http_stream;

struct http_request {
    const char *method; /* "GET" */
    const char *path;   /* decoded, begins with "/", without the query */
    struct span body;
    struct arena *arena;                /* lives until the answer is sent */
    struct http_connection *connection; /* for the functions below */
};

/* NULL when it is not there. Header names compare without case. A query value is decoded; "" for a
 * name without a value. A name that comes twice gives the first. */
const char *http_request_header(const struct http_request *request, const char *name);
const char *http_request_query(const struct http_request *request, const char *name);
/* Calls fn for each query argument in order, also for those that come twice. */
typedef void http_query_fn(void *ctx, const char *name, const char *value);
void http_request_each_query(const struct http_request *request, http_query_fn *fn, void *ctx);
/* How often a query argument or header comes. */
size_t http_request_query_count(const struct http_request *request, const char *name);
size_t http_request_header_count(const struct http_request *request, const char *name);
/* The name-value pairs of an application/x-www-form-urlencoded body, decoded into the arena. */
int http_request_each_form(const struct http_request *request, http_query_fn *fn, void *ctx,
                           struct err *err) MUST_USE;
/* The uid at the other end of the Unix socket; for the operator's own socket. */
int http_request_peer_uid(const struct http_request *request, unsigned *uid,
                          struct err *err) MUST_USE;

/* The handler has no answer yet, because it waits for something else than the disk: the connection
 * stays, and the answer is held back from http_request_answered() on. Every request put off must be
 * answered, also one whose client is gone by then, but not after http_server_free(). */
void http_request_later(const struct http_request *request);
void http_request_answered(const struct http_request *request);

struct http_answer {
    unsigned status;
    struct buf body;
    struct http_stream *stream;  /* set by http_answer_stream() */
    struct http_header *headers; /* a list in the request's arena */
    const char *instead; /* for http_error_fn: where a browser goes then; in the arena, or NULL */
    struct arena *arena;
};

/* Copies both. */
void http_answer_header(struct http_answer *answer, const char *name, const char *value);
/* Makes the answer one that goes on: what http_stream_write() is given is sent at once, until
 * http_stream_end(). on_close runs once, when the client is gone or after the end; the stream must
 * not be used after it. */
struct http_stream *http_answer_stream(struct http_answer *answer, loop_fn *on_close, void *ctx);
/* Bytes that a slow client has not taken yet are kept up to 4 MiB; past that the stream is cut and
 * on_close runs later from the loop. */
void http_stream_write(struct http_stream *stream, struct span bytes);
void http_stream_end(struct http_stream *stream);

typedef void http_handler_fn(void *ctx, const struct http_request *request,
                             struct http_answer *answer);

struct http_server;

/* Takes *listen_fd, which is bound and listening, when it succeeds. */
int http_server_new(struct loop *loop, int *listen_fd, http_handler_fn *handler, void *ctx,
                    struct http_server **out, struct err *err) MUST_USE;
void http_server_free(struct http_server *server);
/* Sends what is held back. True when requests that came in meanwhile are held again: they are for
 * the next turn of the loop, which the caller makes come at once (http_server_wake()), or a client
 * that always has one more request keeps the loop from all else. */
bool http_server_release(struct http_server *server);
/* In three steps, so that what comes later never leaves with what came before: what is held now is
 * put aside, and what is answered from then on is held; what is aside is called up, and what is put
 * aside from then on is not; what was called up leaves. The first two add to what is there. */
void http_server_put_aside(struct http_server *server);
void http_server_call_up(struct http_server *server);
void http_server_release_called(struct http_server *server);
/* Makes the next turn of the loop come at once. */
void http_server_wake(struct http_server *server);
/* How many answers are held back. */
size_t http_server_held(const struct http_server *server);
/* Replaces every held answer, or every one called up, by one that `error` makes of it, and sends
 * it.
 */
typedef void http_error_fn(void *ctx, const struct http_request *request, const struct err *err,
                           struct http_answer *answer);
void http_server_fail(struct http_server *server, const struct err *err, http_error_fn *error,
                      void *ctx);
void http_server_fail_called(struct http_server *server, const struct err *err,
                             http_error_fn *error, void *ctx);

#endif
