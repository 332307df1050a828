/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine says, for who asks api for it. An order brings the question; the answer goes to
 * api in pieces. Of each engine the last 64 KiB are kept in memory, and those of the run before.
 * Who follows is told the news five times a second at most, so that an engine that says much is a
 * burden to itself alone; what a follower misses is counted.
 */
#include "agent/engine_log.h"

#include "agent/service.h"
#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "oci/ring.h"
#include "wire/orders.h"

#include <stdlib.h>
#include <sys/queue.h>

enum { FLUSH_MS = 200, ASK_MS = 5000, FOLLOWERS_MAX = 32 };

static const uint64_t never_ms = 1ULL << 40;

struct follower {
    uint64_t id;
    char *namespace, *name;
    unsigned run;      /* which run of the engine it follows */
    uint64_t at;       /* how much of what that run said it has seen */
    uint64_t asked_ns; /* when api last said that somebody still wants it */
    LIST_ENTRY(follower) entry;
};

struct engine_log {
    struct agent *agent;
    struct loop_source *timer;
    size_t count;
    LIST_HEAD(, follower) followers;
};

/* ------------------------------------------------------------------ to api */

/* -1 when nobody wants it any more. */
static int send(struct engine_log *logs, uint64_t id, enum api_log_part part, struct span bytes)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(IPC_BODY_MAX);
    struct err err = ERR_INIT;

    buf_put_u64(&body, id);
    buf_put_u8(&body, (uint8_t)part);
    buf_put_span(&body, bytes);
    if (ipc_call(role_peer(logs->agent->role, ROLE_API), API_LOG, buf_span(&body), NULL, NULL,
                 &err) == 0)
        return 0;
    if (err.code != ERR_GONE && err.code != ERR_UNAVAILABLE)
        log_error("agent.logs", &err);
    return -1;
}

static void refuse(struct engine_log *logs, uint64_t id, const char *why)
{
    (void)send(logs, id, API_LOG_REFUSED, span_str(why));
}

/* ------------------------------------------------------------------ the tail */

static struct span last_lines(struct span text, uint64_t lines)
{
    size_t at = text.len;

    if (at > 0 && text.p[at - 1] == '\n')
        at--;
    for (; at > 0; at--)
        if (text.p[at - 1] == '\n' && --lines == 0)
            break;
    return span_of(text.p + at, text.len - at);
}

static const struct replica *find_running(const struct service *service, const json_t *place)
{
    const struct replica *replica;

    if (place == NULL)
        return service_newest(service);
    LIST_FOREACH (replica, &service->replicas, entry)
        if (replica->sandbox != NULL && replica->place == json_integer_value(place))
            return replica;
    return NULL;
}

/* The log that is asked for, and which run's it is; NULL when there is none. */
static const struct oci_ring *find_log(const struct service *service, const json_t *order,
                                       unsigned *run)
{
    const json_t *place = json_object_get(order, "replica");
    const struct replica *running = find_running(service, place);

    if (running == NULL && place != NULL)
        return NULL;
    if (running != NULL && !json_is_true(json_object_get(order, "previous"))) {
        *run = running->run;
        return sandbox_log(running->sandbox);
    }
    *run = service->last_run;
    return service->last_log;
}

static void put_tail(const struct oci_ring *ring, int64_t lines, struct buf *out)
{
    CLEANUP(buf_free) struct buf all = BUF_INIT(IPC_BODY_MAX);
    uint64_t missed = oci_ring_get_after(ring, 0, &all);
    struct span text = buf_span(&all);

    if (lines == 0)
        return;
    if (lines > 0)
        text = last_lines(text, (uint64_t)lines);
    else if (missed > 0)
        buf_printf(out, "[the first %llu bytes are no longer kept]\n", (unsigned long long)missed);
    buf_put_span(out, text);
}

/* ------------------------------------------------------------------ following */

static void forget(struct engine_log *logs, struct follower *follower)
{
    LIST_REMOVE(follower, entry);
    logs->count--;
    free(follower->namespace);
    free(follower->name);
    free(follower);
}

/* The engine of this run; NULL when it has ended. */
static const struct replica *replica_of_run(const struct service *service, unsigned run)
{
    const struct replica *replica;

    if (service != NULL)
        LIST_FOREACH (replica, &service->replicas, entry)
            if (replica->sandbox != NULL && replica->run == run)
                return replica;
    return NULL;
}

