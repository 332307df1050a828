/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches that change nothing in the store: their records are on the way to the log while the next
 * batch is made, and their answers leave when the log has them. One such batch is under way at a
 * time; what comes meanwhile makes the next one larger. When one has landed, the next one leaves
 * before the answers do: the disk works while they are sent.
 */
#include "audit/audit.h"
#include "log/log.h"
#include "serve/serve_internal.h"

static struct ipc_client *audit_of(const struct serve *serve)
{
    return role_peer(serve->config.role, ROLE_AUDIT);
}

static void put_aside(struct serve *serve)
{
    for (size_t i = 0; i < serve->listener_count; i++)
        http_server_put_aside(serve->listeners[i].server);
}

static void call_up(struct serve *serve)
{
    for (size_t i = 0; i < serve->listener_count; i++)
        http_server_call_up(serve->listeners[i].server);
}

static void land(void *ctx, const struct err *failed);

/* -1: the records were not sent, and the flight has to land as failed. */
static int take_off(struct serve *serve, struct err *err)
{
    struct serve_records records = serve->records;

    INVARIANT(!serve->flies);
    serve->records = serve->flying;
    serve->flying = records;
    serve->flies = true;
    /* All that was changed before is durable already. */
    if (serve->config.after_flush != NULL)
        serve->config.after_flush(serve->config.ctx);
    put_aside(serve);
    return audit_send_later(audit_of(serve), serve->flying.items, serve->flying.count, land, serve,
                            &serve->flight, err);
}

/* After a failure the log must have what takes the records back before anything else. */
static void land(void *ctx, const struct err *failed)
{
    struct serve *serve = ctx;
    struct err err = ERR_INIT;
    int next = 0;

    serve->flies = false;
    if (failed != NULL) {
        log_error("serve.flush", failed);
        serve_undo(serve, &serve->flying, serve->flying.count, failed);
    }
    serve->flying.count = 0;
    call_up(serve);
    if (failed == NULL && !serve->settles && serve_may_fly(serve))
        next = take_off(serve, &err);
    serve_leave(serve, failed);
    if (next < 0)
        land(serve, &err);
}

bool serve_may_fly(const struct serve *serve)
{
    return serve->attached && serve->undone.count == 0 && serve->records.count > 0 &&
           serve->records.count <= AUDIT_SEND_MAX &&
           (serve->config.store == NULL || !store_needs_flush(serve->config.store));
}

void serve_fly(struct serve *serve)
{
    struct err err = ERR_INIT;

    if (take_off(serve, &err) < 0)
        land(serve, &err);
}

void serve_settle(struct serve *serve)
{
    serve->settles = true;
    if (serve->flies)
        audit_send_settle(audit_of(serve), &serve->flight);
    serve->settles = false;
}

int serve_flight_start(struct serve *serve, struct err *err)
{
    struct ipc_client *audit = audit_of(serve);

    if (serve->config.record != NULL || audit == NULL)
        return 0;
    TRY(ipc_client_attach(audit, role_loop(serve->config.role), err));
    serve->attached = true;
    return 0;
}
