/* SPDX-License-Identifier: Apache-2.0 */
/* A packet that is taken must be sent again as the same bytes. */
#include "ipc/wire.h"

#include "base/fd.h"

#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(int near_fd, int far_fd, const struct ipc_packet *packet, struct span bytes)
{
    static uint8_t again[IPC_PACKET_MAX];
    struct err err = ERR_INIT;

    INVARIANT(ipc_packet_send(near_fd, packet, &err) == 1);
    ssize_t len = recv(far_fd, again, sizeof(again), 0);
    INVARIANT(len >= 0 && span_eq(span_of(again, (size_t)len), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[IPC_PACKET_MAX];
    struct ipc_packet packet = {0};
    struct err err = ERR_INIT;
    CLEANUP_FD int near_fd = -1;
    CLEANUP_FD int far_fd = -1;

    if (size == 0 || size > IPC_PACKET_MAX)
        return 0;
    INVARIANT(ipc_pair(&near_fd, &far_fd, &err) == 0);
    INVARIANT(send(far_fd, data, size, 0) == (ssize_t)size);
    if (ipc_packet_receive(near_fd, room, &packet, &err) == 1)
        check_same(near_fd, far_fd, &packet, span_of(data, size));
    else
        INVARIANT(err.code == ERR_INVALID);
    return 0;
}
