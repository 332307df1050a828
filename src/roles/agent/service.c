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
    CRASH_LOOP = 3,        /* failures in a row */
};

static const uint64_t never_ms = 1ULL << 40;

/* ------------------------------------------------------------------ status */

static void tell(struct service *service, const char *phase, unsigned replicas, const char *reason,
                 const char *message)
{
    CLEANUP_JSON json_t *status =
        json_pack("{s:s, s:i, s:I}", "phase", phase, "replicas", (int)replicas,
                  "observedGeneration", (json_int_t)service->generation);
    bool ready = strcmp(phase, "Ready") == 0 || strcmp(phase, "Degraded") == 0;
    json_int_t wanted = json_integer_value(json_object_get(service->spec, "replicas"));

    report_condition(&service->report, status, "Ready", ready, reason, message,
                     service->generation);
    if (wanted > 1)
        report_condition(&service->report, status, "Scaled", false, "OneReplica",
                         "only one replica of an engine is supported; one runs",
                         service->generation);
    if (service->failures >= CRASH_LOOP)
        report_condition(&service->report, status, "CrashLoop", true, "EngineFails",
                         service->last_failure, service->generation);
    report_tell(&service->report, role_peer(service->services->agent->role, ROLE_API),
                "agent.status", "ModelService", service->namespace, service->name, status);
}

static int audit(const struct service *service, const char *event, enum audit_outcome outcome,
                 const char *reason, struct err *err)
{
    return agent_audit(service->services->agent, event, outcome, "modelservices",
                       service->namespace, service->name, reason, err);
}

/* ------------------------------------------------------------------ failing */

void service_forget_failures(struct service *service)
{
    service->failures = 0;
    service->retry_ns = 0;
}

static void wait_before_retry(struct service *service, uint64_t delay_ms, const char *reason,
                              const char *why)
{
    service->retry_ns = clock_mono_ns() + delay_ms * 1000000;
    service->last_reason = reason;
    snprintf(service->last_failure, sizeof(service->last_failure), "%s", why);
    services_step(service->services);
}

/* Ever longer, for what the engine itself did. */
static void back_off(struct service *service, const char *reason, const char *why)
{
    uint64_t delay_ms = BACKOFF_FIRST_MS;

    for (unsigned i = 0; i < service->failures && delay_ms < BACKOFF_MAX_MS; i++)
        delay_ms *= 2;
    service->failures++;
    wait_before_retry(service, NUM_MIN(delay_ms, (uint64_t)BACKOFF_MAX_MS),
                      service->failures >= CRASH_LOOP ? "CrashLoop" : reason, why);
}

/* ------------------------------------------------------------------ a sandbox's life */

static void let_go(struct service *service)
{
    oci_ring_free(service->last_log);
    service->last_log = sandbox_take_log(service->sandbox);
    service->last_run = service->runs;
    sandbox_free(service->sandbox);
    service->sandbox = NULL;
    health_free(service->health);
    service->health = NULL;
    service->state = SERVICE_IDLE;
    services_step(service->services);
}

static void release_model(struct service *service)
{
    if (service->model_path != NULL)
        models_release(service->services->agent->models, service->model_path);
    free(service->model_path);
    free(service->file_name);
    service->model_path = NULL;
    service->file_name = NULL;
}

static void on_exit_of(void *ctx, const char *how)
{
    struct service *service = ctx;
    bool expected = service->state == SERVICE_STOPPING;
    bool steady =
        service->ready_ns != 0 && clock_mono_ns() - service->ready_ns > STEADY_MS * 1000000ULL;
    struct err err = ERR_INIT;
    char line[200];

    sandbox_last_line(service->sandbox, line, sizeof(line));
    CLEANUP_FREE char *why =
        mem_printf("the engine %s%s%s", how, line[0] != '\0' ? ": " : "", line);
    log_say(expected ? LOG_INFO : LOG_WARN, "agent.sandbox.exit", "%s/%s: %s", service->namespace,
            service->name, why);
    if (audit(service, AUDIT_SANDBOX_EXIT, expected ? AUDIT_SUCCESS : AUDIT_FAILURE, why, &err) < 0)
        log_error("agent.audit", &err);
    loop_rearm(service->timer, never_ms, 0);
    if (steady)
        service_forget_failures(service);
    if (!expected)
        back_off(service, "EngineFailed", why);
    let_go(service);
}

