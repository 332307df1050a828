/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit.h"

#include "base/clock.h"
#include "ipc/ipc.h"

enum { COUNT_LEN = 2, BLOCK_LEN = 4 };

/* One of `pending` and `flight` is NULL. */
struct packing {
    struct ipc_client *audit;
    struct audit_pending *pending;
    struct audit_flight *flight;
    struct buf body;
    uint16_t count;
};

static void on_durable(void *ctx, struct span body UNUSED, const struct err *failed)
{
    struct audit_flight *flight = ctx;

    if (failed != NULL && flight->failed.code == ERR_NONE)
        flight->failed = *failed;
    if (--flight->packets > 0 || flight->fn == NULL)
        return;
    if (flight->failed.code != ERR_NONE)
        err_wrap(&flight->failed, "recording what happened");
    flight->fn(flight->ctx, flight->failed.code == ERR_NONE ? NULL : &flight->failed);
}

static int send_packet(struct packing *packing, struct err *err)
{
    uint32_t id;

    if (packing->flight != NULL) {
        TRY(ipc_ask(packing->audit, AUDIT_MSG_APPEND, buf_span(&packing->body), on_durable,
                    packing->flight, err));
        packing->flight->packets++;
        return 0;
    }
    TRY(ipc_send(packing->audit, AUDIT_MSG_APPEND, buf_span(&packing->body), &id, err));
    INVARIANT(packing->pending->count < AUDIT_PACKETS_MAX);
    packing->pending->id[packing->pending->count++] = id;
    return 0;
}

static int flush(struct packing *packing, struct err *err)
{
    if (packing->count == 0)
        return 0;
    packing->body.data[0] = (uint8_t)(packing->count & 0xff);
    packing->body.data[1] = (uint8_t)(packing->count >> 8);
    TRY(send_packet(packing, err));
    packing->count = 0;
    buf_reset(&packing->body);
    return 0;
}

/* A packet is made in one piece instead of by doubling. */
static void expect_all(struct packing *packing, const struct buf *encoded, size_t count)
{
    size_t bytes = COUNT_LEN;

    for (size_t i = 0; i < count; i++)
        bytes += BLOCK_LEN + encoded[i].len;
    buf_expect(&packing->body, bytes);
}

static int pack_encoded(struct packing *packing, const struct buf *wire, struct err *err)
{
    TRY(buf_check(wire, "an audit event", err));
    if (packing->body.len + BLOCK_LEN + wire->len > IPC_BODY_MAX)
        TRY(flush(packing, err));
    if (packing->count++ == 0)
        buf_put_u16(&packing->body, 0); /* flush() writes the count here */
    buf_put_block(&packing->body, buf_span(wire));
    return 0;
}

static int pack(struct packing *packing, const struct audit_event *event, struct err *err)
{
    CLEANUP(buf_free) struct buf wire = BUF_INIT(AUDIT_EVENT_MAX);
    struct audit_event timed = *event;

    if (timed.time_ns == 0)
        timed.time_ns = clock_wall_ns();
    audit_event_put(&timed, &wire);
    return pack_encoded(packing, &wire, err);
}

/* After a failure half-way: takes the answers that will still come, so that the channel stays in
 * step. */
static void abandon(struct ipc_client *audit, struct audit_pending *pending)
{
    struct err ignored = ERR_INIT;

    if (audit_send_wait(audit, pending, &ignored) < 0)
        pending->count = 0;
}

static int check_count(size_t count, struct err *err)
{
    if (count == 0 || count > AUDIT_SEND_MAX)
        return err_set(err, ERR_INVALID, "1 to %d audit events at once", AUDIT_SEND_MAX);
    return 0;
}

/* One of the two is NULL. */
static int pack_all(struct packing *packing, const struct audit_event *events,
                    const struct buf *encoded, size_t count, struct err *err)
{
    int done = 0;

    if (encoded != NULL)
        expect_all(packing, encoded, count);
    for (size_t i = 0; i < count && done == 0; i++)
        done = encoded != NULL ? pack_encoded(packing, &encoded[i], err)
                               : pack(packing, &events[i], err);
    if (done == 0)
        done = flush(packing, err);
    buf_free(&packing->body);
    return done;
}

static int send_all(struct ipc_client *audit, const struct audit_event *events,
                    const struct buf *encoded, size_t count, struct audit_pending *out,
                    struct err *err)
{
    struct packing packing = {.audit = audit, .pending = out, .body = BUF_INIT(IPC_BODY_MAX)};

