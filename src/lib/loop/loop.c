/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 64, NS_PER_MS = 1000000 };

#define DELAY_MAX_MS (UINT64_C(1) << 42)

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_SIGNAL };

struct loop_source {
    enum source_kind kind;
    int fd; /* owned for signals; -1 for timers */
    bool removed;
    loop_fd_fn *on_fd;
    loop_fn *on_timer;
    loop_signal_fn *on_signal;
    void *ctx;
    struct loop *loop;
    bool armed; /* a timer, in `timers` */
    uint64_t due_ns;
    uint64_t period_ns;  /* 0: none */
    uint64_t armed_turn; /* it does not fire in the turn in which it was armed */
    TAILQ_ENTRY(loop_source) timer_entry;
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
    uint64_t turn;
    /* By what is due first. Of our own and not the kernel's: those that move with each batch cost
     * nothing then. */
    TAILQ_HEAD(, loop_source) timers;
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
    TAILQ_INIT(&loop->timers);
    *out = loop;
    return 0;
}

static void free_source(struct loop_source *source)
{
    if (source->kind == SOURCE_SIGNAL)
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

static struct loop_source *new_source(struct loop *loop, const struct loop_source *template)
{
    struct loop_source *source = mem_new(sizeof(*source));

    *source = *template;
    source->loop = loop;
    return source;
}

static int add_source(struct loop *loop, const struct loop_source *template, uint32_t events,
                      struct loop_source **out, struct err *err)
{
    struct loop_source *source = new_source(loop, template);
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

/* ------------------------------------------------------------------ timers */

static void disarm(struct loop_source *timer)
{
    if (timer->armed)
        TAILQ_REMOVE(&timer->loop->timers, timer, timer_entry);
    timer->armed = false;
}

static void arm(struct loop_source *timer, uint64_t due_ns)
{
    struct loop *loop = timer->loop;
    struct loop_source *later;

    disarm(timer);
    timer->armed = true;
    timer->due_ns = due_ns;
    timer->armed_turn = loop->turn;
    TAILQ_FOREACH (later, &loop->timers, timer_entry)
        if (later->due_ns > due_ns)
            break;
    if (later == NULL)
        TAILQ_INSERT_TAIL(&loop->timers, timer, timer_entry);
    else
        TAILQ_INSERT_BEFORE(later, timer, timer_entry);
}

static uint64_t ns_of_ms(uint64_t ms)
{
    return NUM_MIN(ms, DELAY_MAX_MS) * NS_PER_MS;
}

void loop_rearm(struct loop_source *timer, uint64_t delay_ms, uint64_t period_ms)
{
    INVARIANT(timer->kind == SOURCE_TIMER);
    if (timer->removed)
        return;
    timer->period_ns = ns_of_ms(period_ms);
    arm(timer, clock_mono_ns() + ns_of_ms(delay_ms));
}

int loop_add_timer(struct loop *loop, uint64_t delay_ms, uint64_t period_ms, loop_fn *fn, void *ctx,
                   struct loop_source **out, struct err *err UNUSED)
{
    struct loop_source source = {.kind = SOURCE_TIMER, .fd = -1, .on_timer = fn, .ctx = ctx};
    struct loop_source *timer = new_source(loop, &source);

    LIST_INSERT_HEAD(&loop->live, timer, entry);
    loop_rearm(timer, delay_ms, period_ms);
    if (out != NULL)
        *out = timer;
    return 0;
}

/* How long a turn may sleep that waits for `most_ms`; -1: for ever. */
static int wait_ms(const struct loop *loop, int most_ms)
{
    const struct loop_source *first = TAILQ_FIRST(&loop->timers);

    if (first == NULL || most_ms == 0)
        return most_ms;
    uint64_t now_ns = clock_mono_ns();
    uint64_t left_ns = first->due_ns > now_ns ? first->due_ns - now_ns : 0;
    /* Rounded up, or it would wake for nothing. */
    uint64_t left_ms = (left_ns + NS_PER_MS - 1) / NS_PER_MS;
    return (int)NUM_MIN(left_ms, most_ms < 0 ? (uint64_t)INT_MAX : (uint64_t)most_ms);
}

/* What fires once more in the meantime fires once. */
static void fire_timer(struct loop_source *timer, uint64_t now_ns)
{
    uint64_t period_ns = timer->period_ns;

    disarm(timer);
    if (period_ns > 0)
        arm(timer, timer->due_ns + period_ns * (1 + (now_ns - timer->due_ns) / period_ns));
    timer->on_timer(timer->ctx);
}

static struct loop_source *first_due(struct loop *loop, uint64_t now_ns)
{
    struct loop_source *timer;

    TAILQ_FOREACH (timer, &loop->timers, timer_entry) {
        if (timer->due_ns > now_ns)
            return NULL;
        if (timer->armed_turn != loop->turn)
            return timer;
    }
    return NULL;
}

static void fire_timers(struct loop *loop)
{
    struct loop_source *timer;
    uint64_t now_ns = TAILQ_EMPTY(&loop->timers) ? 0 : clock_mono_ns();

    while ((timer = first_due(loop, now_ns)) != NULL)
        fire_timer(timer, now_ns);
}

/* ------------------------------------------------------------------ signals and hooks */

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
    disarm(source);
    /* Fails only when the descriptor was closed before, and then there is nothing to take out. */
    if (source->kind != SOURCE_TIMER)
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    LIST_REMOVE(source, entry);
    LIST_INSERT_HEAD(&loop->dead, source, entry);
    if (!loop->in_turn)
        free_dead(loop);
}

static void fire(struct loop_source *source, uint32_t events)
{
    struct signalfd_siginfo info;

    if (source->kind == SOURCE_FD) {
        source->on_fd(source->ctx, source->fd, events);
        return;
    }
    while (!source->removed && read(source->fd, &info, sizeof(info)) == sizeof(info))
        source->on_signal(source->ctx, (int)info.ssi_signo);
}

int loop_turn(struct loop *loop, int timeout_ms, struct err *err)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN, wait_ms(loop, timeout_ms));

    if (count < 0 && errno != EINTR)
        return err_sys(err, "the event loop failed");
    loop->in_turn = true;
    loop->turn++;
    for (int i = 0; i < count; i++) {
        struct loop_source *source = events[i].data.ptr;
        if (!source->removed)
            fire(source, events[i].events);
    }
    fire_timers(loop);
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
