/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/health.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char good[] = "HTTP/1.1 200";

struct health {
    struct loop *loop;
    struct loop_source *source;
    struct loop_source *timer;
    int fd;
    char answer[sizeof(good) - 1];
    size_t got;
    health_fn *fn;
    void *ctx;
};

static void stop(struct health *health)
{
    loop_remove(health->loop, health->source);
    loop_remove(health->loop, health->timer);
    health->source = NULL;
    health->timer = NULL;
    fd_close(&health->fd);
}

static void tell(struct health *health, bool well)
{
    stop(health);
    health->fn(health->ctx, well);
}

static void on_timeout(void *ctx)
{
    tell(ctx, false);
}

static void on_readable(void *ctx, int fd, uint32_t events UNUSED)
{
    struct health *health = ctx;
    ssize_t got = read(fd, health->answer + health->got, sizeof(health->answer) - health->got);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        tell(health, false);
        return;
    }
    health->got += (size_t)got;
    if (health->got == sizeof(health->answer))
        tell(health, memcmp(health->answer, good, sizeof(health->answer)) == 0);
}

static int ask(struct health *health, const char *socket_path, const char *path,
               unsigned timeout_ms, struct err *err)
{
    CLEANUP_FREE char *text = mem_printf("GET %s HTTP/1.1\r\nHost: engine\r\nConnection: close"
                                         "\r\n\r\n",
                                         path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(socket_path) >= sizeof(address.sun_path))
        return err_set(err, ERR_TOO_LARGE, "the engine's socket has too long a path");
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    health->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (health->fd < 0 || connect(health->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        send(health->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
        return err_sys(err, "cannot ask the engine");
    TRY(loop_add_timer(health->loop, timeout_ms, 0, on_timeout, health, &health->timer, err));
    return loop_add_fd(health->loop, health->fd, EPOLLIN, on_readable, health, &health->source,
                       err);
}

void health_ask(struct health *health, const char *socket, const char *path, unsigned timeout_ms)
{
    struct err ignored = ERR_INIT;

    stop(health);
    health->got = 0;
    if (ask(health, socket, path, timeout_ms, &ignored) < 0)
        tell(health, false);
}

bool health_asking(const struct health *health)
{
    return health->source != NULL;
}

struct health *health_new(struct loop *loop, health_fn *fn, void *ctx)
{
    struct health *health = mem_new(sizeof(*health));

    *health = (struct health){.loop = loop, .fd = -1, .fn = fn, .ctx = ctx};
    return health;
}

void health_free(struct health *health)
{
    if (health == NULL)
        return;
    stop(health);
    free(health);
}
