/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of server-sent events, event by event. */
#include "openai/answer.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 4096 };

void openai_events_free(struct openai_events *events)
{
    free(events->held);
    *events = (struct openai_events){0};
}

/* The end of the line at p, and where the next one begins; NULL when the line may go on. */
static const uint8_t *line_end(const uint8_t *p, const uint8_t *end, const uint8_t **next)
{
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    if (p == end || (*p == '\r' && p + 1 == end))
        return NULL;
    *next = p + (*p == '\r' && p[1] == '\n' ? 2 : 1);
    return p;
}

/* Behind the event that the line at *line is in; NULL when it does not end here, and *line is then
 * the one that may go on. */
static const uint8_t *event_end(const uint8_t **line, const uint8_t *end)
{
    const uint8_t *next;

    for (const uint8_t *stop; (stop = line_end(*line, end, &next)) != NULL; *line = next)
        if (stop == *line)
            return next;
    return NULL;
}

static struct span data_of(const uint8_t *line, const uint8_t *stop)
{
    static const char field[] = "data:";
    size_t len = (size_t)(stop - line);

    if (len < sizeof(field) - 1 || memcmp(line, field, sizeof(field) - 1) != 0)
        return (struct span){0};
    line += sizeof(field) - 1;
    line += line < stop && *line == ' ';
    return span_of(line, (size_t)(stop - line));
}

/* Most events have one line of data, which is where it is. */
static bool one_event(const uint8_t *p, const uint8_t *end, openai_event_fn *fn, void *ctx)
{
    CLEANUP(buf_free) struct buf joined = BUF_INIT(OPENAI_EVENT_MAX);
    struct span data = {0};
    const uint8_t *next = p;

    for (const uint8_t *stop; p < end && (stop = line_end(p, end, &next)) != NULL; p = next) {
        struct span line = data_of(p, stop);
        if (line.p == NULL)
            continue;
        if (data.p == NULL) {
            data = line;
            continue;
        }
        if (joined.len == 0)
            buf_put_span(&joined, data);
        buf_put_u8(&joined, '\n');
        buf_put_span(&joined, line);
        data = buf_span(&joined);
    }
    return fn(ctx, data.p == NULL ? span_of("", 0) : data);
}

static bool hold(struct openai_events *events, const uint8_t *p, size_t len)
{
    if (len > OPENAI_EVENT_MAX - events->len)
        return false;
    if (events->len + len > events->room) {
        events->room = NUM_MAX(NUM_MAX(2 * events->room, (size_t)ROOM_FIRST), events->len + len);
        events->held = mem_resize_array(events->held, events->room, 1);
    }
    if (len > 0)
        memcpy(events->held + events->len, p, len);
    events->len += len;
    return true;
}

/* The last bytes of what is held and the first that came may make an end together. */
static bool complete_held(struct openai_events *events, struct span *bytes, openai_event_fn *fn,
                          void *ctx)
{
    size_t before = events->len;

    if (before == 0)
        return true;
    if (!hold(events, bytes->p, bytes->len))
        return false;
    const uint8_t *line = events->held + events->line;
    const uint8_t *end = event_end(&line, events->held + events->len);
    if (end == NULL) {
        events->line = (size_t)(line - events->held);
        *bytes = span_of("", 0);
        return true;
    }
    size_t used = (size_t)(end - events->held) - before;
    *bytes = span_of(bytes->p + used, bytes->len - used);
    events->len = 0;
    return one_event(events->held, end, fn, ctx);
}

bool openai_events_feed(struct openai_events *events, struct span bytes, openai_event_fn *fn,
                        void *ctx)
{
    if (!complete_held(events, &bytes, fn, ctx))
        return false;
    const uint8_t *p = bytes.p;
    const uint8_t *end = bytes.p + bytes.len;
    const uint8_t *line = p;
    for (const uint8_t *stop; (stop = event_end(&line, end)) != NULL; p = line = stop)
        if (!one_event(p, stop, fn, ctx))
            return false;
    if (p < end)
        events->line = (size_t)(line - p);
    return hold(events, p, (size_t)(end - p));
}
