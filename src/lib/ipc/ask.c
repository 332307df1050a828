/* SPDX-License-Identifier: Apache-2.0 */
/* Questions whose answers come from the loop, beside calls that wait on the same channel. */
#include "base/clock.h"
#include "base/mem.h"
#include "ipc/client_internal.h"
#include "log/log.h"

#include <stdlib.h>
#include <sys/epoll.h>

enum { NEVER_MS = 1 << 30, NS_PER_MS = 1000000 };

static struct ipc_asked *find(struct ipc_client *client, uint32_t id)
{
    struct ipc_asked *asked;

    TAILQ_FOREACH (asked, &client->asked, entry)
        if (asked->id == id && !asked->arrived)
            return asked;
    return NULL;
}

/* A copy: whoever is told may wait for another answer on this channel. */
static void take_in(struct ipc_asked *asked, const struct ipc_packet *packet)
{
    asked->arrived = true;
    if (packet->status == ERR_NONE)
        buf_put_span(&asked->body, packet->body);
    else
        err_set(&asked->failed, (enum err_code)packet->status, "%.*s", SPAN_ARG(packet->body));
}

/* The one who asked may ask again from his function: the question is gone before. */
static void finish(struct ipc_client *client, struct ipc_asked *asked)
{
    TAILQ_REMOVE(&client->asked, asked, entry);
    asked->fn(asked->ctx, buf_span(&asked->body),
              asked->failed.code == ERR_NONE ? NULL : &asked->failed);
    buf_free_wiped(&asked->body);
    free(asked);
}

static void set_timer(struct ipc_client *client, uint64_t delay_ms)
{
    loop_rearm(client->timer, delay_ms, 0);
    client->timed = true;
}

/* ------------------------------------------------------------------ answers */

bool ipc_asked_keep(struct ipc_client *client, const struct ipc_packet *packet)
{
    struct ipc_asked *asked = find(client, packet->id);

    if (asked == NULL || packet->fds.count > 0)
        return false;
    take_in(asked, packet);
    set_timer(client, 0);
    return true;
}

/* What is not there is no mistake: a call that waited may have taken it. */
static void on_readable(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct ipc_client *client = ctx;
    CLEANUP(ipc_packet_close) struct ipc_packet packet = {0};
    struct err err = ERR_INIT;
    uint8_t *room = ipc_client_room(client);

    int got = ipc_packet_try_receive(client->fd, room, &packet, &err);
    if (got < 0 && err.code == ERR_TIMEOUT)
        return;
    struct ipc_asked *asked = got > 0 ? find(client, packet.id) : NULL;
    if (asked == NULL || packet.fds.count > 0) {
        /* Nobody listens to why: whoever asks next hears that the server is gone. */
        ipc_client_drop(client);
        return;
    }
    take_in(asked, &packet);
    mem_wipe(room, IPC_HEADER_LEN + packet.body.len);
    finish(client, asked);
}

static struct ipc_asked *first_arrived(struct ipc_client *client)
{
    struct ipc_asked *asked;

    TAILQ_FOREACH (asked, &client->asked, entry)
        if (asked->arrived)
            return asked;
    return NULL;
}

static void check_deadline(struct ipc_client *client)
{
    const struct ipc_asked *oldest = TAILQ_FIRST(&client->asked);
    uint64_t now = clock_mono_ns();
    struct err err = ERR_INIT;

    if (oldest == NULL)
        return;
    if (oldest->deadline_ns > now) {
        set_timer(client, (oldest->deadline_ns - now) / NS_PER_MS + 1);
        return;
    }
    err_set(&err, ERR_TIMEOUT, "%s does not answer; the channel to it is given up", client->server);
    log_error("ipc.ask", &err);
    ipc_client_drop(client);
}

