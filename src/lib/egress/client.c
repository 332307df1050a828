/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/egress.h"

#include "base/clock.h"
#include "base/mem.h"
#include "egress/wire.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/queue.h>

enum { GRACE_MS = 2000, TICK_MS = 500, ARENA_MAX = 1024 * 1024 };

struct waiting {
    uint64_t call;
    uint32_t id; /* of the channel that it went out on */
    uint64_t until_ns;
    egress_answer_fn *on_answer; /* one of the two */
    egress_directory_fn *on_directory;
    void *ctx;
    TAILQ_ENTRY(waiting) entry;
};

struct egress {
    struct loop *loop;
    struct ipc_client *exporter;
    struct loop_source *source; /* NULL while there is no channel */
    struct loop_source *tick;
    int fd;                    /* that the source watches */
    TAILQ_HEAD(, waiting) out; /* by call */
    size_t count;
    uint64_t last_call;
};

/* ------------------------------------------------------------------ endings */

static void tell(struct waiting *waiting, const struct err *why)
{
    if (waiting->on_answer != NULL)
        waiting->on_answer(waiting->ctx, NULL, why);
    else if (waiting->on_directory != NULL)
        waiting->on_directory(waiting->ctx, NULL, why);
    free(waiting);
}

static void take_out(struct egress *egress, struct waiting *waiting)
{
    TAILQ_REMOVE(&egress->out, waiting, entry);
    egress->count--;
    if (egress->count == 0)
        loop_rearm(egress->tick, 1ULL << 40, 0);
}

static void stop_watching(struct egress *egress)
{
    loop_remove(egress->loop, egress->source);
    egress->source = NULL;
    egress->fd = -1;
}

/* Calls that are made by the functions that run here go out anew and are not among these; those
 * that they cancel are gone. */
static void fail_all(struct egress *egress, const struct err *why)
{
    uint64_t last = egress->last_call;
    struct waiting *waiting;

    while ((waiting = TAILQ_FIRST(&egress->out)) != NULL && waiting->call <= last) {
        take_out(egress, waiting);
        tell(waiting, why);
    }
}

static void on_tick(void *ctx)
{
    struct egress *egress = ctx;
    struct waiting *waiting, *next;
    struct err late = ERR_INIT;
    uint64_t now = clock_mono_ns();

    err_set(&late, ERR_TIMEOUT, "the exporter gave no answer in time");
    for (waiting = TAILQ_FIRST(&egress->out); waiting != NULL; waiting = next) {
        next = TAILQ_NEXT(waiting, entry);
        if (waiting->until_ns > now)
            continue;
        take_out(egress, waiting);
        tell(waiting, &late);
        next = TAILQ_FIRST(&egress->out); /* what ran may have changed the list */
    }
}

/* ------------------------------------------------------------------ answers */

static void deliver(struct waiting *waiting, struct span body)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);
    struct egress_directory found = {0};
    struct egress_answer answer = {0};
    struct err err = ERR_INIT;
    bool is_answer = waiting->on_answer != NULL;
    int result = is_answer ? egress_get_answer(body, &answer, &err)
                           : egress_get_directory(body, arena, &found, &err);

    if (result < 0) {
        tell(waiting, &err);
        return;
    }
    if (is_answer)
        waiting->on_answer(waiting->ctx, &answer, NULL);
    else if (waiting->on_directory != NULL)
        waiting->on_directory(waiting->ctx, &found, NULL);
    free(waiting);
}

static struct waiting *find(const struct egress *egress, uint32_t id)
{
    struct waiting *waiting;

    TAILQ_FOREACH (waiting, &egress->out, entry)
        if (waiting->id == id)
            return waiting;
    return NULL;
}

static void on_readable(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct egress *egress = ctx;
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(IPC_BODY_MAX);
    struct err err = ERR_INIT;
    uint32_t id = 0;
    int result = ipc_next(egress->exporter, &id, &body, &err);

    if (result < 0 && id == 0) {
        stop_watching(egress);
        fail_all(egress, &err);
        return;
    }
    struct waiting *waiting = find(egress, id);
    if (waiting == NULL)
        return; /* cancelled, or told already that it is late */
    take_out(egress, waiting);
    if (result < 0)
        tell(waiting, &err);
    else
        deliver(waiting, buf_span(&body));
}

/* ------------------------------------------------------------------ calls */

static int watch(struct egress *egress, struct err *err)
{
    int fd = ipc_client_fd(egress->exporter);

    if (egress->source != NULL && egress->fd == fd)
        return 0;
    if (egress->source != NULL)
        stop_watching(egress);
    if (fd < 0)
        return err_set(err, ERR_UNAVAILABLE, "the exporter is not running; try again in a moment");
    TRY(loop_add_fd(egress->loop, fd, EPOLLIN, on_readable, egress, &egress->source, err));
    egress->fd = fd;
    return 0;
}

