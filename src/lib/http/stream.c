/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that goes on: bytes are queued here, and the connection sleeps (suspended) while the
 * queue is empty. */
#include "base/mem.h"
#include "base/num.h"
#include "http/http_internal.h"
#include "log/log.h"

#include <stdlib.h>
#include <sys/epoll.h>

enum { QUEUE_MAX = 4 * 1024 * 1024, BLOCK_BYTES = 16 * 1024 };

struct http_stream {
    struct http_connection *connection;
    struct buf queue;
    struct loop_source *hangup;
    size_t sent; /* of the queue */
    bool ended;
    bool gone; /* the client is */
    bool asleep;
    loop_fn *on_close;
    void *ctx;
    LIST_ENTRY(http_stream) entry; /* when attached */
};

struct http_stream *http_answer_stream(struct http_answer *answer, loop_fn *on_close, void *ctx)
{
    struct http_stream *stream = mem_new(sizeof(*stream));

    *stream = (struct http_stream){.queue = BUF_INIT(QUEUE_MAX), .on_close = on_close, .ctx = ctx};
    answer->stream = stream;
    return stream;
}

static ssize_t give(void *ctx, uint64_t pos UNUSED, char *out, size_t max)
{
    struct http_stream *stream = ctx;
    size_t count = NUM_MIN(stream->queue.len - stream->sent, max);

    if (stream->gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (count == 0 && (stream->ended || stream->queue.overflowed))
        return stream->ended ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    if (count == 0) {
        stream->asleep = true;
        MHD_suspend_connection(stream->connection->mhd);
        return 0;
    }
    memcpy(out, stream->queue.data + stream->sent, count);
    stream->sent += count;
    if (stream->sent == stream->queue.len) {
        bool overflowed = stream->queue.overflowed;
        buf_reset(&stream->queue);
        stream->queue.overflowed = overflowed;
        stream->sent = 0;
    }
    return (ssize_t)count;
}

struct MHD_Response *http_stream_response(struct http_stream *stream)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, give, stream, NULL);
}

static void wake(struct http_stream *stream)
{
    if (!stream->asleep)
        return;
    stream->asleep = false;
    MHD_resume_connection(stream->connection->mhd);
    /* The resumed connection is looked at in the next turn of the loop, which must not sleep till
     * then. */
    http_server_wake(stream->connection->server);
}

/* Makes room of what was sent, when it is most of the queue or the room is needed. */
static void forget_sent(struct http_stream *stream, size_t more)
{
    struct buf *queue = &stream->queue;
    size_t left = queue->len - stream->sent;

    if (stream->sent == 0 || (stream->sent < left && queue->len + more <= QUEUE_MAX))
        return;
    memmove(queue->data, queue->data + stream->sent, left);
    queue->len = left;
    stream->sent = 0;
}

void http_stream_write(struct http_stream *stream, struct span bytes)
{
    forget_sent(stream, bytes.len);
    buf_put_span(&stream->queue, bytes);
    if (stream->connection != NULL)
        wake(stream);
}

void http_stream_end(struct http_stream *stream)
{
    stream->ended = true;
    if (stream->connection != NULL)
        wake(stream);
}

/* Only that both directions are closed: a client may say early that it has nothing more to ask. */
static void on_hangup(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct http_stream *stream = ctx;

    loop_remove(stream->connection->server->loop, stream->hangup);
    stream->hangup = NULL;
    stream->gone = true;
    wake(stream);
}

void http_stream_attach(struct http_stream *stream, struct http_connection *connection)
{
    struct http_server *server = connection->server;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct err err = ERR_INIT;

    stream->connection = connection;
    LIST_INSERT_HEAD(&server->streams, stream, entry);
    INVARIANT(info != NULL);
    if (loop_add_fd(server->loop, info->connect_fd, EPOLLHUP, on_hangup, stream, &stream->hangup,
                    &err) < 0)
        log_error("http.stream", &err); /* it is then noticed with the next write */
}

void http_streams_end(struct http_server *server)
{
    struct http_stream *stream;

    LIST_FOREACH (stream, &server->streams, entry)
        http_stream_end(stream);
}

void http_stream_closed(struct http_stream *stream)
{
    if (stream->on_close != NULL)
        stream->on_close(stream->ctx);
    if (stream->connection != NULL) {
        LIST_REMOVE(stream, entry);
        loop_remove(stream->connection->server->loop, stream->hangup);
    }
    buf_free_wiped(&stream->queue); /* a watch may be of secrets */
    free(stream);
}
