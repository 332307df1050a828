/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "ipc/wire.h"
#include "log/log.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>

struct ipc_server {
    struct loop *loop;
    struct loop_source *source;
    int fd;
    unsigned peer;
    uint64_t serial; /* never used twice, so that a late answer cannot reach a new channel */
    const struct ipc_table *table;
    void *ctx;
    uint64_t once_seen; /* bit number = place in the table */
    LIST_ENTRY(ipc_server) entry;
};

static LIST_HEAD(, ipc_server) servers = LIST_HEAD_INITIALIZER(servers);
static uint64_t last_serial;
static uint8_t *room; /* one packet; a process serves one at a time */

static void drop(struct ipc_server *server)
{
    loop_remove(server->loop, server->source);
    fd_close(&server->fd);
    LIST_REMOVE(server, entry);
    free(server);
}

static bool alive(const struct ipc_ticket *ticket)
{
    struct ipc_server *server;

    LIST_FOREACH (server, &servers, entry)
        if (server == ticket->server && server->serial == ticket->serial)
            return true;
    return false;
}

static void answer(const struct ipc_ticket *ticket, enum err_code status, struct span body,
                   const struct ipc_fds *fds)
{
    struct ipc_packet packet = {.status = (uint16_t)status, .id = ticket->id, .body = body};
    struct err err = ERR_INIT;

    if (!alive(ticket))
        return;
    if (fds != NULL)
        packet.fds = *fds;
    /* A peer that does not read its answers loses them; it notices by the channel that closes. */
    if (ipc_packet_send(ticket->server->fd, &packet, &err) < 0) {
        err_wrap(&err, "%s, to peer %u", ticket->server->table->server, ticket->server->peer);
        log_error("ipc.answer", &err);
        drop(ticket->server);
    }
}

void ipc_reply(const struct ipc_ticket *ticket, struct span body)
{
    answer(ticket, ERR_NONE, body, NULL);
}

void ipc_reply_error(const struct ipc_ticket *ticket, const struct err *error)
{
    answer(ticket, error->code, span_str(error->msg), NULL);
}

static const struct ipc_message *find(const struct ipc_table *table, uint16_t type, size_t *out_at)
{
    for (size_t i = 0; table->messages[i].handle != NULL; i++) {
        if (table->messages[i].type != type)
            continue;
        *out_at = i;
        return &table->messages[i];
    }
    return NULL;
}

static int admit(struct ipc_server *server, const struct ipc_packet *packet,
                 const struct ipc_message **out, struct err *err)
{
    size_t at = 0;
    const struct ipc_message *message = find(server->table, packet->type, &at);

    if (message == NULL)
        return err_set(err, ERR_UNSUPPORTED, "%s has no message %u", server->table->server,
                       packet->type);
    if (packet->status != ERR_NONE)
        return err_set(err, ERR_INVALID, "%s comes with the status of an answer", message->name);
    if ((message->from & IPC_FROM(server->peer)) == 0)
        return err_set(err, ERR_DENIED, "%s does not take %s from this role", server->table->server,
                       message->name);
    if (packet->body.len > message->max_len)
        return err_set(err, ERR_TOO_LARGE, "%s of %zu bytes is larger than %u", message->name,
                       packet->body.len, message->max_len);
    if ((message->flags & IPC_EMPTY) != 0 && packet->body.len > 0)
        return err_set(err, ERR_INVALID, "%s has a body but takes none", message->name);
    if ((message->flags & IPC_FDS) == 0 && packet->fds.count > 0)
        return err_set(err, ERR_INVALID, "%s takes no descriptors", message->name);
    if ((message->flags & IPC_ONCE) != 0 && (server->once_seen & 1ULL << at) != 0)
        return err_set(err, ERR_DENIED, "%s was sent already", message->name);
    server->once_seen |= 1ULL << at;
    *out = message;
    return 0;
}

static void dispatch(struct ipc_server *server, struct ipc_packet *packet)
{
    CLEANUP(buf_free_wiped) struct buf reply = BUF_INIT(IPC_BODY_MAX);
    CLEANUP(ipc_fds_close) struct ipc_fds reply_fds = {0};
    const struct ipc_message *message = NULL;
    struct err err = ERR_INIT;
    struct ipc_request request = {
        .peer = server->peer,
        .channel = server->fd,
        .body = packet->body,
        .fds = &packet->fds,
        .reply_fds = &reply_fds,
        .ticket = {.server = server, .serial = server->serial, .id = packet->id},
    };

    int result = admit(server, packet, &message, &err);
    if (result == 0)
        result = message->handle(server->ctx, &request, &reply, &err);
    else if (server->table->refused != NULL)
        server->table->refused(server->ctx, server->peer, packet->type, &err);
    if (result == IPC_LATER)
        return;
    if (result == IPC_ANSWER)
        result = buf_check(&reply, "an answer", &err);
    if (result < 0)
        ipc_reply_error(&request.ticket, &err);
    else
        answer(&request.ticket, ERR_NONE, buf_span(&reply), &reply_fds);
}

static void on_readable(void *ctx, int fd, uint32_t events UNUSED)
{
    struct ipc_server *server = ctx;
    CLEANUP(ipc_packet_close) struct ipc_packet packet = {0};
    struct err err = ERR_INIT;

    int got = ipc_packet_receive(fd, room, &packet, &err);
    if (got > 0) {
        dispatch(server, &packet);
        mem_wipe(room, IPC_HEADER_LEN + packet.body.len);
        return;
    }
    if (got < 0 && err.code == ERR_TIMEOUT)
        return; /* woken for nothing */
    if (got < 0) {
        err_wrap(&err, "%s, from peer %u", server->table->server, server->peer);
        log_error("ipc.receive", &err);
    }
    drop(server);
}

static void check_table(const struct ipc_table *table)
{
    size_t count = 0;

    while (table->messages[count].handle != NULL)
        count++;
    INVARIANT(count <= 64);
}

int ipc_server_add(struct loop *loop, int *fd, unsigned peer, const struct ipc_table *table,
                   void *ctx, struct err *err)
{
    struct ipc_server *server = mem_new(sizeof(*server));

    check_table(table);
    if (room == NULL)
        room = mem_new(IPC_PACKET_MAX);
    *server = (struct ipc_server){
        .loop = loop, .peer = peer, .table = table, .ctx = ctx, .serial = ++last_serial};
    server->fd = fd_take(fd);
    LIST_INSERT_HEAD(&servers, server, entry);
    /* A peer that does not read must not stop the role: a full queue is an error, not a wait. */
    if (fd_set_nonblocking(server->fd, err) < 0 ||
        loop_add_fd(loop, server->fd, EPOLLIN, on_readable, server, &server->source, err) < 0) {
        drop(server);
        return -1;
    }
    return 0;
}
