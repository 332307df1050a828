/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One model service on its way (service.c), and each engine of it (replica.c). For services.c and
 * who shows or proves something about an engine.
 *
 * A replica runs what the service's spec and model were when it was made, its template; another
 * template is another replica. So a change is one engine more for a while (a surge of one): a new
 * one answers before an old one is drained and ends. One that never answers takes nothing away.
 */
#ifndef DRUN_AGENT_SERVICE_H
#define DRUN_AGENT_SERVICE_H

#include "agent/agent_internal.h"
#include "agent/health.h"
#include "agent/sandbox.h"

#include <sys/queue.h>

enum { SERVICE_REPLICAS_MAX = 32, SERVICE_SURGE = 1, SERVICE_CRASH_LOOP = 3 };

enum replica_state {
    REPLICA_IDLE,     /* no sandbox */
    REPLICA_STARTING, /* the engine does not answer yet */
    REPLICA_READY,
    REPLICA_DRAINING, /* gets no new calls, and ends behind the last */
    REPLICA_STOPPING,
};

struct replica {
    struct service *service;
    json_t *template;
    unsigned place; /* from 0, no other of the service has it: its socket */
    unsigned slot;  /* from 1, no other on this host has it: its ids */
    enum replica_state state;
    struct sandbox *sandbox; /* NULL: IDLE */
    unsigned run;            /* which of the service's */
    char *model_path;        /* held with models_use(); NULL: not held */
    char *file_name;
    const char *waits_for; /* a model, for this reason, as last_failure says; or NULL */
    uint64_t started_ns;
    uint64_t ready_ns;
    uint64_t drained_ns;       /* since when nobody is sent to it */
    struct loop_source *timer; /* next health question, next start, next look at its calls */
    struct health *health;
    unsigned missed;   /* health questions in a row without a good answer */
    unsigned failures; /* starts in a row that did not last */
    uint64_t retry_ns; /* no start before */
    const char *last_reason;
    char last_failure[384];
    LIST_ENTRY(replica) entry;
};

struct service {
    struct services *services;
    char *namespace;
    char *name;
    json_t *spec;
    json_int_t generation;
    json_int_t rolled_generation; /* the last that all engines had */
    char rolled_digest[80];       /* the model's, likewise; "" while it is not known */
    bool seen;
    bool deleted;
    json_t *template;      /* what engines that are started now are made of; NULL: none shall run */
    char model_digest[80]; /* in it; "" while it is not known */
    unsigned runs;         /* how often an engine was started */
    struct oci_ring *last_log; /* of the last run that has ended; NULL: none */
    unsigned last_run;
    struct report report;
    LIST_HEAD(, replica) replicas;
    LIST_ENTRY(service) entry;
};

struct services {
    struct agent *agent;
    bool dirty;
    LIST_HEAD(, service) list;
};

/* ------------------------------------------------------------------ service.c */

struct service *service_new(struct services *services, const char *namespace,
                            const char *name) MUST_USE;
/* Ends its sandboxes now. */
void service_free(struct service *service);
/* Its engine is outside the platform, and the exporter answers for it. */
bool service_is_outside(const struct service *service);
/* May free it, when it was deleted. */
void service_step(struct service *service);
void service_forget_failures(struct service *service);
/* How many engines its spec wants. */
unsigned service_wanted(const struct service *service);
/* The engine that was started last and runs; NULL: none runs. */
const struct replica *service_newest(const struct service *service);

/* ------------------------------------------------------------------ service_status.c */

/* Tells api how it stands. */
void service_tell(struct service *service);

/* ------------------------------------------------------------------ replica.c */

void replica_add(struct service *service, unsigned place, unsigned slot);
/* Ends its sandbox now. */
void replica_free(struct replica *replica);
/* Starts what shall run, ends what fails or has drained. */
void replica_step(struct replica *replica);
/* It ends: now, or behind its last call. */
void replica_stop(struct replica *replica);
void replica_drain(struct replica *replica);
bool replica_is_current(const struct replica *replica);
/* It has answered lately. */
bool replica_is_well(const struct replica *replica);

/* ------------------------------------------------------------------ services.c */

struct service *services_find(const struct services *services, const char *namespace,
                              const char *name);
/* One that is ready, of this service or, for NULL, of any; or NULL. */
struct sandbox *services_sandbox(const struct services *services, const struct service *service);
/* The smallest slot that no engine of this host has. */
unsigned services_free_slot(const struct services *services);

#endif
