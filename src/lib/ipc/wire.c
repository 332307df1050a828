/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/wire.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void ipc_fds_close(struct ipc_fds *fds)
{
    for (size_t i = 0; i < fds->count; i++)
        fd_close(&fds->fd[i]);
    fds->count = 0;
}

void ipc_packet_close(struct ipc_packet *packet)
{
    ipc_fds_close(&packet->fds);
}

static void set_control(struct msghdr *message, void *room, size_t room_len,
                        const struct ipc_fds *fds)
{
    size_t bytes = fds->count * sizeof(int);

    if (fds->count == 0)
        return;
    memset(room, 0, room_len);
    message->msg_control = room;
    message->msg_controllen = CMSG_SPACE(bytes);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), fds->fd, bytes);
}

static int send_packet(int fd, const struct ipc_packet *packet, int flags, struct err *err)
{
    uint8_t header_bytes[IPC_HEADER_LEN + 1];
    struct buf header = {.data = header_bytes, .cap = sizeof(header_bytes), .max = IPC_HEADER_LEN};
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
    } control;
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    if (packet->body.len > IPC_BODY_MAX)
        return err_set(err, ERR_TOO_LARGE, "a message of %zu bytes is larger than %d",
                       packet->body.len, IPC_BODY_MAX);
    buf_put_u16(&header, packet->type);
    buf_put_u16(&header, packet->status);
    buf_put_u32(&header, packet->id);
    buf_put_u32(&header, (uint32_t)packet->body.len);
    parts[0] = (struct iovec){.iov_base = header.data, .iov_len = header.len};
    parts[1] =
        (struct iovec){.iov_base = (void *)(uintptr_t)packet->body.p, .iov_len = packet->body.len};
    set_control(&message, control.room, sizeof(control.room), &packet->fds);
    for (;;) {
        if (sendmsg(fd, &message, MSG_NOSIGNAL | flags) >= 0)
            return 1;
        if (errno == EPIPE || errno == ECONNRESET)
            return 0;
        if ((flags & MSG_DONTWAIT) != 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return err_set(err, ERR_LIMITED, "the other end reads too slowly");
        if (errno != EINTR)
            return err_sys(err, "cannot send a message");
    }
}

int ipc_packet_send(int fd, const struct ipc_packet *packet, struct err *err)
{
    return send_packet(fd, packet, 0, err);
}

int ipc_packet_try_send(int fd, const struct ipc_packet *packet, struct err *err)
{
    return send_packet(fd, packet, MSG_DONTWAIT, err);
}

static void take_fds(struct msghdr *message, struct ipc_fds *fds)
{
    fds->count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        fds->count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        INVARIANT(fds->count <= IPC_FDS_MAX);
        memcpy(fds->fd, CMSG_DATA(header), fds->count * sizeof(int));
    }
}

static int parse(const uint8_t *room, size_t len, struct ipc_packet *packet, struct err *err)
{
    struct cursor cursor = cursor_of(span_of(room, len));

    packet->type = cursor_u16(&cursor);
    packet->status = cursor_u16(&cursor);
    packet->id = cursor_u32(&cursor);
    packet->body = cursor_block(&cursor);
    TRY(cursor_done(&cursor, "a message", err));
    if (packet->status >= ERR_CODE_COUNT)
        return err_set(err, ERR_INVALID, "a message has the unknown status %u", packet->status);
    return 0;
}

static int receive_packet(int fd, uint8_t *room, int flags, struct ipc_packet *packet,
                          struct err *err)
{
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
    } control;
    struct iovec part = {.iov_base = room, .iov_len = IPC_PACKET_MAX};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    ssize_t got;

    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && errno == EINTR);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
        return 0;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return err_set(err, ERR_TIMEOUT, "no message came in time");
    if (got < 0)
        return err_sys(err, "cannot receive a message");
    take_fds(&message, &packet->fds);
    bool cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    if (cut)
        err_set(err, ERR_INVALID, "a message is larger than %d bytes or has too many descriptors",
                IPC_PACKET_MAX);
    if (cut || parse(room, (size_t)got, packet, err) < 0) {
        ipc_fds_close(&packet->fds);
        return -1;
    }
    return 1;
}

int ipc_packet_receive(int fd, uint8_t *room, struct ipc_packet *packet, struct err *err)
{
    return receive_packet(fd, room, 0, packet, err);
}

int ipc_packet_try_receive(int fd, uint8_t *room, struct ipc_packet *packet, struct err *err)
{
    return receive_packet(fd, room, MSG_DONTWAIT, packet, err);
}

int ipc_pair(int *client_fd, int *server_fd, struct err *err)
{
    int fds[2];
    int bytes = 4 * IPC_PACKET_MAX;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return err_sys(err, "cannot make a pair of sockets");
    for (int i = 0; i < 2; i++)
        /* The kernel caps this at its own limit; two packets fit in any case. */
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    *client_fd = fds[0];
    *server_fd = fds[1];
    return 0;
}
