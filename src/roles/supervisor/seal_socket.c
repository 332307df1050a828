/* SPDX-License-Identifier: Apache-2.0 */
/* RUN/seal.sock: whom the supervisor listens to besides its roles. The messages have no bodies; who
 * sends them is what the kernel says. docs/PROTOCOL.seal. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"
#include "supervisor/listen.h"
#include "supervisor/supervisor_internal.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { PASSPHRASE_MAX = 1024, OPERATOR = 0 /* the one peer of the table */ };

static int ask_kernel(int fd, struct seal_caller *out, struct err *err)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return err_sys(err, "cannot ask who speaks on " SEALING_SOCKET);
    *out = (struct seal_caller){.uid = peer.uid, .pid = peer.pid};
    return 0;
}

static int on_status(void *ctx, struct ipc_request *request UNUSED, struct buf *reply,
                     struct err *err UNUSED)
{
    struct supervisor *supervisor = ctx;

    sealing_put_status(&supervisor->sealing.status, reply);
    return IPC_ANSWER;
}

/* Also in the middle of a start or an unseal, which then ends here. */
static int on_seal(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                   struct err *err)
{
    struct supervisor *supervisor = ctx;
    struct sealing *sealing = &supervisor->sealing;

    if (seal_is_sealed(supervisor) && !sealing->unseal_asked)
        return err_set(err, ERR_EXISTS, "the platform is sealed already");
    if (sealing->sealer_count == SEAL_WAITING_MAX)
        return err_set(err, ERR_LIMITED, "the platform is being sealed");
    if (!sealing->seal_asked && sealing->status.state != SEALING_STATE_CLOSING) {
        TRY(ask_kernel(request->channel, &sealing->sealer, err));
        sealing->seal_asked = true;
        supervisor->stopping = true;
        loop_stop(supervisor->loop);
    }
    sealing->sealers[sealing->sealer_count++] = request->ticket;
    return IPC_LATER;
}

/* A file of its own with the passphrase, which never enters this process: nobody who has the given
 * one can change it later, and it can be erased for certain. */
static int copy_passphrase(int given, int *out, struct err *err)
{
    CLEANUP_FD int fd = -1;
    struct stat st;

    if (fstat(given, &st) < 0 || !S_ISREG(st.st_mode) || fcntl(given, F_GET_SEALS) < 0)
        return err_set(err, ERR_INVALID, "the passphrase must come as a file in memory");
    if (st.st_size == 0 || st.st_size > PASSPHRASE_MAX)
        return err_set(err, ERR_INVALID, "the passphrase has %lld bytes, not 1 to %d",
                       (long long)st.st_size, PASSPHRASE_MAX);
    fd = memfd_create("passphrase", MFD_CLOEXEC);
    off_t at = 0;
    if (fd < 0 || sendfile(fd, given, &at, (size_t)st.st_size) != st.st_size)
        return err_sys(err, "cannot keep the passphrase in memory");
    *out = fd_take(&fd);
    return 0;
}

static int check_time(const struct sealing *sealing, struct err *err)
{
    uint64_t now_ns = clock_mono_ns();

    if (now_ns >= sealing->retry_ns)
        return 0;
    return err_set(err, ERR_LIMITED, "the last try failed; the next one is taken in %llu s",
                   (unsigned long long)(sealing->retry_ns - now_ns) / 1000000000 + 1);
}

static int on_unseal(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                     struct err *err)
{
    struct supervisor *supervisor = ctx;
    struct sealing *sealing = &supervisor->sealing;

    if (request->fds->count > 1)
        return err_set(err, ERR_INVALID, "unseal takes one descriptor, not %zu",
                       request->fds->count);
    if (sealing->unseal_asked || sealing->status.state == SEALING_STATE_CLOSING)
        return err_set(err, ERR_LIMITED, "the platform is being sealed or unsealed; try again");
    if (!seal_is_sealed(supervisor))
        return err_set(err, ERR_EXISTS, "the platform is not sealed");
    TRY(check_time(sealing, err));
    TRY(ask_kernel(request->channel, &sealing->unsealer, err));
    if (request->fds->count == 1)
        TRY(copy_passphrase(request->fds->fd[0], &sealing->given_fd, err));
    sealing->unseal_asked = true;
    sealing->unsealer_ticket = request->ticket;
    loop_stop(supervisor->loop);
    return IPC_LATER;
}

static const struct ipc_message messages[] = {
    {SEALING_STATUS, "status", IPC_FROM(OPERATOR), 0, IPC_EMPTY, on_status},
    {SEALING_SEAL, "seal", IPC_FROM(OPERATOR), 0, IPC_EMPTY, on_seal},
    {SEALING_UNSEAL, "unseal", IPC_FROM(OPERATOR), 0, IPC_EMPTY | IPC_FDS, on_unseal},
    {0},
};

static const struct ipc_table table = {.server = "supervisor", .messages = messages};

static int admit(struct supervisor *supervisor, int *fd, struct err *err)
{
    struct seal_caller caller = {0};

    TRY(ask_kernel(*fd, &caller, err));
    if (caller.uid != 0 && caller.uid != geteuid())
        return err_set(err, ERR_DENIED, "uid %u may not seal or unseal", caller.uid);
    return ipc_server_add(supervisor->loop, fd, OPERATOR, &table, supervisor, err);
}

static void on_connect(void *ctx, int listen_fd, uint32_t events UNUSED)
{
    CLEANUP_FD int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    struct err err = ERR_INIT;

    if (fd >= 0 && admit(ctx, &fd, &err) < 0)
        log_error("supervisor.seal_socket", &err);
}

int seal_listen(struct supervisor *supervisor, struct err *err)
{
    struct sealing *sealing = &supervisor->sealing;
    CLEANUP_FREE char *path = mem_printf("%s/" SEALING_SOCKET, supervisor->instance.run_dir);

    sealing->socket_fd = listen_packets(path, 0600, err);
    TRY(sealing->socket_fd);
    return loop_add_fd(supervisor->loop, sealing->socket_fd, EPOLLIN, on_connect, supervisor,
                       &sealing->source, err);
}
