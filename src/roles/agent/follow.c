/* SPDX-License-Identifier: Apache-2.0 */
/* What api has the agent look after. */
#include "follow/follow.h"

#include "agent/agent_internal.h"
#include "agent/engine_log.h"

#include <string.h>

enum { SETTLE_MS = 1000 };

static void on_begin(void *ctx)
{
    struct agent *agent = ctx;

    models_mark(agent->models);
    services_mark(agent->services);
}

static void on_object(void *ctx, const struct followed *followed)
{
    struct agent *agent = ctx;
    const char *namespace = followed->namespace;
    const char *name = followed->name;
    const json_t *object = followed->object;

    if (strcmp(followed->kind, "Model") == 0) {
        if (object != NULL)
            models_put(agent->models, namespace, name, object);
        else
            models_delete(agent->models, namespace, name);
    } else if (strcmp(followed->kind, "ModelService") == 0) {
        if (object != NULL)
            services_put(agent->services, namespace, name, object);
        else
            services_delete(agent->services, namespace, name);
    } else if (strcmp(followed->kind, "Log") == 0) {
        engine_log_order(agent->engine_log, namespace, name, object);
    }
}

static void on_settled(void *ctx)
{
    struct agent *agent = ctx;

    services_settle(agent->services);
    models_settle(agent->models);
}

int agent_follow(struct agent *agent, struct err *err)
{
    const struct follow_config config = {.name = "agent.orders",
                                         .loop = role_loop(agent->role),
                                         .api = role_waiting_peer(agent->role, ROLE_API),
                                         .settle_ms = SETTLE_MS,
                                         .begin = on_begin,
                                         .take = on_object,
                                         .settled = on_settled,
                                         .ctx = agent};

    return follow_new(&config, &agent->follow, err);
}

int agent_audit(struct agent *agent, const char *event, enum audit_outcome outcome,
                const char *resource, const char *namespace, const char *name, const char *reason,
                struct err *err)
{
    const struct audit_event one = {
        .event = span_str(event),
        .outcome = outcome,
        .actor = {.name = span_str("system:drun:agent"), .source = AUDIT_SOURCE_ROLE},
        .action = {.api_group = span_str("drun.io"),
                   .resource = span_str(resource),
                   .namespace = span_str(namespace),
                   .name = span_str(name)},
        .reason = span_str(reason),
    };

    return audit_send(role_peer(agent->role, ROLE_AUDIT), &one, 1, err);
}
