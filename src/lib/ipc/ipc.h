/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How roles speak: SOCK_SEQPACKET pairs, one direction of calling each. The supervisor makes the
 * pairs, so an end knows for certain which role is at the other. A server publishes one const
 * message table; what is not in it is refused. The wire format is in docs/PROTOCOL.ipc.
 *
 * A packet is at most IPC_BODY_MAX bytes of body and IPC_FDS_MAX descriptors; more goes through a
 * memfd.
 */
#ifndef DRUN_IPC_IPC_H
#define DRUN_IPC_IPC_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "loop/loop.h"

#include <stdint.h>

enum { IPC_BODY_MAX = 128 * 1024, IPC_FDS_MAX = 4, IPC_TIMEOUT_MS = 10000 };

struct ipc_fds {
    int fd[IPC_FDS_MAX];
    size_t count;
};

void ipc_fds_close(struct ipc_fds *fds);

/* ------------------------------------------------------------------ calling */

struct ipc_client;

/* Takes *fd. `server` names the other end in errors and must outlive the client. A client may be
 * made without a descriptor (-1) and get one later: until then every call fails with
 * ERR_UNAVAILABLE. */
struct ipc_client *ipc_client_new(int *fd, const char *server) MUST_USE;
void ipc_client_free(struct ipc_client *client);
/* After the server was restarted: takes the new *fd; calls in flight fail with ERR_UNAVAILABLE. */
void ipc_client_reconnect(struct ipc_client *client, int *fd);

/* Sends and waits for the answer. A refusal by the server comes back as the server's own error.
 * `reply` gets the answer's body; with `fds` the answer may carry descriptors, which the caller
 * then owns; without it an answer with descriptors is an error. */
int ipc_call(struct ipc_client *client, uint16_t type, struct span body, struct buf *reply,
             struct ipc_fds *fds, struct err *err) MUST_USE;
/* The same with descriptors in the request; they stay the caller's. */
int ipc_call_fds(struct ipc_client *client, uint16_t type, struct span body,
                 const struct ipc_fds *send, struct buf *reply, struct ipc_fds *fds,
                 struct err *err) MUST_USE;
/* The two halves of ipc_call(), to do something else meanwhile. Answers are waited for in the order
 * of sending. */
int ipc_send(struct ipc_client *client, uint16_t type, struct span body, uint32_t *out_id,
             struct err *err) MUST_USE;
int ipc_wait(struct ipc_client *client, uint32_t id, struct buf *reply, struct err *err) MUST_USE;
/* Questions whose answers come from the loop, beside calls that wait on the same channel. After
 * this the client watches its own descriptor; once, before the first ipc_ask(). The loop must
 * outlive the client. */
int ipc_client_attach(struct ipc_client *client, struct loop *loop, struct err *err) MUST_USE;
/* `failed` is NULL, or why there is no answer: the server's refusal, ERR_UNAVAILABLE when the
 * channel is lost, also because it did not answer in time. The body is good for the call. */
typedef void ipc_answer_fn(void *ctx, struct span body, const struct err *failed);
/* Sends, and returns: `fn` is called once from the loop, never from here, and not at all when the
 * client is freed before. -1: it was not sent, and `fn` is not called. A server drops who has more
 * answers to read than the channel holds: ask a bounded number of questions at a time. */
int ipc_ask(struct ipc_client *client, uint16_t type, struct span body, ipc_answer_fn *fn,
            void *ctx, struct err *err) MUST_USE;
/* Waits for all that was asked with this ctx, and calls its functions. */
void ipc_ask_settle(struct ipc_client *client, const void *ctx);
/* For a caller whose answers come in any order, and who asks nothing else on this channel: as
 * ipc_send(), but never waits. 1: sent; 0: the server does not read at the moment, and nothing was
 * sent. */
int ipc_try_send(struct ipc_client *client, uint16_t type, struct span body, uint32_t *out_id,
                 struct err *err) MUST_USE;
/* The next answer, whosever it is, when ipc_client_fd() is readable. -1 with *out_id: that request
 * was refused, and this is the error; -1 with *out_id 0: the channel is lost, with all answers. */
int ipc_next(struct ipc_client *client, uint32_t *out_id, struct buf *reply,
             struct err *err) MUST_USE;
/* For a loop that waits until a late answer can be had from ipc_wait() without waiting; -1 while
 * there is no channel. It stays the client's: any call that fails, ipc_client_reconnect() and
 * ipc_client_free() close it, so after a failure take its source out of the loop first thing, and
 * before the other two. */
int ipc_client_fd(const struct ipc_client *client);

/* ------------------------------------------------------------------ serving */

struct ipc_server; /* one end of one channel */

/* Where a deferred answer goes. It stays valid when the channel dies: the answer is then dropped.
 */
struct ipc_ticket {
    struct ipc_server *server;
    uint64_t serial;
    uint32_t id;
};

struct ipc_request {
    unsigned peer; /* the number that the server was added with */
    int channel;   /* the socket that it came on, to ask the kernel who is there; not to use */
    struct span body;
    struct ipc_fds *fds;       /* what the handler does not take out is closed */
    struct ipc_fds *reply_fds; /* sent with the answer, then closed */
    struct ipc_ticket ticket;
};

/* What a handler returns beside -1 for an error that goes to the caller. */
enum { IPC_ANSWER = 0, IPC_LATER = 1 };

typedef int ipc_handler_fn(void *ctx, struct ipc_request *request, struct buf *reply,
                           struct err *err);

enum ipc_flags {
    IPC_ONCE = 1,  /* a second one on the same channel is refused */
    IPC_FDS = 2,   /* may carry descriptors */
    IPC_EMPTY = 4, /* has no body */
};

struct ipc_message {
    uint16_t type; /* 1 and up */
    const char *name;
    uint32_t from; /* permitted peers: bit number = peer */
    uint32_t max_len;
    uint32_t flags;
    ipc_handler_fn *handle;
};

#define IPC_FROM(peer) (1U << (peer))

/* Told of each request that the table refuses, before the error goes back. */
typedef void ipc_refused_fn(void *ctx, unsigned peer, uint16_t type, const struct err *why);

struct ipc_table {
    const char *server;
    const struct ipc_message *messages; /* sorted by nothing; ends with a zeroed one */
    ipc_refused_fn *refused;            /* may be NULL */
};

/* Takes *fd and serves it from the loop until the other end goes away, breaks the protocol or does
 * not read its answers. A table has at most 64 messages. */
int ipc_server_add(struct loop *loop, int *fd, unsigned peer, const struct ipc_table *table,
                   void *ctx, struct err *err) MUST_USE;
/* The answer to a request whose handler returned IPC_LATER: a body, or an error. */
void ipc_reply(const struct ipc_ticket *ticket, struct span body);
void ipc_reply_error(const struct ipc_ticket *ticket, const struct err *error);

/* A connected pair of non-inheritable SOCK_SEQPACKET sockets. */
int ipc_pair(int *client_fd, int *server_fd, struct err *err) MUST_USE;

#endif
