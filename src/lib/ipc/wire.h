/* SPDX-License-Identifier: Apache-2.0 */
/* One packet: 12 bytes of header (u16 type, u16 status, u32 id, u32 body length), then the body. */
#ifndef DRUN_IPC_WIRE_H
#define DRUN_IPC_WIRE_H

#include "ipc/ipc.h"

enum { IPC_HEADER_LEN = 12, IPC_PACKET_MAX = IPC_HEADER_LEN + IPC_BODY_MAX };

struct ipc_packet {
    uint16_t type;
    uint16_t status; /* an err_code; requests and good answers have 0 */
    uint32_t id;
    struct span body; /* of an error: its message */
    struct ipc_fds fds;
};

/* Closes the descriptors that a received packet still holds. */
void ipc_packet_close(struct ipc_packet *packet);

/* 1 when sent, 0 when the other end is gone. A blocking socket waits while its queue is full, at
 * most for its SO_SNDTIMEO; on another that is an error. */
int ipc_packet_send(int fd, const struct ipc_packet *packet, struct err *err) MUST_USE;
/* The same without a wait: ERR_LIMITED while the queue is full. */
int ipc_packet_try_send(int fd, const struct ipc_packet *packet, struct err *err) MUST_USE;
/* Receives into the caller's IPC_PACKET_MAX bytes. 1: a packet, whose descriptors the caller owns.
 * 0: the other end is gone. -1: nothing came in time, or it is no packet. */
int ipc_packet_receive(int fd, uint8_t *room, struct ipc_packet *packet, struct err *err) MUST_USE;
/* The same without a wait: ERR_TIMEOUT when there is none. */
int ipc_packet_try_receive(int fd, uint8_t *room, struct ipc_packet *packet,
                           struct err *err) MUST_USE;

/* Instead of IPC_TIMEOUT_MS, also after a reconnect; for tests, and for what takes long by its
 * nature. */
void ipc_client_set_timeout(struct ipc_client *client, unsigned timeout_ms);

#endif
