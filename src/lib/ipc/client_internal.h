/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by client.c and ask.c. */
#ifndef DRUN_IPC_CLIENT_INTERNAL_H
#define DRUN_IPC_CLIENT_INTERNAL_H

#include "ipc/wire.h"

#include <sys/queue.h>

/* A question whose answer comes from the loop. */
struct ipc_asked {
    uint32_t id;
    uint64_t deadline_ns;
    bool arrived; /* while somebody waited for another answer */
    struct buf body;
    struct err failed;
    ipc_answer_fn *fn;
    void *ctx;
    TAILQ_ENTRY(ipc_asked) entry;
};

TAILQ_HEAD(ipc_asked_list, ipc_asked);

struct ipc_client {
    int fd;
    const char *server;
    unsigned timeout_ms;
    uint32_t last_id;
    uint8_t *room; /* IPC_PACKET_MAX bytes, made with the first call */
    /* ask.c */
    struct loop *loop; /* NULL: it only waits */
    struct loop_source *source;
    struct loop_source *timer; /* for what arrived, and for what comes too late */
    bool timed;                /* the timer runs */
    struct ipc_asked_list asked;
};

/* Sends a request and says its id. */
int ipc_client_send(struct ipc_client *client, uint16_t type, struct span body,
                    const struct ipc_fds *fds, uint32_t *out_id, struct err *err) MUST_USE;
uint8_t *ipc_client_room(struct ipc_client *client);
/* Gives the channel up: what was asked on it fails, from the loop. */
void ipc_client_drop(struct ipc_client *client);
/* The same, and says so. */
int ipc_client_lost(struct ipc_client *client, struct err *err) MUST_USE;

/* Watches the channel that the client has now. */
void ipc_asked_watch(struct ipc_client *client);
/* True when the packet answers something that was asked: it is kept for the loop. */
bool ipc_asked_keep(struct ipc_client *client, const struct ipc_packet *packet);
/* Before the descriptor is closed. */
void ipc_asked_fail(struct ipc_client *client);
void ipc_asked_forget(struct ipc_client *client);

#endif