static void stop(struct service *service)
{
    service->state = SERVICE_STOPPING;
    loop_rearm(service->timer, never_ms, 0);
    health_free(service->health);
    service->health = NULL;
    sandbox_stop(service->sandbox);
}

static void on_health(void *ctx, bool well)
{
    struct service *service = ctx;
    uint64_t age_ms = (clock_mono_ns() - service->started_ns) / 1000000;

    if (well && service->state == SERVICE_STARTING) {
        service->state = SERVICE_READY;
        service->ready_ns = clock_mono_ns();
        log_say(LOG_INFO, "agent.sandbox.ready", "%s/%s answers after %llu ms", service->namespace,
                service->name, (unsigned long long)age_ms);
    }
    service->missed = well ? 0 : service->missed + 1;
    if (service->state == SERVICE_STARTING && age_ms < START_MS)
        service->missed = 0;
    loop_rearm(service->timer, service->state == SERVICE_STARTING ? ASK_STARTING_MS : ASK_READY_MS,
               0);
    services_step(service->services);
}

static void ask_health(struct service *service)
{
    struct sandbox *sandbox = service->sandbox;
    struct err err = ERR_INIT;
    int listens = sandbox_listens(sandbox, &err);

    if (listens < 0) {
        log_error("agent.sandbox.socket", &err);
        back_off(service, "SocketRefused", err.msg);
        stop(service);
        return;
    }
    if (listens == 0) {
        on_health(service, false);
        return;
    }
    health_ask(service->health, sandbox_socket(sandbox), sandbox_health_path(sandbox), ANSWER_MS);
}

static void on_timer(void *ctx)
{
    struct service *service = ctx;

    if (service->state == SERVICE_STARTING || service->state == SERVICE_READY)
        ask_health(service);
    services_step(service->services);
}

static int launch(struct service *service, struct err *err)
{
    const struct sandbox_config config = {
        .agent = service->services->agent,
        .namespace = service->namespace,
        .name = service->name,
        .spec = service->spec,
        .model_path = service->model_path,
        .file_name = service->file_name,
        .slot = service->slot,
        .run = service->runs++,
        .on_exit = on_exit_of,
        .ctx = service,
    };

    /* What is not in the log does not run. */
    TRY(audit(service, AUDIT_SANDBOX_START, AUDIT_SUCCESS, "", err));
    service->started_ns = clock_mono_ns();
    service->ready_ns = 0;
    service->missed = 0;
    TRY(sandbox_start(&config, &service->sandbox, err));
    service->health = health_new(role_loop(config.agent->role), on_health, service);
    service->running_generation = service->generation;
    service->state = SERVICE_STARTING;
    log_say(LOG_INFO, "agent.sandbox.start", "%s/%s started as %s in %llu ms", service->namespace,
            service->name, sandbox_id(service->sandbox),
            (unsigned long long)(clock_mono_ns() - service->started_ns) / 1000000);
    loop_rearm(service->timer, ASK_STARTING_MS, 0);
    return 0;
}

/* ------------------------------------------------------------------ steps */

bool service_is_outside(const struct service *service)
{
    return json_object_get(service->spec, "upstream") != NULL;
}

static bool wants_engine(const struct service *service)
{
    const json_t *replicas = json_object_get(service->spec, "replicas");

    return !service->deleted && json_object_get(service->spec, "engine") != NULL &&
           (replicas == NULL || json_integer_value(replicas) > 0);
}

