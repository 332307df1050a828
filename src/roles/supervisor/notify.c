/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/notify.h"

#include "base/fd.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

int notify_systemd(const char *state, struct err *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path == NULL || path[0] == '\0')
        return 0;
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path))
        return err_set(err, ERR_INVALID, "NOTIFY_SOCKET is too long");
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                         address_len) < 0)
        return err_sys(err, "cannot tell systemd \"%s\"", state);
    return 0;
}
