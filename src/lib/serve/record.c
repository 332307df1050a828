/* SPDX-License-Identifier: Apache-2.0 */
/* The audit records of a batch. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "log/log.h"
#include "serve/serve_internal.h"

#include <stdlib.h>

enum { UNDONE_MAX = 4096, ROOM_FIRST = 16 };

static void keep(struct serve_records *records, const struct audit_event *event)
{
    if (records->count == records->room) {
        size_t room = records->room == 0 ? ROOM_FIRST : 2 * records->room;
        records->items = mem_resize_array(records->items, room, sizeof(*records->items));
        for (size_t i = records->room; i < room; i++)
            records->items[i] = (struct buf)BUF_INIT(AUDIT_EVENT_MAX);
        records->room = room;
    }
    struct buf *record = &records->items[records->count++];
    buf_reset(record);
    audit_event_put(event, record);
}

/* Every record anchors the store: a store that later opens at an older revision was rolled back.
 * What is durable before this batch is so when the record is sent. */
static void keep_anchored(struct serve *serve, struct serve_records *records,
                          const struct audit_event *event)
{
    struct audit_event anchored = *event;
    struct store_stats stats = {0};

    if (serve->config.store != NULL)
        store_stats(serve->config.store, &stats);
    anchored.anchor_revision = (uint64_t)stats.durable_revision;
    keep(records, &anchored);
}

void serve_record(struct serve *serve, const struct audit_event *event)
{
    keep_anchored(serve, &serve->records, event);
}

bool serve_has_records(const struct serve *serve)
{
    return serve->records.count > 0 || serve->undone.count > 0;
}

void serve_records_free(struct serve_records *records)
{
    for (size_t i = 0; i < records->room; i++)
        buf_free(&records->items[i]);
    free(records->items);
    *records = (struct serve_records){0};
}

/* For the audit role, which records its own. */
static int record_own(struct serve *serve, const struct buf *records, size_t count, struct err *err)
{
    CLEANUP_FREE struct audit_event *events = mem_new_array(count, sizeof(*events));

    for (size_t i = 0; i < count; i++)
        TRY(audit_event_parse(buf_span(&records[i]), &events[i], err));
    return serve->config.record(serve->config.ctx, events, count, err);
}

/* `sent` gets how many the log may have. */
static int send_records(struct serve *serve, const struct serve_records *records, size_t *sent,
                        struct err *err)
{
    for (*sent = 0; *sent < records->count;) {
        const struct buf *first = &records->items[*sent];
        size_t count = NUM_MIN(records->count - *sent, (size_t)AUDIT_SEND_MAX);
        *sent += count; /* also when it fails: the answer may be what was lost */
        if (serve->config.record != NULL)
            TRY(record_own(serve, first, count, err));
        else
            TRY(audit_send_encoded(role_peer(serve->config.role, ROLE_AUDIT), first, count, err));
    }
    return 0;
}

/* ------------------------------------------------------------------ what was not done after all */

/* The record that takes another one back: of the same actor, action and request. */
static void undo(struct serve *serve, const struct buf *record, const struct err *why)
{
    CLEANUP_FREE char *reason = mem_printf("the request was answered 503 and nothing of it is "
                                           "stored, whatever its record says: %s",
                                           why->msg);
    struct audit_event event;
    struct err err = ERR_INIT;

    INVARIANT(audit_event_parse(buf_span(record), &event, &err) == 0);
    if (event.outcome != AUDIT_SUCCESS)
        return;
    if (serve->undone.count >= UNDONE_MAX) {
        serve->undone_more++;
        return;
    }
    event.event = span_str(AUDIT_UNDONE);
    event.time_ns = clock_wall_ns();
    event.outcome = AUDIT_FAILURE;
    event.status = 503;
    event.reason = span_str(reason);
    keep_anchored(serve, &serve->undone, &event);
}

/* Those that found no place of their own. */
static void count_the_rest(struct serve *serve)
{
    CLEANUP_FREE char *reason =
        mem_printf("%llu further requests were answered 503 and nothing of them is stored, "
                   "whatever their records say",
                   (unsigned long long)serve->undone_more);
    struct audit_event event = {.time_ns = clock_wall_ns(),
                                .event = span_str(AUDIT_UNDONE),
                                .outcome = AUDIT_FAILURE,
                                .status = 503,
                                .reason = span_str(reason)};

    if (serve->undone_more > 0)
        keep_anchored(serve, &serve->undone, &event);
    serve->undone_more = 0;
}

/* Before any other record: who reads the log in order sees the success and then, with nothing of
 * this role between, that it was none. What fails here is sent again with the next batch. */
static int send_undone(struct serve *serve, struct err *err)
{
    size_t sent;

    if (serve->undone.count == 0)
        return 0;
    count_the_rest(serve);
    TRY(send_records(serve, &serve->undone, &sent, err));
    serve->undone.count = 0;
    return 0;
}

void serve_undo(struct serve *serve, const struct serve_records *records, size_t count,
                const struct err *why)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < count; i++)
        undo(serve, &records->items[i], why);
    if (send_undone(serve, &err) < 0)
        log_error("serve.undone", &err);
}

/* ------------------------------------------------------------------ the batch */

static int record_batch(struct serve *serve, size_t *sent, struct err *err)
{
    TRY(send_undone(serve, err));
    if (serve->records.count == 0)
        return 0;
    return send_records(serve, &serve->records, sent, err);
}

static int make_durable(struct serve *serve, size_t *sent, struct err *err)
{
    struct store *store = serve->config.store;

    if (record_batch(serve, sent, err) < 0) {
        if (store != NULL)
            store_discard(store);
        return err_wrap(err, "nothing was changed, because the audit log cannot be written");
    }
    if (store == NULL || !store_needs_flush(store))
        return 0;
    return store_flush(store, err);
}

int serve_flush(struct serve *serve, struct err *err)
{
    size_t sent = 0;
    int done = make_durable(serve, &sent, err);

    if (done < 0)
        serve_undo(serve, &serve->records, sent, err);
    serve->records.count = 0;
    return done;
}

struct span serve_keep(struct serve_request *request, const char *text)
{
    char *copy = arena_strdup(request->http->arena, text);

    return span_str(copy == NULL ? "" : copy);
}
