/* SPDX-License-Identifier: Apache-2.0 */
/* For services.c and service.c: one model service on its way. */
#ifndef DRUN_AGENT_SERVICE_H
#define DRUN_AGENT_SERVICE_H

#include "agent/agent_internal.h"
#include "agent/health.h"
#include "agent/sandbox.h"

#include <sys/queue.h>

enum service_state {
    SERVICE_IDLE,     /* no sandbox */
    SERVICE_STARTING, /* the engine does not answer yet */
    SERVICE_READY,
    SERVICE_STOPPING,
};

struct service {
    struct services *services;
    char *namespace;
    char *name;
    json_t *spec;
    json_int_t generation;
    bool seen;
    bool deleted;
    unsigned slot;

    enum service_state state;
    struct sandbox *sandbox; /* NULL: IDLE */
    json_int_t running_generation;
    unsigned runs;             /* how often it was started */
    struct oci_ring *last_log; /* of the last run that has ended; NULL: none */
    unsigned last_run;
    char *model_path; /* held with models_use(); NULL: not held */
    char *file_name;
    uint64_t started_ns;
    uint64_t ready_ns;
    struct loop_source *timer; /* next health question, or next start */
    struct health *health;
    unsigned missed;   /* health questions in a row without a good answer */
    unsigned failures; /* starts in a row that did not last */
    uint64_t retry_ns; /* no start before */
    const char *last_reason;
    char last_failure[384];
    struct report report;
    LIST_ENTRY(service) entry;
};

struct services {
    struct agent *agent;
    bool dirty;
    LIST_HEAD(, service) list;
};

struct service *service_new(struct services *services, const char *namespace, const char *name,
                            unsigned slot) MUST_USE;
/* Ends its sandbox now. */
void service_free(struct service *service);
/* Its engine is outside the platform, and the exporter answers for it. */
bool service_is_outside(const struct service *service);
/* May free it, when it was deleted. */
void service_step(struct service *service);
void service_forget_failures(struct service *service);

struct service *services_find(const struct services *services, const char *namespace,
                              const char *name);
/* One that is ready, or NULL. */
struct sandbox *services_any_sandbox(const struct services *services);

#endif
