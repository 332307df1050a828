/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/seal_call.h"

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Every role may take its time to start or to end. */
enum { SEAL_TIMEOUT_MS = 240 * 1000, STATUS_TIMEOUT_MS = 10000, RUN_FILE_MAX = 4096 };

static int find_socket(const char *data_dir, struct sockaddr_un *out, struct err *err)
{
    CLEANUP_FREE char *file = mem_printf("%s/run", data_dir);
    CLEANUP(buf_free) struct buf run_dir = BUF_INIT(RUN_FILE_MAX);

    if (fd_read_file(AT_FDCWD, file, &run_dir, err) < 0)
        return err_wrap(err, "no platform has run on %s; say which one with --data", data_dir);
    CLEANUP_FREE char *path = mem_printf(
        "%.*s/" SEALING_SOCKET, (int)strcspn(buf_text(&run_dir), "\n"), buf_text(&run_dir));
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(out->sun_path))
        return err_set(err, ERR_TOO_LARGE, "the socket path %s is too long", path);
    memcpy(out->sun_path, path, strlen(path));
    return 0;
}

static int connect_to(const char *data_dir, int *out, struct err *err)
{
    struct sockaddr_un to;
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(err, "cannot make a Unix socket");
    TRY(find_socket(data_dir, &to, err));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        *out = fd_take(&fd);
        return 0;
    }
    if (errno == EACCES)
        return err_set(err, ERR_DENIED,
                       "the platform on %s is another user's; run this as root or as the user who "
                       "started it",
                       data_dir);
    return err_set(err, ERR_UNAVAILABLE, "the platform on %s does not run", data_dir);
}

int seal_call(const char *data_dir, enum sealing_message message, int fd, struct buf *reply,
              struct err *err)
{
    struct ipc_fds fds = {.fd = {fd}, .count = fd < 0 ? 0 : 1};
    CLEANUP_FD int channel = -1;

    TRY(connect_to(data_dir, &channel, err));
    struct ipc_client *client = ipc_client_new(&channel, "the platform");
    ipc_client_set_timeout(client, message == SEALING_STATUS ? STATUS_TIMEOUT_MS : SEAL_TIMEOUT_MS);
    int done = ipc_call_fds(client, (uint16_t)message, span_of(NULL, 0), &fds, reply, NULL, err);
    ipc_client_free(client);
    return done;
}

int seal_call_status(const char *data_dir, struct sealing_status *out, struct err *err)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(SEALING_STATUS_MAX);

    TRY(seal_call(data_dir, SEALING_STATUS, -1, &reply, err));
    return sealing_get_status(buf_span(&reply), out, err);
}
