/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#ifndef DRUN_HTTP_HTTP_INTERNAL_H
#define DRUN_HTTP_HTTP_INTERNAL_H

#include "http/http.h"

#include <microhttpd.h>
#include <sys/queue.h>

enum { HTTP_SPARE_MAX = 64, HTTP_SPARE_BYTES = 8 * 1024 /* of each, at most */ };

struct http_header {
    struct http_header *next;
    char *name;
    char *value;
};

/* One request on one connection, from its first line until it is answered. */
struct http_connection {
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct http_request request;
    struct buf body;
    struct http_answer answer;
    bool handled;
    bool later; /* put off: in `waiting` instead of `held` */
    bool held;  /* in `held`, `aside` or `called` */
    TAILQ_ENTRY(http_connection) entry;
};

TAILQ_HEAD(http_connection_list, http_connection);

struct http_server {
    struct loop *loop;
    struct loop_source *source;
    struct loop_source *timer;
    struct MHD_Daemon *mhd;
    http_handler_fn *handler;
    void *ctx;
    struct http_connection_list held;
    struct http_connection_list aside;
    struct http_connection_list called;
    struct http_connection_list waiting;
    size_t held_count;
    struct arena *spare[HTTP_SPARE_MAX]; /* wiped, for the next requests */
    size_t spare_count;
    LIST_HEAD(, http_stream) streams; /* those that clients get */
    bool closing;
};

/* The response of a stream; it frees the stream at its end. */
struct MHD_Response *http_stream_response(struct http_stream *stream);
/* From here on a write wakes this connection, and so does the client when it goes away: a
 * connection that sleeps is not looked at. */
void http_stream_attach(struct http_stream *stream, struct http_connection *connection);
/* Ends every stream of a server that is going away. */
void http_streams_end(struct http_server *server);
/* Its request is over, whatever the reason: calls on_close and frees it. */
void http_stream_closed(struct http_stream *stream);

/* Decodes %XX and '+' of one name or value; NULL when it is malformed or holds NUL. */
char *http_form_decode(struct span text, struct arena *arena);

/* Is there a NUL in a parameter of the query? As a text it would end there, and be another one than
 * was sent. */
bool http_request_has_nul(const struct http_request *request);

#endif
