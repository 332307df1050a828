/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "log/log.h"
#include "oci/ring.h"

#include <string.h>

enum {
    ASK_STARTING_MS = 50,
    ASK_READY_MS = 5000,
    ANSWER_MS = 3000,
    START_MS = 600 * 1000, /* an engine that does not answer by then is started again */
    MISSED_DEGRADED = 2,
    MISSED_FAILED = 12,
    BACKOFF_FIRST_MS = 500,
    BACKOFF_MAX_MS = 60 * 1000,
    MODEL_RETRY_MS = 5000,
    STEADY_MS = 60 * 1000, /* an engine that was ready this long failed for the first time */
    DRAIN_LOOK_MS = 500,
    DRAIN_LEAST_MS = 2000,      /* until every worker of the gateway has the new policy */
    DRAIN_BLIND_MS = 30 * 1000, /* where the runtime hides the engine's connections */
    DRAIN_MOST_MS = 600 * 1000,
};

static const uint64_t never_ms = 1ULL << 40;
static const uint64_t ns_per_ms = 1000000;

bool replica_is_current(const struct replica *replica)
{
    return json_equal(replica->template, replica->service->template);
}

bool replica_is_well(const struct replica *replica)
{
    return replica->state == REPLICA_READY && replica->missed < MISSED_DEGRADED;
}

static uint64_t ms_since(uint64_t ns)
{
    return (clock_mono_ns() - ns) / ns_per_ms;
}

static int audit(const struct replica *replica, const char *event, enum audit_outcome outcome,
                 const char *reason, struct err *err)
{
    const struct service *service = replica->service;

    return agent_audit(service->services->agent, event, outcome, "modelservices",
                       service->namespace, service->name, reason, err);
}

/* ------------------------------------------------------------------ failing */

static void wait_before_retry(struct replica *replica, uint64_t delay_ms, const char *reason,
                              const char *why)
{
    replica->retry_ns = clock_mono_ns() + delay_ms * ns_per_ms;
    replica->last_reason = reason;
    snprintf(replica->last_failure, sizeof(replica->last_failure), "%s", why);
    services_step(replica->service->services);
}

/* Ever longer, for what the engine itself did. */
static void back_off(struct replica *replica, const char *reason, const char *why)
{
    uint64_t delay_ms = BACKOFF_FIRST_MS;

    for (unsigned i = 0; i < replica->failures && delay_ms < BACKOFF_MAX_MS; i++)
        delay_ms *= 2;
    replica->failures++;
    wait_before_retry(replica, NUM_MIN(delay_ms, (uint64_t)BACKOFF_MAX_MS),
                      replica->failures >= SERVICE_CRASH_LOOP ? "CrashLoop" : reason, why);
}

/* ------------------------------------------------------------------ a sandbox's life */

static void let_go(struct replica *replica)
{
    struct service *service = replica->service;

    oci_ring_free(service->last_log);
    service->last_log = sandbox_take_log(replica->sandbox);
    service->last_run = replica->run;
    sandbox_free(replica->sandbox);
    replica->sandbox = NULL;
    health_free(replica->health);
    replica->health = NULL;
    replica->state = REPLICA_IDLE;
    services_step(service->services);
}

static void release_model(struct replica *replica)
{
    if (replica->model_path != NULL)
        models_release(replica->service->services->agent->models, replica->model_path);
    free(replica->model_path);
    free(replica->file_name);
    replica->model_path = NULL;
    replica->file_name = NULL;
}

static void on_exit_of(void *ctx, const char *how)
{
    struct replica *replica = ctx;
    const struct service *service = replica->service;
    bool expected = replica->state == REPLICA_STOPPING || replica->state == REPLICA_DRAINING;
    bool steady = replica->ready_ns != 0 && ms_since(replica->ready_ns) > STEADY_MS;
    struct err err = ERR_INIT;
    char line[200];

    sandbox_last_line(replica->sandbox, line, sizeof(line));
    CLEANUP_FREE char *why =
        mem_printf("the engine %s%s%s", how, line[0] != '\0' ? ": " : "", line);
    log_say(expected ? LOG_INFO : LOG_WARN, "agent.sandbox.exit", "%s/%s: %s", service->namespace,
            service->name, why);
    if (audit(replica, AUDIT_SANDBOX_EXIT, expected ? AUDIT_SUCCESS : AUDIT_FAILURE, why, &err) < 0)
        log_error("agent.audit", &err);
    loop_rearm(replica->timer, never_ms, 0);
    if (steady)
        replica->failures = 0;
    if (!expected)
        back_off(replica, "EngineFailed", why);
    let_go(replica);
}

