/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/listen.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

int listen_unix(const char *path, mode_t mode, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

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

/* Splits at the last colon: an IPv6 address has more, inside brackets. */
static int split(const char *address, char **out_host, const char **out_port, struct err *err)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - address);

    if (colon == NULL || colon[1] == '\0')
        return err_set(err, ERR_INVALID, "the address \"%s\" has no port; write 127.0.0.1:8443",
                       address);
    bool bracketed = len >= 2 && address[0] == '[' && address[len - 1] == ']';
    *out_host = bracketed ? mem_strndup(address + 1, len - 2) : mem_strndup(address, len);
    *out_port = colon + 1;
    return 0;
}

static int open_one(const struct addrinfo *info, const char *address, struct err *err)
{
    CLEANUP_FD int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    int off = 0;

    if (fd < 0)
        return err_sys(err, "cannot make a socket for %s", address);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd_take(&fd);
    if (errno == EADDRINUSE)
        return err_set(err, ERR_EXISTS,
                       "another program listens on %s; stop it, or choose another address with "
                       "--set listen=ADDRESS:PORT",
                       address);
    return err_sys(err, "cannot listen on %s", address);
}

int listen_tcp(const char *address, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST,
                             .ai_socktype = SOCK_STREAM};
    CLEANUP_FREE char *host = NULL;
    struct addrinfo *info;
    const char *port;

    TRY(split(address, &host, &port, err));
    int found = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &info);
    if (found != 0)
        return err_set(err, ERR_INVALID, "\"%s\" is not an address and port: %s", address,
                       gai_strerror(found));
    int fd = open_one(info, address, err);
    freeaddrinfo(info);
    return fd;
}