    out->count = 0;
    TRY(check_count(count, err));
    int done = pack_all(&packing, events, encoded, count, err);
    if (done < 0)
        abandon(audit, out);
    return done;
}

int audit_send_later(struct ipc_client *audit, const struct buf *events, size_t count,
                     audit_durable_fn *fn, void *ctx, struct audit_flight *flight, struct err *err)
{
    struct packing packing = {.audit = audit, .flight = flight, .body = BUF_INIT(IPC_BODY_MAX)};

    *flight = (struct audit_flight){.ctx = ctx};
    TRY(check_count(count, err));
    int done = pack_all(&packing, NULL, events, count, err);
    if (done < 0)
        audit_send_settle(audit, flight); /* tells nobody */
    else
        flight->fn = fn;
    return done;
}

void audit_send_settle(struct ipc_client *audit, const struct audit_flight *flight)
{
    ipc_ask_settle(audit, flight);
}

int audit_send_begin(struct ipc_client *audit, const struct audit_event *events, size_t count,
                     struct audit_pending *out, struct err *err)
{
    return send_all(audit, events, NULL, count, out, err);
}

/* Waits for every answer also when one is an error. */
int audit_send_wait(struct ipc_client *audit, struct audit_pending *pending, struct err *err)
{
    int result = 0;

    for (size_t i = 0; i < pending->count; i++) {
        CLEANUP(buf_free) struct buf reply = BUF_INIT(8);
        struct err bad = ERR_INIT;
        if (ipc_wait(audit, pending->id[i], &reply, &bad) == 0 || result < 0)
            continue;
        *err = bad;
        result = -1;
    }
    pending->count = 0;
    return result < 0 ? err_wrap(err, "recording what happened") : 0;
}

int audit_send(struct ipc_client *audit, const struct audit_event *events, size_t count,
               struct err *err)
{
    struct audit_pending pending;

    TRY(audit_send_begin(audit, events, count, &pending, err));
    return audit_send_wait(audit, &pending, err);
}

int audit_send_encoded(struct ipc_client *audit, const struct buf *events, size_t count,
                       struct err *err)
{
    struct audit_pending pending;

    TRY(send_all(audit, NULL, events, count, &pending, err));
    return audit_send_wait(audit, &pending, err);
}

int audit_ask_anchor(struct ipc_client *audit, uint64_t *out_revision, struct err *err)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(8);

    TRY(ipc_call(audit, AUDIT_MSG_ANCHOR, span_of("", 0), &reply, NULL, err));
    struct cursor cursor = cursor_of(buf_span(&reply));
    *out_revision = cursor_u64(&cursor);
    return cursor_done(&cursor, "the answer about an anchor", err);
}

int audit_ask_checkpoint(struct ipc_client *audit, struct buf *out_note, struct err *err)
{
    return ipc_call(audit, AUDIT_MSG_CHECKPOINT, span_of("", 0), out_note, NULL, err);
}

int audit_give_ring(struct ipc_client *audit, int ring_fd, int bell_fd, struct err *err)
{
    struct ipc_fds fds = {.fd = {ring_fd, bell_fd}, .count = 2};

    return ipc_call_fds(audit, AUDIT_MSG_RING, span_of("", 0), &fds, NULL, NULL, err);
}

/* ------------------------------------------------------------------ uses of keys */

static void copy_text(struct span text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", SPAN_ARG(text));
}

/* -1, or how many there were. */
static int read_uses(struct span body, audit_key_use_fn *fn, void *ctx, struct err *err)
{
    struct cursor cursor = cursor_of(body);
    uint16_t count = cursor_u16(&cursor);

    for (uint16_t i = 0; i < count && !cursor.failed; i++) {
        struct audit_key_use use;
        copy_text(cursor_block(&cursor), use.key_id, sizeof(use.key_id));
        copy_text(cursor_block(&cursor), use.address, sizeof(use.address));
        use.time_ns = cursor_u64(&cursor);
        if (!cursor.failed)
            fn(ctx, &use);
    }
    TRY(cursor_done(&cursor, "the answer about uses of keys", err));
    return count;
}

int audit_take_key_uses(struct ipc_client *audit, audit_key_use_fn *fn, void *ctx, struct err *err)
{
    int count;

    do {
        CLEANUP(buf_free) struct buf reply = BUF_INIT(IPC_BODY_MAX);
        TRY(ipc_call(audit, AUDIT_MSG_KEY_USES, span_of("", 0), &reply, NULL, err));
        count = read_uses(buf_span(&reply), fn, ctx, err);
    } while (count > 0);
    return count;
}
