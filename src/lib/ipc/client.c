/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "ipc/client_internal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

void ipc_client_set_timeout(struct ipc_client *client, unsigned timeout_ms)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000,
                              .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};

    client->timeout_ms = timeout_ms;
    if (client->fd < 0)
        return;
    INVARIANT(setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
    INVARIANT(setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0);
}

static void adopt(struct ipc_client *client, int *fd)
{
    client->fd = fd_take(fd);
    ipc_client_set_timeout(client, client->timeout_ms);
}

struct ipc_client *ipc_client_new(int *fd, const char *server)
{
    struct ipc_client *client = mem_new(sizeof(*client));

    client->server = server;
    client->timeout_ms = IPC_TIMEOUT_MS;
    TAILQ_INIT(&client->asked);
    adopt(client, fd);
    return client;
}

void ipc_client_free(struct ipc_client *client)
{
    if (client == NULL)
        return;
    ipc_asked_forget(client);
    fd_close(&client->fd);
    free(client->room);
    free(client);
}

void ipc_client_reconnect(struct ipc_client *client, int *fd)
{
    ipc_client_drop(client);
    adopt(client, fd);
    ipc_asked_watch(client);
}

int ipc_client_fd(const struct ipc_client *client)
{
    return client->fd;
}

/* A channel that failed half-way is of no more use: an answer could be taken for another's. */
void ipc_client_drop(struct ipc_client *client)
{
    ipc_asked_fail(client);
    fd_close(&client->fd);
}

int ipc_client_lost(struct ipc_client *client, struct err *err)
{
    ipc_client_drop(client);
    return err_set(err, ERR_UNAVAILABLE, "%s is not running; try again in a moment",
                   client->server);
}

uint8_t *ipc_client_room(struct ipc_client *client)
{
    if (client->room == NULL)
        client->room = mem_new(IPC_PACKET_MAX);
    return client->room;
}

int ipc_client_send(struct ipc_client *client, uint16_t type, struct span body,
                    const struct ipc_fds *fds, uint32_t *out_id, struct err *err)
{
    struct ipc_packet packet = {.type = type, .id = ++client->last_id, .body = body};

    if (client->fd < 0)
        return ipc_client_lost(client, err);
    if (fds != NULL)
        packet.fds = *fds;
    int sent = ipc_packet_send(client->fd, &packet, err);
    if (sent == 0)
        return ipc_client_lost(client, err);
    if (sent < 0)
        return err_wrap(err, "asking %s", client->server);
    *out_id = packet.id;
    return 0;
}

static int deliver(struct ipc_client *client, struct ipc_packet *packet, struct buf *reply,
                   struct ipc_fds *fds, struct err *err)
{
    if (packet->status != ERR_NONE)
        return err_set(err, (enum err_code)packet->status, "%.*s", SPAN_ARG(packet->body));
    if (packet->fds.count > 0 && fds == NULL)
        return err_set(err, ERR_INVALID, "%s sent descriptors that nobody asked for",
                       client->server);
    if (reply != NULL) {
        buf_put_span(reply, packet->body);
        TRY(buf_check(reply, "an answer", err));
    }
    if (fds != NULL) {
        *fds = packet->fds;
        packet->fds.count = 0;
    }
    return 0;
}

/* Receives until it is this answer; those of other questions are for the loop. */
static int receive(struct ipc_client *client, uint32_t id, struct ipc_packet *packet,
                   struct err *err)
{
    for (;;) {
        int got = ipc_packet_receive(client->fd, ipc_client_room(client), packet, err);
        if (got > 0 && packet->id == id)
            return 0;
        if (got > 0 && ipc_asked_keep(client, packet)) {
            mem_wipe(client->room, IPC_HEADER_LEN + packet->body.len);
            continue;
        }
        if (got >= 0)
            return ipc_client_lost(client, err);
        ipc_client_drop(client);
        return err_wrap(err, "waiting for %s", client->server);
    }
}

static int wait_for(struct ipc_client *client, uint32_t id, struct buf *reply, struct ipc_fds *fds,
                    struct err *err)
{
    CLEANUP(ipc_packet_close) struct ipc_packet packet = {0};

    if (client->fd < 0)
        return ipc_client_lost(client, err);
    TRY(receive(client, id, &packet, err));
    int result = deliver(client, &packet, reply, fds, err);
    mem_wipe(client->room, IPC_HEADER_LEN + packet.body.len); /* an answer may be a key */
    return result;
}

int ipc_send(struct ipc_client *client, uint16_t type, struct span body, uint32_t *out_id,
             struct err *err)
{
    return ipc_client_send(client, type, body, NULL, out_id, err);
}

int ipc_wait(struct ipc_client *client, uint32_t id, struct buf *reply, struct err *err)
{
    return wait_for(client, id, reply, NULL, err);
}

int ipc_try_send(struct ipc_client *client, uint16_t type, struct span body, uint32_t *out_id,
                 struct err *err)
{
    struct ipc_packet packet = {.type = type, .id = ++client->last_id, .body = body};

    if (client->fd < 0)
        return ipc_client_lost(client, err);
    int sent = ipc_packet_try_send(client->fd, &packet, err);
    if (sent == 0)
        return ipc_client_lost(client, err);
    if (sent < 0 && err->code == ERR_LIMITED) {
        err_clear(err);
        return 0;
    }
    if (sent < 0)
        return err_wrap(err, "asking %s", client->server);
    *out_id = packet.id;
    return 1;
}

int ipc_next(struct ipc_client *client, uint32_t *out_id, struct buf *reply, struct err *err)
{
    CLEANUP(ipc_packet_close) struct ipc_packet packet = {0};

    *out_id = 0;
    if (client->fd < 0)
        return ipc_client_lost(client, err);
    if (ipc_packet_receive(client->fd, ipc_client_room(client), &packet, err) <= 0)
        return ipc_client_lost(client, err);
    *out_id = packet.id;
    int result = deliver(client, &packet, reply, NULL, err);
    mem_wipe(client->room, IPC_HEADER_LEN + packet.body.len);
    return result;
}

int ipc_call_fds(struct ipc_client *client, uint16_t type, struct span body,
                 const struct ipc_fds *send, struct buf *reply, struct ipc_fds *fds,
                 struct err *err)
{
    uint32_t id = 0;

    TRY(ipc_client_send(client, type, body, send, &id, err));
    return wait_for(client, id, reply, fds, err);
}

int ipc_call(struct ipc_client *client, uint16_t type, struct span body, struct buf *reply,
             struct ipc_fds *fds, struct err *err)
{
    return ipc_call_fds(client, type, body, NULL, reply, fds, err);
}