static void ask_no_more(struct replica *replica)
{
    loop_rearm(replica->timer, never_ms, 0);
    health_free(replica->health);
    replica->health = NULL;
}

void replica_stop(struct replica *replica)
{
    replica->state = REPLICA_STOPPING;
    ask_no_more(replica);
    sandbox_stop(replica->sandbox);
}

void replica_drain(struct replica *replica)
{
    const struct service *service = replica->service;

    replica->state = REPLICA_DRAINING;
    replica->drained_ns = clock_mono_ns();
    ask_no_more(replica);
    loop_rearm(replica->timer, DRAIN_LOOK_MS, 0);
    log_say(LOG_INFO, "agent.sandbox.drain", "%s/%s: %s gets no more calls", service->namespace,
            service->name, sandbox_id(replica->sandbox));
}

static void on_health(void *ctx, bool well)
{
    struct replica *replica = ctx;
    const struct service *service = replica->service;
    uint64_t age_ms = ms_since(replica->started_ns);

    if (well && replica->state == REPLICA_STARTING) {
        replica->state = REPLICA_READY;
        replica->ready_ns = clock_mono_ns();
        log_say(LOG_INFO, "agent.sandbox.ready", "%s/%s answers after %llu ms", service->namespace,
                service->name, (unsigned long long)age_ms);
    }
    replica->missed = well ? 0 : replica->missed + 1;
    if (replica->state == REPLICA_STARTING && age_ms < START_MS)
        replica->missed = 0;
    loop_rearm(replica->timer, replica->state == REPLICA_STARTING ? ASK_STARTING_MS : ASK_READY_MS,
               0);
    services_step(service->services);
}

static void ask_health(struct replica *replica)
{
    struct sandbox *sandbox = replica->sandbox;
    struct err err = ERR_INIT;
    int listens = sandbox_listens(sandbox, &err);

    if (listens < 0) {
        log_error("agent.sandbox.socket", &err);
        back_off(replica, "SocketRefused", err.msg);
        replica_stop(replica);
        return;
    }
    if (listens == 0) {
        on_health(replica, false);
        return;
    }
    health_ask(replica->health, sandbox_socket(sandbox), sandbox_health_path(sandbox), ANSWER_MS);
}

static void on_timer(void *ctx)
{
    struct replica *replica = ctx;

    if (replica->state == REPLICA_STARTING || replica->state == REPLICA_READY)
        ask_health(replica);
    services_step(replica->service->services);
}

static int launch(struct replica *replica, struct err *err)
{
    struct service *service = replica->service;
    const struct sandbox_config config = {
        .agent = service->services->agent,
        .namespace = service->namespace,
        .name = service->name,
        .spec = service->spec,
        .model_path = replica->model_path,
        .file_name = replica->file_name,
        .place = replica->place,
        .slot = replica->slot,
        .run = service->runs,
        .on_exit = on_exit_of,
        .ctx = replica,
    };

    replica->run = ++service->runs;
    /* What is not in the log does not run. */
    TRY(audit(replica, AUDIT_SANDBOX_START, AUDIT_SUCCESS, "", err));
    replica->started_ns = clock_mono_ns();
    replica->ready_ns = 0;
    replica->missed = 0;
    TRY(sandbox_start(&config, &replica->sandbox, err));
    replica->health = health_new(role_loop(config.agent->role), on_health, replica);
    replica->state = REPLICA_STARTING;
    log_say(LOG_INFO, "agent.sandbox.start", "%s/%s started as %s in %llu ms", service->namespace,
            service->name, sandbox_id(replica->sandbox),
            (unsigned long long)ms_since(replica->started_ns));
    loop_rearm(replica->timer, ASK_STARTING_MS, 0);
    return 0;
}