static int send_out(struct egress *egress, enum egress_message type, const struct buf *body,
                    uint32_t timeout_ms, struct waiting *what, struct err *err)
{
    uint32_t id;

    if (egress->count == EGRESS_IN_FLIGHT_MAX)
        return err_set(err, ERR_LIMITED, "%d calls to the outside are under way; try again later",
                       EGRESS_IN_FLIGHT_MAX);
    TRY(watch(egress, err));
    int sent = ipc_try_send(egress->exporter, (uint16_t)type, buf_span(body), &id, err);
    if (sent < 0 && err->code == ERR_UNAVAILABLE)
        stop_watching(egress);
    TRY(sent);
    if (sent == 0)
        return err_set(err, ERR_LIMITED, "the exporter is busy; try again in a moment");
    struct waiting *waiting = mem_new(sizeof(*waiting));
    *waiting = *what;
    waiting->call = ++egress->last_call;
    waiting->id = id;
    waiting->until_ns = clock_mono_ns() + (timeout_ms + GRACE_MS) * 1000000ULL;
    if (egress->count++ == 0)
        loop_rearm(egress->tick, TICK_MS, TICK_MS);
    TAILQ_INSERT_TAIL(&egress->out, waiting, entry);
    what->call = waiting->call;
    return 0;
}

static uint32_t timeout_of(uint32_t timeout_ms)
{
    return timeout_ms == 0 ? EGRESS_TIMEOUT_MS : timeout_ms;
}

int egress_fetch(struct egress *egress, const struct egress_request *request, egress_answer_fn *fn,
                 void *ctx, egress_call *out, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(IPC_BODY_MAX);
    struct waiting waiting = {.on_answer = fn, .ctx = ctx};

    INVARIANT(fn != NULL);
    TRY(egress_put_request(request, &body, err));
    TRY(send_out(egress, EGRESS_FETCH, &body, timeout_of(request->timeout_ms), &waiting, err));
    if (out != NULL)
        *out = waiting.call;
    return 0;
}

int egress_bind(struct egress *egress, const struct egress_bind *bind, egress_directory_fn *fn,
                void *ctx, egress_call *out, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(IPC_BODY_MAX);
    struct waiting waiting = {.on_directory = fn, .ctx = ctx};

    INVARIANT(fn != NULL);
    TRY(egress_put_bind(bind, &body, err));
    TRY(send_out(egress, EGRESS_BIND, &body, timeout_of(bind->timeout_ms), &waiting, err));
    if (out != NULL)
        *out = waiting.call;
    return 0;
}

void egress_cancel(struct egress *egress, egress_call call)
{
    struct waiting *waiting;

    TAILQ_FOREACH (waiting, &egress->out, entry) {
        if (waiting->call != call)
            continue;
        take_out(egress, waiting);
        free(waiting);
        return;
    }
}

/* ------------------------------------------------------------------ life */

int egress_new(struct loop *loop, struct ipc_client *exporter, struct egress **out, struct err *err)
{
    struct egress *egress = mem_new(sizeof(*egress));

    egress->loop = loop;
    egress->exporter = exporter;
    egress->fd = -1;
    TAILQ_INIT(&egress->out);
    *out = egress;
    return loop_add_timer(loop, 1ULL << 40, 0, on_tick, egress, &egress->tick, err);
}

void egress_free(struct egress *egress)
{
    if (egress == NULL)
        return;
    while (!TAILQ_EMPTY(&egress->out)) {
        struct waiting *waiting = TAILQ_FIRST(&egress->out);
        TAILQ_REMOVE(&egress->out, waiting, entry);
        free(waiting);
    }
    if (egress->source != NULL)
        stop_watching(egress);
    loop_remove(egress->loop, egress->tick);
    free(egress);
}

void egress_free_ptr(struct egress **egress)
{
    egress_free(*egress);
}

void egress_reconnected(struct egress *egress)
{
    struct err why = ERR_INIT;

    if (egress->source == NULL || ipc_client_fd(egress->exporter) == egress->fd)
        return;
    stop_watching(egress);
    err_set(&why, ERR_UNAVAILABLE, "the exporter was started again; try again");
    fail_all(egress, &why);
}

/* ------------------------------------------------------------------ reading answers */

struct span egress_answer_header(const struct egress_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (answer->headers[i].name.len == strlen(name) &&
            strncasecmp((const char *)answer->headers[i].name.p, name, strlen(name)) == 0)
            return answer->headers[i].value;
    return span_of("", 0);
}

const struct egress_attribute *egress_entry_attribute(const struct egress_entry *entry,
                                                      const char *name)
{
    for (size_t i = 0; i < entry->attribute_count; i++)
        if (entry->attributes[i].name.len == strlen(name) &&
            strncasecmp((const char *)entry->attributes[i].name.p, name, strlen(name)) == 0)
            return &entry->attributes[i];
    return NULL;
}

void egress_put_filter_value(struct span value, struct buf *out)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.p[i] < ' ' || value.p[i] > '~' || strchr("*()\\", value.p[i]) != NULL)
            buf_printf(out, "\\%02x", value.p[i]);
        else
            buf_put_u8(out, value.p[i]);
}

void egress_put_dn_value(struct span value, struct buf *out)
{
    for (size_t i = 0; i < value.len; i++) {
        bool edge =
            (i == 0 && value.p[i] == '#') || (value.p[i] == ' ' && (i == 0 || i + 1 == value.len));
        if (value.p[i] < ' ' || value.p[i] > '~' || edge ||
            strchr("\"+,;<>\\=", value.p[i]) != NULL)
            buf_printf(out, "\\%02x", value.p[i]);
        else
            buf_put_u8(out, value.p[i]);
    }
}
