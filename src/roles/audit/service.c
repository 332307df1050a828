/* SPDX-License-Identifier: Apache-2.0 */
#include "service_internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"

#include <fcntl.h>
#include <stdlib.h>

enum { TICK_MS = 1000, RETENTION_TICKS = 3600 };

/* ------------------------------------------------------------------ opening */

static int open_log(struct audit_service *service, struct err *err)
{
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, service->dir, err);
    struct audit_log_config config = service->config.log;
    struct note_keys signers;

    TRY(dir_fd);
    TRY(audit_service_signers(service, &signers, err));
    config.signers = &signers;
    return audit_log_open(&dir_fd, &config, &service->log, err);
}

static void on_tick(void *ctx)
{
    audit_service_tick(ctx);
}

int audit_service_new(const struct audit_service_config *config, struct audit_service **out,
                      struct err *err)
{
    CLEANUP(audit_service_free_ptr) struct audit_service *service = mem_new(sizeof(*service));
    struct err why = ERR_INIT;

    service->config = *config;
    service->dir = mem_strdup(config->dir);
    service->uses = key_uses_new();
    if (open_log(service, &why) < 0) {
        if (why.code != ERR_UNAVAILABLE) {
            *err = why;
            return -1;
        }
        log_error("audit.open", &why);
    }
    TRY(loop_add_timer(config->loop, TICK_MS, TICK_MS, on_tick, service, &service->timer, err));
    loop_add_batch(config->loop, service_flush, service);
    *out = service;
    service = NULL;
    return 0;
}

void audit_service_free(struct audit_service *service)
{
    struct err err = ERR_INIT;

    if (service == NULL)
        return;
    if (service->log != NULL && audit_log_checkpoint(service->log, &err) < 0)
        log_error("audit.checkpoint", &err);
    loop_remove(service->config.loop, service->timer);
    for (size_t i = 0; i < service->ring_count; i++)
        service_close_ring(&service->ring[i]);
    free(service->ring);
    for (size_t i = 0; i < service->pending_count; i++)
        free(service->pending[i].body);
    free(service->pending);
    free(service->events);
    key_uses_free(service->uses);
    audit_log_close(service->log);
    free(service->dir);
    free(service);
}

void audit_service_free_ptr(struct audit_service **service)
{
    audit_service_free(*service);
}

struct audit_log *audit_service_log(struct audit_service *service)
{
    return service->log;
}

int audit_service_signers(struct audit_service *service, struct note_keys *out, struct err *err)
{
    const struct audit_log_config *log = &service->config.log;

    if (service->config.load_signers != NULL)
        return service->config.load_signers(log->keys.ctx, out, err);
    *out = *log->signers;
    return 0;
}

/* ------------------------------------------------------------------ from the roles */

static int parse_events(struct audit_service *service, struct span body, const char *role,
                        struct err *err)
{
    struct cursor cursor = cursor_of(body);
    uint16_t count = cursor_u16(&cursor);
    size_t start = service->event_count;

    if (count == 0)
        return err_set(err, ERR_INVALID, "a message without audit events");
    for (uint16_t i = 0; i < count && !cursor.failed; i++) {
        struct audit_event *event = service_new_event(service);
        struct span bytes = cursor_block(&cursor);
        if (!cursor.failed && audit_event_parse(bytes, event, err) < 0) {
            service->event_count = start;
            return -1;
        }
        event->role = span_str(role);
    }
    if (cursor_done(&cursor, "a message of audit events", err) < 0) {
        service->event_count = start;
        return -1;
    }
    return 0;
}

struct audit_event *service_new_event(struct audit_service *service)
{
    if (service->event_count == service->event_room) {
        service->event_room = service->event_room == 0 ? 256 : service->event_room * 2;
        service->events =
            mem_resize_array(service->events, service->event_room, sizeof(*service->events));
    }
    struct audit_event *event = &service->events[service->event_count++];
    *event = (struct audit_event){0};
    return event;
}

