/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ModelService objects: each is brought step by step to what its spec says. A step is taken
 * whenever something that services wait for has changed, and looks at everything anew.
 */
#include "agent/agent_internal.h"
#include "agent/service.h"
#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"

#include <string.h>

struct service *services_find(const struct services *services, const char *namespace,
                              const char *name)
{
    struct service *service;

    LIST_FOREACH (service, &services->list, entry)
        if (strcmp(service->namespace, namespace) == 0 && strcmp(service->name, name) == 0)
            return service;
    return NULL;
}

static struct sandbox *ready_sandbox(const struct service *service)
{
    const struct replica *replica;

    LIST_FOREACH (replica, &service->replicas, entry)
        if (replica->state == REPLICA_READY)
            return replica->sandbox;
    return NULL;
}

struct sandbox *services_sandbox(const struct services *services, const struct service *service)
{
    struct sandbox *sandbox = NULL;

    if (service != NULL)
        return ready_sandbox(service);
    LIST_FOREACH (service, &services->list, entry)
        if (sandbox == NULL)
            sandbox = ready_sandbox(service);
    return sandbox;
}

static bool is_slot_taken(const struct services *services, unsigned slot)
{
    const struct service *service;
    const struct replica *replica;

    LIST_FOREACH (service, &services->list, entry)
        LIST_FOREACH (replica, &service->replicas, entry)
            if (replica->slot == slot)
                return true;
    return false;
}

unsigned services_free_slot(const struct services *services)
{
    unsigned slot = 1;

    while (is_slot_taken(services, slot))
        slot++;
    return slot;
}

void services_put(struct services *services, const char *namespace, const char *name,
                  const json_t *object)
{
    struct service *service = services_find(services, namespace, name);
    json_int_t generation =
        json_integer_value(codec_json_at(object, "metadata", "generation", NULL));

    if (service == NULL) {
        service = service_new(services, namespace, name);
        report_adopt(&service->report, json_object_get(object, "status"));
        LIST_INSERT_HEAD(&services->list, service, entry);
    }
    service->seen = true;
    service->deleted = false;
    if (service->spec != NULL && service->generation == generation)
        return;
    json_decref(service->spec);
    service->spec = json_deep_copy(json_object_get(object, "spec"));
    service->generation = generation;
    service_forget_failures(service);
    services_step(services);
}

void services_delete(struct services *services, const char *namespace, const char *name)
{
    struct service *service = services_find(services, namespace, name);

    if (service != NULL)
        service->deleted = true;
    services_step(services);
}

void services_mark(struct services *services)
{
    struct service *service;

    LIST_FOREACH (service, &services->list, entry)
        service->seen = false;
}

void services_settle(struct services *services)
{
    struct service *service;

    LIST_FOREACH (service, &services->list, entry)
        service->deleted = service->deleted || !service->seen;
    services_step(services);
}

void services_step(struct services *services)
{
    services->dirty = true;
}

static void on_batch(void *ctx)
{
    struct services *services = ctx;
    struct service *service, *next;

    /* A step may change what another service waits for. */
    for (int round = 0; services->dirty && round < 8; round++) {
        services->dirty = false;
        for (service = LIST_FIRST(&services->list); service != NULL; service = next) {
            next = LIST_NEXT(service, entry);
            service_step(service);
        }
        models_drop_unused(services->agent->models);
    }
}

static bool is_engine(void *ctx, pid_t pid)
{
    const struct services *services = ctx;
    const struct service *service;
    const struct replica *replica;

    LIST_FOREACH (service, &services->list, entry)
        LIST_FOREACH (replica, &service->replicas, entry)
            if (replica->sandbox != NULL && sandbox_pid(replica->sandbox) == pid)
                return true;
    return false;
}

/* What api could not be told is told again. */
static void on_tick(void *ctx)
{
    struct services *services = ctx;
    struct service *service;

    LIST_FOREACH (service, &services->list, entry)
        if (service->spec != NULL && service->report.told == NULL && !service_is_outside(service))
            services->dirty = true;
    models_tell_again(services->agent->models);
    oci_bury_orphans(is_engine, services);
}

int services_new(struct agent *agent, struct services **out, struct err *err)
{
    struct services *services = mem_new(sizeof(*services));

    services->agent = agent;
    LIST_INIT(&services->list);
    *out = services;
    loop_add_batch(role_loop(agent->role), on_batch, services);
    return loop_add_timer(role_loop(agent->role), 1000, 1000, on_tick, services, NULL, err);
}

void services_free(struct services *services)
{
    if (services == NULL)
        return;
    while (!LIST_EMPTY(&services->list))
        service_free(LIST_FIRST(&services->list));
    free(services);
}