static const struct oci_ring *log_of_run(const struct service *service, unsigned run)
{
    const struct replica *replica = replica_of_run(service, run);

    if (replica != NULL)
        return sandbox_log(replica->sandbox);
    return service != NULL && service->last_run == run ? service->last_log : NULL;
}

/* False when the follower has seen its end. */
static bool flush_one(struct engine_log *logs, struct follower *follower)
{
    CLEANUP(buf_free) struct buf news = BUF_INIT(IPC_BODY_MAX - 64);
    const struct service *service =
        services_find(logs->agent->services, follower->namespace, follower->name);
    const struct oci_ring *ring = log_of_run(service, follower->run);
    bool over = replica_of_run(service, follower->run) == NULL;

    if (ring != NULL) {
        CLEANUP(buf_free) struct buf text = BUF_INIT(IPC_BODY_MAX - 256);
        uint64_t missed = oci_ring_get_after(ring, follower->at, &text);
        if (missed > 0)
            buf_printf(&news, "[%llu bytes were left out]\n", (unsigned long long)missed);
        buf_put_span(&news, buf_span(&text));
        follower->at = oci_ring_total(ring);
    }
    bool ask = clock_mono_ns() - follower->asked_ns > ASK_MS * 1000000ULL;
    if (news.len == 0 && !over && !ask)
        return true;
    follower->asked_ns = clock_mono_ns();
    return send(logs, follower->id, over ? API_LOG_END : API_LOG_MORE, buf_span(&news)) == 0 &&
           !over;
}

static void on_flush(void *ctx)
{
    struct engine_log *logs = ctx;
    struct follower *follower, *next;

    for (follower = LIST_FIRST(&logs->followers); follower != NULL; follower = next) {
        next = LIST_NEXT(follower, entry);
        if (!flush_one(logs, follower))
            forget(logs, follower);
    }
    if (!LIST_EMPTY(&logs->followers))
        loop_rearm(logs->timer, FLUSH_MS, 0);
}

static void follow(struct engine_log *logs, uint64_t id, const struct service *service,
                   unsigned run, uint64_t at)
{
    struct follower *follower = mem_new(sizeof(*follower));

    *follower = (struct follower){.id = id,
                                  .namespace = mem_strdup(service->namespace),
                                  .name = mem_strdup(service->name),
                                  .run = run,
                                  .at = at,
                                  .asked_ns = clock_mono_ns()};
    LIST_INSERT_HEAD(&logs->followers, follower, entry);
    logs->count++;
    loop_rearm(logs->timer, FLUSH_MS, 0);
}

/* ------------------------------------------------------------------ the order */

static const char *why_none(const json_t *order)
{
    if (json_object_get(order, "replica") != NULL)
        return "no such engine runs; status.readyPlaces has those that do";
    if (json_is_true(json_object_get(order, "previous")))
        return "there was no engine before the one that runs, since the agent started";
    return "no engine has run yet; the object's status says why";
}

void engine_log_order(struct engine_log *logs, const char *namespace, const char *name,
                      const json_t *order)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(IPC_BODY_MAX - 64);
    uint64_t id = (uint64_t)json_integer_value(json_object_get(order, "id"));
    const json_t *tail = json_object_get(order, "tailLines");
    int64_t lines = tail == NULL ? -1 : json_integer_value(tail);
    const struct service *service = services_find(logs->agent->services, namespace, name);
    unsigned run = 0;
    const struct oci_ring *ring = service == NULL ? NULL : find_log(service, order, &run);

    if (ring == NULL) {
        refuse(logs, id, why_none(order));
        return;
    }
    put_tail(ring, lines, &text);
    bool goes_on = json_is_true(json_object_get(order, "follow")) &&
                   replica_of_run(service, run) != NULL && logs->count < FOLLOWERS_MAX;
    if (send(logs, id, goes_on ? API_LOG_MORE : API_LOG_END, buf_span(&text)) == 0 && goes_on)
        follow(logs, id, service, run, oci_ring_total(ring));
}

int engine_log_new(struct agent *agent, struct engine_log **out, struct err *err)
{
    struct engine_log *logs = mem_new(sizeof(*logs));

    logs->agent = agent;
    LIST_INIT(&logs->followers);
    *out = logs;
    return loop_add_timer(role_loop(agent->role), never_ms, 0, on_flush, logs, &logs->timer, err);
}

void engine_log_free(struct engine_log *logs)
{
    if (logs == NULL)
        return;
    while (!LIST_EMPTY(&logs->followers))
        forget(logs, LIST_FIRST(&logs->followers));
    free(logs);
}
