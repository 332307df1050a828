/* SPDX-License-Identifier: Apache-2.0 */
/* The audit records of a batch. */
#include "base/mem.h"
#include "base/num.h"
#include "serve/serve_internal.h"

void serve_record(struct serve *serve, const struct audit_event *event)
{
    if (serve->record_count == serve->record_room) {
        size_t room = serve->record_room == 0 ? 16 : 2 * serve->record_room;
        serve->records = mem_resize_array(serve->records, room, sizeof(*serve->records));
        for (size_t i = serve->record_room; i < room; i++)
            serve->records[i] = (struct buf)BUF_INIT(AUDIT_EVENT_MAX);
        serve->record_room = room;
    }
    struct buf *record = &serve->records[serve->record_count++];
    buf_reset(record);
    audit_event_put(event, record);
}

static int send(struct serve *serve, const struct audit_event *events, size_t count,
                struct err *err)
{
    const struct serve_config *config = &serve->config;

    if (config->record != NULL)
        return config->record(config->ctx, events, count, err);
    return audit_send(role_peer(config->role, ROLE_AUDIT), events, count, err);
}

/* Every record anchors the store: a store that later opens at an older revision was rolled back. */
static int send_records(struct serve *serve, struct err *err)
{
    CLEANUP_FREE struct audit_event *events =
        mem_new_array(NUM_MIN(serve->record_count, (size_t)AUDIT_SEND_MAX), sizeof(*events));
    struct store_head head = {0};

    if (serve->config.store != NULL)
        store_head(serve->config.store, &head);
    for (size_t done = 0; done < serve->record_count;) {
        size_t count = NUM_MIN(serve->record_count - done, (size_t)AUDIT_SEND_MAX);
        for (size_t i = 0; i < count; i++) {
            TRY(audit_event_parse(buf_span(&serve->records[done + i]), &events[i], err));
            events[i].anchor_revision = (uint64_t)head.revision;
        }
        TRY(send(serve, events, count, err));
        done += count;
    }
    return 0;
}

int serve_flush(struct serve *serve, struct err *err)
{
    struct store *store = serve->config.store;
    int recorded = serve->record_count > 0 ? send_records(serve, err) : 0;

    serve->record_count = 0;
    if (recorded < 0) {
        if (store != NULL)
            store_discard(store);
        return err_wrap(err, "nothing was changed, because the audit log cannot be written");
    }
    if (store == NULL || !store_needs_flush(store))
        return 0;
    return store_flush(store, err);
}

struct span serve_keep(struct serve_request *request, const char *text)
{
    char *copy = arena_strdup(request->http->arena, text);

    return span_str(copy == NULL ? "" : copy);
}