/* ------------------------------------------------------------------ steps */

/* 0 when the model's file is there; else what is the matter is noted. */
static int hold_model(struct replica *replica)
{
    const struct service *service = replica->service;
    const char *name = codec_json_text(json_object_get(service->spec, "modelRef"), "name", "");
    struct err err = ERR_INIT;

    replica->waits_for = NULL;
    if (replica->model_path != NULL)
        return 0;
    int result = models_use(service->services->agent->models, service->namespace, name,
                            &replica->model_path, &replica->file_name, &err);
    if (result == 0)
        return 0;
    if (result < 0) {
        wait_before_retry(replica, MODEL_RETRY_MS,
                          err.code == ERR_LIMITED ? "NoMemory" : "ModelFailed", err.msg);
    } else {
        replica->waits_for = err.code == ERR_NOT_FOUND ? "ModelMissing" : "ModelNotReady";
        snprintf(replica->last_failure, sizeof(replica->last_failure), "%s", err.msg);
    }
    return -1;
}

static void step_idle(struct replica *replica)
{
    struct err err = ERR_INIT;

    if (clock_mono_ns() < replica->retry_ns) {
        loop_rearm(replica->timer, (replica->retry_ns - clock_mono_ns()) / ns_per_ms + 1, 0);
        return;
    }
    if (hold_model(replica) < 0)
        return;
    if (launch(replica, &err) == 0)
        return;
    log_error("agent.sandbox.start", &err);
    back_off(replica, "StartFailed", err.msg);
}

/* While api has not heard of it, it may still be called. Idle connections that the gateway keeps
 * are closed some seconds behind the last call. */
static void step_draining(struct replica *replica)
{
    const struct service *service = replica->service;

    if (service->report.told == NULL && ms_since(replica->drained_ns) < DRAIN_LEAST_MS)
        replica->drained_ns = clock_mono_ns();
    uint64_t age_ms = ms_since(replica->drained_ns);
    int calls = age_ms < DRAIN_LEAST_MS ? 1 : sandbox_connections(replica->sandbox);
    if (calls == 0 || (calls < 0 && age_ms >= DRAIN_BLIND_MS) || age_ms >= DRAIN_MOST_MS)
        replica_stop(replica);
    else
        loop_rearm(replica->timer, DRAIN_LOOK_MS, 0);
}

void replica_step(struct replica *replica)
{
    switch (replica->state) {
    case REPLICA_IDLE: step_idle(replica); break;
    case REPLICA_STARTING:
    case REPLICA_READY:
        if (replica->missed < MISSED_FAILED)
            break;
        back_off(replica, "NotHealthy", "the engine does not answer");
        replica_stop(replica);
        break;
    case REPLICA_DRAINING: step_draining(replica); break;
    case REPLICA_STOPPING: break;
    }
}

/* ------------------------------------------------------------------ made and freed */

void replica_add(struct service *service, unsigned place, unsigned slot)
{
    struct replica *replica = mem_new(sizeof(*replica));
    struct err err = ERR_INIT;

    *replica = (struct replica){.service = service,
                                .template = json_incref(service->template),
                                .place = place,
                                .slot = slot};
    INVARIANT(loop_add_timer(role_loop(service->services->agent->role), never_ms, 0, on_timer,
                             replica, &replica->timer, &err) == 0);
    LIST_INSERT_HEAD(&service->replicas, replica, entry);
}

void replica_free(struct replica *replica)
{
    struct err err = ERR_INIT;

    LIST_REMOVE(replica, entry);
    if (replica->sandbox != NULL &&
        audit(replica, AUDIT_SANDBOX_EXIT, AUDIT_SUCCESS, "the agent stops", &err) < 0)
        log_error("agent.audit", &err);
    health_free(replica->health);
    sandbox_free(replica->sandbox);
    release_model(replica);
    loop_remove(role_loop(replica->service->services->agent->role), replica->timer);
    json_decref(replica->template);
    free(replica);
}