int audit_service_append(struct audit_service *service, struct ipc_request *request,
                         struct err *err)
{
    uint8_t *body;

    if (service->log == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the audit log is not open yet");
    if (request->body.len == 0)
        return err_set(err, ERR_INVALID, "a message without audit events");
    body = mem_new(request->body.len);
    memcpy(body, request->body.p, request->body.len);
    size_t start = service->event_count;
    if (parse_events(service, span_of(body, request->body.len),
                     service->config.peer_name(request->peer), err) < 0) {
        free(body);
        return -1;
    }
    service->pending =
        mem_resize_array(service->pending, service->pending_count + 1, sizeof(*service->pending));
    service->pending[service->pending_count++] =
        (struct pending){.ticket = request->ticket, .body = body, .first = start};
    return IPC_LATER;
}

/* ------------------------------------------------------------------ the batch */

static void answer_pending(struct audit_service *service, uint64_t first, const struct err *failed)
{
    for (size_t i = 0; i < service->pending_count; i++) {
        struct pending *pending = &service->pending[i];
        uint8_t room[9];
        struct buf reply = {.data = room, .cap = sizeof(room), .max = 8};
        if (failed != NULL) {
            ipc_reply_error(&pending->ticket, failed);
        } else {
            buf_put_u64(&reply, first + pending->first);
            ipc_reply(&pending->ticket, buf_span(&reply));
        }
        free(pending->body);
    }
    service->pending_count = 0;
}

/* Everything that came in this turn: one append, then the answers. */
void service_flush(void *ctx)
{
    struct audit_service *service = ctx;
    uint64_t first = 0;
    struct err err = ERR_INIT;
    int done = 0;

    service_read_rings(service);
    if (service->event_count > 0) {
        done = service->log == NULL
                   ? err_set(&err, ERR_UNAVAILABLE, "the audit log is not open yet")
                   : audit_log_append(service->log, service->events, service->event_count, &first,
                                      &err);
        if (done < 0) {
            log_error("audit.append", &err);
            err.code = ERR_UNAVAILABLE;
        }
    }
    /* Whoever asked takes the texts of the events along. */
    for (size_t i = 0; done == 0 && i < service->event_count; i++)
        key_uses_note(service->uses, &service->events[i]);
    service_finish_rings(service, done == 0);
    answer_pending(service, first, done < 0 ? &err : NULL);
    bool appended = done == 0 && service->event_count > 0;
    service->event_count = 0;
    if (appended && service->config.appended != NULL)
        service->config.appended(service->config.appended_ctx);
}

void audit_service_take_key_uses(struct audit_service *service, struct buf *reply)
{
    key_uses_take(service->uses, IPC_BODY_MAX, reply);
}

int audit_service_record(struct audit_service *service, const struct audit_event *events,
                         size_t count, struct err *err)
{
    CLEANUP_FREE struct audit_event *own = mem_new_array(count, sizeof(*own));

    if (service->log == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the audit log is not open yet");
    for (size_t i = 0; i < count; i++) {
        own[i] = events[i];
        own[i].role = span_str("audit");
        if (own[i].time_ns == 0)
            own[i].time_ns = clock_wall_ns();
    }
    TRY(audit_log_append(service->log, own, count, NULL, err));
    if (service->config.appended != NULL)
        service->config.appended(service->config.appended_ctx);
    return 0;
}

/* ------------------------------------------------------------------ each second */

static const char *kms_event_name(enum keys_event_kind kind, enum audit_outcome *outcome)
{
    *outcome = AUDIT_SUCCESS;
    switch (kind) {
    case KEYS_EVENT_DENIED: *outcome = AUDIT_DENIED; return AUDIT_KMS_DENIED;
    case KEYS_EVENT_ROTATED: return AUDIT_KMS_ROTATE;
    case KEYS_EVENT_UNSEALED: return AUDIT_KMS_UNSEAL;
    case KEYS_EVENT_UNSEAL_FAILED: *outcome = AUDIT_FAILURE; return AUDIT_KMS_UNSEAL;
    case KEYS_EVENT_SEALED: return "drun.kms.seal";
    case KEYS_EVENT_CERTIFIED: return "drun.kms.certify";
    case KEYS_EVENT_CORRUPT: *outcome = AUDIT_FAILURE; return "drun.kms.corrupt";
    case KEYS_EVENT_FAILED: *outcome = AUDIT_FAILURE; return "drun.kms.failed";
    case KEYS_EVENT_WITHDRAWN: return "drun.kms.withdraw";
    case KEYS_EVENT_RESEALED: return "drun.kms.reseal";
    case KEYS_EVENT_KIND_COUNT: break;
    }
    return "drun.kms.event";
}

static void event_of_kms(const struct audit_service *service, const struct keys_event *from,
                         char room[2][256], struct audit_event *out)
{
    enum audit_outcome outcome;
    const char *name = kms_event_name(from->kind, &outcome);
    bool nobody = from->peer == KEYS_EVENT_NOBODY;

    snprintf(room[0], 256, "system:drun:%s",
             nobody ? "kms" : service->config.peer_name(from->peer));
    snprintf(room[1], 256, "%s", from->subject);
    if (from->times > 1)
        snprintf(room[1], 256, "%s (%u times)", from->subject, from->times);
    *out = (struct audit_event){
        .time_ns = from->last_ns,
        .event = span_str(name),
        .role = span_str("kms"),
        .outcome = outcome,
        .actor = {.name = span_str(room[0]), .source = AUDIT_SOURCE_ROLE},
        .reason = span_str(room[1]),
    };
}

/* Each call acknowledges what the one before it gave, so that comes when it is durable. */
static int fetch_kms(struct audit_service *service, struct err *err)
{
    struct keys_event from[KEYS_EVENTS_MAX];
    struct audit_event events[KEYS_EVENTS_MAX];
    char rooms[KEYS_EVENTS_MAX][2][256];
    size_t count;

    do {
        TRY(keys_events(service->config.kms, &service->mark, from, &count, err));
        for (size_t i = 0; i < count; i++)
            event_of_kms(service, &from[i], rooms[i], &events[i]);
        if (count > 0)
            TRY(audit_log_append(service->log, events, count, NULL, err));
    } while (count > 0);
    return 0;
}

static void apply_retention(struct audit_service *service)
{
    struct err err = ERR_INIT;

    if (service->config.retention_sec == 0 || service->ticks % RETENTION_TICKS != 1)
        return;
    uint64_t now_ns = clock_wall_ns();
    uint64_t keep_ns = service->config.retention_sec * 1000000000ULL;
    if (keep_ns < now_ns && audit_log_drop_before(service->log, now_ns - keep_ns, &err) < 0)
        log_error("audit.retention", &err);
}

/* A trouble is said when it begins and when another one does, not each second. */
static void say_once(struct audit_service *service, const char *event, const struct err *err)
{
    if (strcmp(service->said, err->msg) == 0)
        return;
    snprintf(service->said, sizeof(service->said), "%s", err->msg);
    log_error(event, err);
}

void audit_service_tick(struct audit_service *service)
{
    struct err err = ERR_INIT;

    service->ticks++;
    if (service->log == NULL && open_log(service, &err) < 0) {
        say_once(service, "audit.open", &err);
        return;
    }
    if (service->config.kms != NULL && fetch_kms(service, &err) < 0) {
        say_once(service, "audit.kms", &err);
        err_clear(&err);
    }
    service_note_lost(service);
    if (audit_log_checkpoint(service->log, &err) < 0)
        say_once(service, "audit.checkpoint", &err);
    else if (err.code == ERR_NONE)
        service->said[0] = '\0';
    apply_retention(service);
    if (service->config.appended != NULL)
        service->config.appended(service->config.appended_ctx);
}
