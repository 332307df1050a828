/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that goes on: bytes are queued here, and the connection sleeps (suspended) while the
 * queue is empty. */
#include "base/mem.h"
#include "base/num.h"
#include "http/http_internal.h"

#include <stdlib.h>

enum { QUEUE_MAX = 4 * 1024 * 1024, BLOCK_BYTES = 16 * 1024 };

struct http_stream {
    struct http_connection *connection;
    struct buf queue;
    size_t sent; /* of the queue */
    bool ended;
    bool asleep;
    loop_fn *on_close;
    void *ctx;
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
    loop_rearm(stream->connection->server->timer, 0, 0);
}

void http_stream_write(struct http_stream *stream, struct span bytes)
{
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

void http_stream_attach(struct http_stream *stream, struct http_connection *connection)
{
    stream->connection = connection;
}

void http_stream_closed(struct http_stream *stream)
{
    if (stream->on_close != NULL)
        stream->on_close(stream->ctx);
    buf_free(&stream->queue);
    free(stream);
}
