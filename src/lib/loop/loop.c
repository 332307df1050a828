/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 64 };

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_SIGNAL };

struct loop_source {
    enum source_kind kind;
    int fd; /* owned for timers and signals */
    bool removed;
    loop_fd_fn *on_fd;
    loop_fn *on_timer;
    loop_signal_fn *on_signal;
    void *ctx;
    LIST_ENTRY(loop_source) entry;
};

struct batch_hook {
    loop_fn *fn;
    void *ctx;
};

struct loop {
    int epoll_fd;
    bool stopped;
    bool in_turn;
    struct batch_hook *hooks;
    size_t hook_count;
    LIST_HEAD(, loop_source) live;
    LIST_HEAD(, loop_source) dead; /* freed when the turn is over: an event may still point there */
};

int loop_new(struct loop **out, struct err *err)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (epoll_fd < 0)
        return err_sys(err, "cannot create an event loop");
    struct loop *loop = mem_new(sizeof(*loop));
    loop->epoll_fd = epoll_fd;
    *out = loop;
    return 0;
}

static void free_source(struct loop_source *source)
{
    if (source->kind != SOURCE_FD)
        fd_close(&source->fd);
    LIST_REMOVE(source, entry);
    free(source);
}

static void free_dead(struct loop *loop)
{
    while (!LIST_EMPTY(&loop->dead))
        free_source(LIST_FIRST(&loop->dead));
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    free_dead(loop);
    while (!LIST_EMPTY(&loop->live))
        free_source(LIST_FIRST(&loop->live));
    fd_close(&loop->epoll_fd);
    free(loop->hooks);
    free(loop);
}

void loop_free_ptr(struct loop **loop)
{
    loop_free(*loop);
}

static int add_source(struct loop *loop, const struct loop_source *template, uint32_t events,
                      struct loop_source **out, struct err *err)
{
    struct loop_source *source = mem_new(sizeof(*source));

    *source = *template;
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0) {
        free(source);
        return err_sys(err, "cannot watch descriptor %d", template->fd);
    }
    LIST_INSERT_HEAD(&loop->live, source, entry);
    if (out != NULL)
        *out = source;
    return 0;
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *ctx,
                struct loop_source **out, struct err *err)
{
    struct loop_source source = {.kind = SOURCE_FD, .fd = fd, .on_fd = fn, .ctx = ctx};

    return add_source(loop, &source, events, out, err);
}

int loop_change_fd(struct loop *loop, struct loop_source *source, uint32_t events, struct err *err)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0)
        return err_sys(err, "cannot change what is watched on descriptor %d", source->fd);
    return 0;
}

static struct timespec timespec_of_ms(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

void loop_rearm(struct loop_source *timer, uint64_t delay_ms, uint64_t period_ms)
{
    struct itimerspec spec = {.it_value = timespec_of_ms(delay_ms),
                              .it_interval = timespec_of_ms(period_ms)};

    /* A zero delay would switch the timer off; it means "at the next turn". */
    if (delay_ms == 0)
        spec.it_value.tv_nsec = 1;
    INVARIANT(timer->kind == SOURCE_TIMER && timerfd_settime(timer->fd, 0, &spec, NULL) == 0);
}

int loop_add_timer(struct loop *loop, uint64_t delay_ms, uint64_t period_ms, loop_fn *fn, void *ctx,
                   struct loop_source **out, struct err *err)
{
    struct loop_source source = {.kind = SOURCE_TIMER, .on_timer = fn, .ctx = ctx};
    struct loop_source *added = NULL;

    source.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (source.fd < 0)
        return err_sys(err, "cannot create a timer");
    if (add_source(loop, &source, EPOLLIN, &added, err) < 0) {
        fd_close(&source.fd);
        return -1;
    }
    loop_rearm(added, delay_ms, period_ms);
    if (out != NULL)
        *out = added;
    return 0;
}

int loop_add_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *ctx,
                     struct err *err)
{
    struct loop_source source = {.kind = SOURCE_SIGNAL, .on_signal = fn, .ctx = ctx};

    if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
        return err_sys(err, "cannot block signals");
    source.fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (source.fd < 0)
        return err_sys(err, "cannot create a signal descriptor");
    if (add_source(loop, &source, EPOLLIN, NULL, err) < 0) {
        fd_close(&source.fd);
        return -1;
    }
    return 0;
}

void loop_add_batch(struct loop *loop, loop_fn *fn, void *ctx)
{
    size_t count = loop->hook_count + 1;

    loop->hooks = mem_resize_array(loop->hooks, count, sizeof(*loop->hooks));
    loop->hooks[loop->hook_count] = (struct batch_hook){.fn = fn, .ctx = ctx};
    loop->hook_count = count;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    if (source == NULL || source->removed)
        return;
    source->removed = true;
    /* Fails only when the descriptor was closed before, and then there is nothing to take out. */
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    LIST_REMOVE(source, entry);
    LIST_INSERT_HEAD(&loop->dead, source, entry);
    if (!loop->in_turn)
        free_dead(loop);
}

static void fire(struct loop_source *source, uint32_t events)
{
    struct signalfd_siginfo info;
    uint64_t expirations;

    switch (source->kind) {
    case SOURCE_FD: source->on_fd(source->ctx, source->fd, events); break;
    case SOURCE_TIMER:
        if (read(source->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
            source->on_timer(source->ctx);
        break;
    case SOURCE_SIGNAL:
        while (!source->removed && read(source->fd, &info, sizeof(info)) == sizeof(info))
            source->on_signal(source->ctx, (int)info.ssi_signo);
        break;
    }
}

int loop_turn(struct loop *loop, int timeout_ms, struct err *err)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN, timeout_ms);

    if (count < 0 && errno != EINTR)
        return err_sys(err, "the event loop failed");
    loop->in_turn = true;
    for (int i = 0; i < count; i++) {
        struct loop_source *source = events[i].data.ptr;
        if (!source->removed)
            fire(source, events[i].events);
    }
    for (size_t i = 0; i < loop->hook_count; i++)
        loop->hooks[i].fn(loop->hooks[i].ctx);
    loop->in_turn = false;
    free_dead(loop);
    return 0;
}

int loop_run(struct loop *loop, struct err *err)
{
    loop->stopped = false;
    while (!loop->stopped)
        TRY(loop_turn(loop, -1, err));
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
