/* SPDX-License-Identifier: Apache-2.0 */
/* Which engines of a service there shall be: as many as are wanted, all of one template, and while
 * they change one more than that. */
#include "agent/service.h"

#include "base/mem.h"
#include "base/num.h"
#include "oci/ring.h"

#include <string.h>

/* ------------------------------------------------------------------ what is wanted */

bool service_is_outside(const struct service *service)
{
    return json_object_get(service->spec, "upstream") != NULL;
}

unsigned service_wanted(const struct service *service)
{
    const json_t *replicas = json_object_get(service->spec, "replicas");
    json_int_t wanted = replicas == NULL ? 1 : json_integer_value(replicas);

    if (service->deleted || json_object_get(service->spec, "engine") == NULL || wanted < 0)
        return 0;
    return (unsigned)NUM_MIN(wanted, (json_int_t)SERVICE_REPLICAS_MAX);
}

/* What an engine is made of: another value of any of these is another engine. The model's digest is
 * the last one known, so that a model that is being read again changes nothing yet. */
static json_t *make_template(struct service *service)
{
    static const char *const parts[] = {"modelRef", "engine", "runtimeClassName", "resources"};
    const json_t *limits = json_object_get(service->spec, "limits");
    const char *model = codec_json_text(json_object_get(service->spec, "modelRef"), "name", "");
    json_t *template = json_object();

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        json_object_set(template, parts[i], json_object_get(service->spec, parts[i]));
    json_object_set(template, "contextTokens", json_object_get(limits, "contextTokens"));
    models_digest(service->services->agent->models, service->namespace, model,
                  service->model_digest, sizeof(service->model_digest));
    json_object_set_new(template, "digest", json_string(service->model_digest));
    return template;
}

/* ------------------------------------------------------------------ what there is */

struct counts {
    unsigned all;     /* engines that run or are about to */
    unsigned current; /* of them those of the template, but for those that end */
    unsigned serving; /* those that take calls */
};

static struct counts count(const struct service *service)
{
    struct counts counts = {0};
    struct replica *replica;

    LIST_FOREACH (replica, &service->replicas, entry) {
        bool ends = replica->state == REPLICA_DRAINING || replica->state == REPLICA_STOPPING;
        counts.all++;
        counts.current += !ends && replica_is_current(replica);
        counts.serving += replica->state == REPLICA_READY;
    }
    return counts;
}

static bool is_place_taken(const struct service *service, unsigned place)
{
    struct replica *replica;

    LIST_FOREACH (replica, &service->replicas, entry)
        if (replica->place == place)
            return true;
    return false;
}

static unsigned free_place(const struct service *service)
{
    unsigned place = 0;

    while (is_place_taken(service, place))
        place++;
    return place;
}

const struct replica *service_newest(const struct service *service)
{
    const struct replica *newest = NULL;
    const struct replica *replica;

    LIST_FOREACH (replica, &service->replicas, entry)
        if (replica->sandbox != NULL && (newest == NULL || replica->run > newest->run))
            newest = replica;
    return newest;
}

void service_forget_failures(struct service *service)
{
    struct replica *replica;

    LIST_FOREACH (replica, &service->replicas, entry) {
        replica->failures = 0;
        replica->retry_ns = 0;
    }
}

/* ------------------------------------------------------------------ from the one to the other */

/* Nothing is lost with one that takes no calls. */
static void end(struct replica *replica)
{
    if (replica->state == REPLICA_IDLE)
        replica_free(replica);
    else if (replica->state == REPLICA_READY)
        replica_drain(replica);
    else if (replica->state == REPLICA_STARTING)
        replica_stop(replica);
}

static void end_all(struct service *service)
{
    struct replica *replica, *next;

    for (replica = LIST_FIRST(&service->replicas); replica != NULL; replica = next) {
        next = LIST_NEXT(replica, entry);
        if (replica->state == REPLICA_IDLE)
            replica_free(replica);
        else if (replica->state != REPLICA_STOPPING)
            replica_stop(replica);
    }
}

/* What is of another template and takes no calls. */
static void end_unused(struct service *service)
{
    struct replica *replica, *next;

    for (replica = LIST_FIRST(&service->replicas); replica != NULL; replica = next) {
        next = LIST_NEXT(replica, entry);
        if (!replica_is_current(replica) &&
            (replica->state == REPLICA_IDLE || replica->state == REPLICA_STARTING))
            end(replica);
    }
}

/* The one that is missed least: of those that take calls or not, as is asked, an old one before a
 * new one, and one that does not answer before one that does. NULL: there is none. */
static struct replica *least_useful(const struct service *service, bool serving)
{
    struct replica *least = NULL;
    unsigned least_use = 0;
    struct replica *replica;

    LIST_FOREACH (replica, &service->replicas, entry) {
        bool asked = serving ? replica->state == REPLICA_READY
                             : replica->state <= REPLICA_STARTING && replica_is_current(replica);
        unsigned use = 2U * replica_is_current(replica) + replica_is_well(replica);
        if (!asked || (least != NULL &&
                       (use > least_use || (use == least_use && replica->place < least->place))))
            continue;
        least = replica;
        least_use = use;
    }
    return least;
}

static void shrink(struct service *service, unsigned wanted)
{
    struct replica *replica;

    for (struct counts now = count(service); now.current > wanted; now = count(service)) {
        replica = least_useful(service, false);
        if (replica == NULL)
            break;
        end(replica);
    }
    for (struct counts now = count(service); now.serving > wanted; now = count(service))
        end(least_useful(service, true));
}

static void grow(struct service *service, unsigned wanted)
{
    for (struct counts now = count(service);
         now.current < wanted && now.all < wanted + SERVICE_SURGE; now = count(service))
        replica_add(service, free_place(service), services_free_slot(service->services));
}

static void settle(struct service *service)
{
    unsigned wanted = service_wanted(service);
    struct replica *replica;

    json_decref(service->template);
    service->template = wanted == 0 ? NULL : make_template(service);
    if (wanted == 0) {
        end_all(service);
        return;
    }
    end_unused(service);
    shrink(service, wanted);
    grow(service, wanted);
    LIST_FOREACH (replica, &service->replicas, entry)
        replica_step(replica);
}

void service_step(struct service *service)
{
    if (service->spec == NULL)
        return;
    settle(service);
    if (service->deleted && LIST_EMPTY(&service->replicas))
        service_free(service);
    else if (!service->deleted && !service_is_outside(service))
        service_tell(service);
}

/* ------------------------------------------------------------------ made and freed */

struct service *service_new(struct services *services, const char *namespace, const char *name)
{
    struct service *service = mem_new(sizeof(*service));

    service->services = services;
    service->namespace = mem_strdup(namespace);
    service->name = mem_strdup(name);
    LIST_INIT(&service->replicas);
    return service;
}

void service_free(struct service *service)
{
    LIST_REMOVE(service, entry);
    while (!LIST_EMPTY(&service->replicas))
        replica_free(LIST_FIRST(&service->replicas));
    oci_ring_free(service->last_log);
    json_decref(service->template);
    json_decref(service->spec);
    report_free(&service->report);
    free(service->namespace);
    free(service->name);
    free(service);
}