/* 0 when the model's file is there; else what is the matter was told. */
static int hold_model(struct service *service)
{
    const char *name = codec_json_text(json_object_get(service->spec, "modelRef"), "name", "");
    struct err err = ERR_INIT;

    if (service->model_path != NULL)
        return 0;
    int result = models_use(service->services->agent->models, service->namespace, name,
                            &service->model_path, &service->file_name, &err);
    if (result == 0)
        return 0;
    if (result < 0) {
        wait_before_retry(service, MODEL_RETRY_MS,
                          err.code == ERR_LIMITED ? "NoMemory" : "ModelFailed", err.msg);
    } else {
        tell(service, "Pending", 0, err.code == ERR_NOT_FOUND ? "ModelMissing" : "ModelNotReady",
             err.msg);
    }
    return -1;
}

static void step_idle(struct service *service)
{
    struct err err = ERR_INIT;

    if (!wants_engine(service)) {
        release_model(service);
        if (!service_is_outside(service))
            tell(service, "Stopped", 0, "Stopped", "no replica is wanted");
        return;
    }
    if (clock_mono_ns() < service->retry_ns) {
        loop_rearm(service->timer, (service->retry_ns - clock_mono_ns()) / 1000000 + 1, 0);
        tell(service, "Failed", 0, service->last_reason, service->last_failure);
        return;
    }
    if (hold_model(service) < 0)
        return;
    if (launch(service, &err) == 0) {
        tell(service, "Starting", 0, "EngineStarting", "the engine does not answer yet");
        return;
    }
    log_error("agent.sandbox.start", &err);
    back_off(service, "StartFailed", err.msg);
}

static void step_running(struct service *service)
{
    if (!wants_engine(service) || service->generation != service->running_generation) {
        stop(service);
        tell(service, "Starting", 0, "EngineStopping", "the engine is being stopped");
        return;
    }
    if (service->missed >= MISSED_FAILED) {
        back_off(service, "NotHealthy", "the engine does not answer");
        stop(service);
    } else if (service->state == SERVICE_STARTING) {
        tell(service, "Starting", 0, "EngineStarting", "the engine does not answer yet");
    } else if (service->missed >= MISSED_DEGRADED) {
        tell(service, "Degraded", 1, "NotHealthy", "the engine does not answer in time");
    } else {
        tell(service, "Ready", 1, "EngineReady", "the engine answers");
    }
}

void service_step(struct service *service)
{
    if (service->spec == NULL)
        return;
    switch (service->state) {
    case SERVICE_IDLE:
        if (service->deleted)
            service_free(service);
        else
            step_idle(service);
        break;
    case SERVICE_STARTING:
    case SERVICE_READY: step_running(service); break;
    case SERVICE_STOPPING: break;
    }
}

/* ------------------------------------------------------------------ made and freed */

struct service *service_new(struct services *services, const char *namespace, const char *name,
                            unsigned slot)
{
    struct service *service = mem_new(sizeof(*service));
    struct err err = ERR_INIT;

    service->services = services;
    service->namespace = mem_strdup(namespace);
    service->name = mem_strdup(name);
    service->slot = slot;
    INVARIANT(loop_add_timer(role_loop(services->agent->role), never_ms, 0, on_timer, service,
                             &service->timer, &err) == 0);
    return service;
}

void service_free(struct service *service)
{
    struct err err = ERR_INIT;

    LIST_REMOVE(service, entry);
    if (service->sandbox != NULL &&
        audit(service, AUDIT_SANDBOX_EXIT, AUDIT_SUCCESS, "the agent stops", &err) < 0)
        log_error("agent.audit", &err);
    health_free(service->health);
    sandbox_free(service->sandbox);
    oci_ring_free(service->last_log);
    release_model(service);
    loop_remove(role_loop(service->services->agent->role), service->timer);
    json_decref(service->spec);
    report_free(&service->report);
    free(service->namespace);
    free(service->name);
    free(service);
}