static void on_timer(void *ctx)
{
    struct ipc_client *client = ctx;
    struct ipc_asked *asked;

    client->timed = false;
    while ((asked = first_arrived(client)) != NULL)
        finish(client, asked);
    if (!client->timed)
        check_deadline(client);
}

/* ------------------------------------------------------------------ the channel */

void ipc_asked_watch(struct ipc_client *client)
{
    struct err err = ERR_INIT;

    if (client->loop == NULL || client->fd < 0)
        return;
    if (loop_add_fd(client->loop, client->fd, EPOLLIN, on_readable, client, &client->source, &err) <
        0)
        log_error("ipc.ask", &err); /* what is asked then fails with its deadline */
}

void ipc_asked_fail(struct ipc_client *client)
{
    struct ipc_asked *asked;

    if (client->loop == NULL)
        return;
    loop_remove(client->loop, client->source);
    client->source = NULL;
    TAILQ_FOREACH (asked, &client->asked, entry) {
        if (asked->arrived)
            continue;
        asked->arrived = true;
        err_set(&asked->failed, ERR_UNAVAILABLE, "%s is not running; try again in a moment",
                client->server);
    }
    if (!TAILQ_EMPTY(&client->asked))
        set_timer(client, 0);
}

void ipc_asked_forget(struct ipc_client *client)
{
    struct ipc_asked *asked;

    while ((asked = TAILQ_FIRST(&client->asked)) != NULL) {
        TAILQ_REMOVE(&client->asked, asked, entry);
        buf_free_wiped(&asked->body);
        free(asked);
    }
    if (client->loop == NULL)
        return;
    loop_remove(client->loop, client->source);
    loop_remove(client->loop, client->timer);
    client->loop = NULL;
}

int ipc_client_attach(struct ipc_client *client, struct loop *loop, struct err *err)
{
    INVARIANT(client->loop == NULL);
    TRY(loop_add_timer(loop, NEVER_MS, 0, on_timer, client, &client->timer, err));
    client->loop = loop;
    ipc_asked_watch(client);
    return 0;
}

int ipc_ask(struct ipc_client *client, uint16_t type, struct span body, ipc_answer_fn *fn,
            void *ctx, struct err *err)
{
    uint32_t id;

    INVARIANT(client->loop != NULL);
    TRY(ipc_client_send(client, type, body, NULL, &id, err));
    struct ipc_asked *asked = mem_new(sizeof(*asked));
    *asked = (struct ipc_asked){
        .id = id,
        .deadline_ns = clock_mono_ns() + (uint64_t)client->timeout_ms * NS_PER_MS,
        .body = BUF_INIT(IPC_BODY_MAX),
        .fn = fn,
        .ctx = ctx,
    };
    TAILQ_INSERT_TAIL(&client->asked, asked, entry);
    if (!client->timed)
        set_timer(client, client->timeout_ms);
    return 0;
}

/* ------------------------------------------------------------------ waiting after all */

static struct ipc_asked *asked_by(struct ipc_client *client, const void *ctx)
{
    struct ipc_asked *asked;

    TAILQ_FOREACH (asked, &client->asked, entry)
        if (asked->ctx == ctx)
            return asked;
    return NULL;
}

static void wait_for_one(struct ipc_client *client)
{
    CLEANUP(ipc_packet_close) struct ipc_packet packet = {0};
    struct err err = ERR_INIT;
    uint8_t *room = ipc_client_room(client);

    int got = ipc_packet_receive(client->fd, room, &packet, &err);
    if (got <= 0 || !ipc_asked_keep(client, &packet))
        ipc_client_drop(client);
    else
        mem_wipe(room, IPC_HEADER_LEN + packet.body.len);
}

void ipc_ask_settle(struct ipc_client *client, const void *ctx)
{
    struct ipc_asked *asked;

    while ((asked = asked_by(client, ctx)) != NULL) {
        if (asked->arrived)
            finish(client, asked);
        else
            wait_for_one(client); /* when the channel is lost, all have arrived as failures */
    }
}
