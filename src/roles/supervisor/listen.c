/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/listen.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int listen_at(const char *path, int type, mode_t mode, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_sys(err, "cannot make a Unix socket");
    if (strlen(path) >= sizeof(address.sun_path))
        return err_set(err, ERR_TOO_LARGE, "the socket path %s is longer than %zu bytes", path,
                       sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path));
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(err, "cannot remove the old socket %s", path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
        return err_sys(err, "cannot listen on %s", path);
    if (chmod(path, mode) < 0)
        return err_sys(err, "cannot set the mode of %s", path);
    return fd_take(&fd);
}

int listen_unix(const char *path, mode_t mode, struct err *err)
{
    return listen_at(path, SOCK_STREAM, mode, err);
}

int listen_packets(const char *path, mode_t mode, struct err *err)
{
    return listen_at(path, SOCK_SEQPACKET, mode, err);
}

static int refused(const struct opt_listen *at, const char *setting, struct err *err)
{
    if (errno != EADDRINUSE)
        return err_sys(err, "cannot listen on %s port %u", at->host, at->port);
    return err_set(err, ERR_EXISTS,
                   "another program listens on %s port %u; stop it, or choose another address with "
                   "--set %s=ADDRESS:PORT",
                   at->host, at->port, setting);
}

int listen_tcp(const struct opt_listen *at, const char *setting, struct err *err)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    bool is_v6 = inet_pton(AF_INET6, at->host, &address.v6.sin6_addr) == 1;
    socklen_t len = is_v6 ? sizeof(address.v6) : sizeof(address.v4);
    int on = 1;
    int off = 0;

    address.any.sa_family = is_v6 ? AF_INET6 : AF_INET;
    if (is_v6)
        address.v6.sin6_port = htons(at->port);
    else
        address.v4.sin_port = htons(at->port);
    if (!is_v6 && inet_pton(AF_INET, at->host, &address.v4.sin_addr) != 1)
        return err_set(err, ERR_INVALID, "\"%s\" is not an address", at->host);
    CLEANUP_FD int fd =
        socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(err, "cannot make a socket for %s", at->host);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (is_v6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, &address.any, len) < 0 || listen(fd, BACKLOG) < 0)
        return refused(at, setting, err);
    return fd_take(&fd);
}

/* A bound socket that does not listen could be listened over by whoever shares addresses. */
static int share_address(int fd, int on, struct err *err)
{
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return err_sys(err, "cannot keep the address of a listener");
    return 0;
}

int listen_refuse(int fd, struct err *err)
{
    int listens = 0;
    socklen_t len = sizeof(listens);

    TRY(share_address(fd, 0, err));
    /* A socket that does not listen would keep the mark of the shutdown, and hand it on to each
     * connection that it accepts later. */
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 ||
        (listens != 0 && shutdown(fd, SHUT_RDWR) < 0))
        return err_sys(err, "cannot make a listener refuse");
    return 0;
}

int listen_again(int fd, struct err *err)
{
    TRY(share_address(fd, 1, err));
    return listen(fd, BACKLOG) < 0 ? err_sys(err, "cannot listen again") : 0;
}
