/* SPDX-License-Identifier: Apache-2.0 */
/* What a ModelService's status says of its engines. */
#include "agent/service.h"

#include <string.h>

struct picture {
    unsigned engines; /* that run, but for those that end */
    unsigned ready;   /* of them those that answered once */
    unsigned well;    /* and answered lately */
    unsigned ending;
    unsigned old;                  /* of another template, and not ending */
    const struct replica *failing; /* the one that failed most often in a row */
    const struct replica *waiting; /* for its model */
};

static struct picture look(const struct service *service)
{
    struct picture seen = {0};
    const struct replica *replica;

    LIST_FOREACH (replica, &service->replicas, entry) {
        bool runs = replica->state == REPLICA_STARTING || replica->state == REPLICA_READY;
        seen.engines += runs;
        seen.ready += replica->state == REPLICA_READY;
        seen.well += replica_is_well(replica);
        seen.ending += replica->state >= REPLICA_DRAINING;
        seen.old += runs && !replica_is_current(replica);
        if (replica->failures > 0 || (replica->state == REPLICA_IDLE && replica->retry_ns > 0))
            if (seen.failing == NULL || replica->failures > seen.failing->failures)
                seen.failing = replica;
        if (replica->waits_for != NULL)
            seen.waiting = replica;
    }
    return seen;
}

struct verdict {
    const char *phase;
    const char *reason;
    char message[512];
};

static void say(struct verdict *out, const char *phase, const char *reason, const char *message)
{
    out->phase = phase;
    out->reason = reason;
    snprintf(out->message, sizeof(out->message), "%s", message);
}

static void say_some(struct verdict *out, const struct picture *seen, unsigned wanted)
{
    const char *failure = seen->failing == NULL ? "" : seen->failing->last_failure;

    say(out, "Degraded", "SomeEnginesNotReady", "");
    snprintf(out->message, sizeof(out->message), "%u of %u engines answer%s%s", seen->well, wanted,
             failure[0] == '\0' ? "" : ": ", failure);
}

static void judge(const struct picture *seen, unsigned wanted, struct verdict *out)
{
    if (wanted == 0 && seen->engines + seen->ending > 0)
        say(out, "Starting", "EngineStopping", "the engine is being stopped");
    else if (wanted == 0)
        say(out, "Stopped", "Stopped", "no replica is wanted");
    else if (seen->ready > 0 && seen->well == 0)
        say(out, "Degraded", "NotHealthy", "the engine does not answer in time");
    else if (seen->well >= wanted)
        say(out, "Ready", "EngineReady", wanted == 1 ? "the engine answers" : "all engines answer");
    else if (seen->well > 0)
        say_some(out, seen, wanted);
    else if (seen->engines > 0)
        say(out, "Starting", "EngineStarting", "the engine does not answer yet");
    else if (seen->waiting != NULL)
        say(out, "Pending", seen->waiting->waits_for, seen->waiting->last_failure);
    else if (seen->failing != NULL)
        say(out, "Failed", seen->failing->last_reason, seen->failing->last_failure);
    else
        say(out, "Starting", "EngineStarting", "the engine is being started");
}

/* Those that are sent calls: one that does not answer in time is, when no other does. */
static json_t *places_of(const struct service *service, const struct picture *seen)
{
    json_t *places = json_array();
    const struct replica *replica;

    for (unsigned place = 0; place < SERVICE_REPLICAS_MAX + SERVICE_SURGE; place++)
        LIST_FOREACH (replica, &service->replicas, entry)
            if (replica->place == place && replica->state == REPLICA_READY &&
                (seen->well == 0 || replica_is_well(replica)))
                json_array_append_new(places, json_integer(place));
    return places;
}

static void note_rolled(struct service *service, const struct picture *seen)
{
    if (seen->old > 0)
        return;
    service->rolled_generation = service->generation;
    snprintf(service->rolled_digest, sizeof(service->rolled_digest), "%s", service->model_digest);
}

static void say_more(struct service *service, const struct picture *seen, json_t *status)
{
    const struct replica *failing = seen->failing;
    json_int_t generation = service->generation;

    if (failing != NULL && failing->failures >= SERVICE_CRASH_LOOP)
        report_condition(&service->report, status, "CrashLoop", true, "EngineFails",
                         failing->last_failure, generation);
    if (seen->old == 0)
        return;
    if (failing != NULL)
        report_condition(&service->report, status, "RollingOut", true, failing->last_reason,
                         failing->last_failure, generation);
    else
        report_condition(&service->report, status, "RollingOut", true, "EnginesChange",
                         "engines of before answer until new ones do", generation);
}

void service_tell(struct service *service)
{
    struct picture seen = look(service);
    struct verdict verdict;

    judge(&seen, service_wanted(service), &verdict);
    note_rolled(service, &seen);
    bool ready = strcmp(verdict.phase, "Ready") == 0 || strcmp(verdict.phase, "Degraded") == 0;
    CLEANUP_JSON json_t *status =
        json_pack("{s:s, s:i, s:i, s:I, s:o}", "phase", verdict.phase, "replicas",
                  (int)seen.engines, "readyReplicas", (int)seen.ready, "observedGeneration",
                  service->rolled_generation, "readyPlaces", places_of(service, &seen));
    if (service->rolled_digest[0] != '\0')
        json_object_set_new(status, "modelDigest", json_string(service->rolled_digest));
    report_condition(&service->report, status, "Ready", ready, verdict.reason, verdict.message,
                     service->generation);
    say_more(service, &seen, status);
    report_tell(&service->report, role_peer(service->services->agent->role, ROLE_API),
                "agent.status", "ModelService", service->namespace, service->name, status);
}
