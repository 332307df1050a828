/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/policy_routing.h"

#include "base/num.h"
#include "snapshot/policy_records.h"

/* ------------------------------------------------------------------ what all of them demand */

static void take_stricter(struct policy_guard *all, const struct policy_guard *one)
{
    for (size_t i = 0; i < POLICY_GUARD_DETECTORS; i++) {
        all->request[i] = NUM_MAX(all->request[i], one->request[i]);
        all->answer[i] = NUM_MAX(all->answer[i], one->answer[i]);
    }
}

/* The smaller limit, of which 0 is none. */
static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a == 0 ? b : b == 0 ? a : NUM_MIN(a, b);
}

/* A context that is unknown may be the largest. */
static void take_in(struct policy_route_record *all, const struct policy_route *one, bool first)
{
    all->ready |= one->ready;
    all->max_body = smaller(all->max_body, one->max_body);
    all->max_tokens = smaller(all->max_tokens, one->max_tokens);
    all->remote_media = (first || all->remote_media != 0) && one->remote_media;
    if (first)
        all->context_tokens = one->context_tokens;
    else if (all->context_tokens != 0)
        all->context_tokens =
            one->context_tokens == 0 ? 0 : NUM_MAX(all->context_tokens, one->context_tokens);
}

/* ------------------------------------------------------------------ building */

struct adding {
    struct snapshot_writer *writer;
    const struct policy_model_route_in *in;
    struct policy_route_record route;
    struct policy_routing_record routing;
    struct policy_guard guard;
    bool guarded; /* one of them says what the guard does */
};

static int add_backend(struct adding *adding, const struct policy_backend_in *in, struct err *err)
{
    struct policy_backend_record record = {.weight = NUM_MIN(in->weight, POLICY_WEIGHT_MAX),
                                           .priority = in->priority};
    struct policy_route service;

    if (!policy_find_route(snapshot_writer_view(adding->writer), span_str(adding->in->namespace),
                           span_str(in->service), &service) ||
        service.routing != 0)
        return 0;
    record.route = service.index;
    TRY(snapshot_writer_text(adding->writer, span_str(in->edit_set), "members to set",
                             &record.edit_set, err));
    TRY(snapshot_writer_text(adding->writer, span_str(in->edit_drop), "members to drop",
                             &record.edit_drop, err));
    /* The records grow: what the view showed may have moved. */
    (void)policy_find_route(snapshot_writer_view(adding->writer), span_str(adding->in->namespace),
                            span_str(in->service), &service);
    take_in(&adding->route, &service, adding->routing.backends.count == 0);
    if (service.guard != NULL)
        take_stricter(&adding->guard, service.guard);
    adding->guarded |= service.guard != NULL;
    uint32_t index = snapshot_writer_add(adding->writer, POLICY_BACKENDS, &record);
    if (adding->routing.backends.count++ == 0)
        adding->routing.backends.at = index;
    return 0;
}

/* By priority, as they were given within one. */
static int add_backends(struct adding *adding, struct err *err)
{
    const struct policy_model_route_in *in = adding->in;
    size_t count = NUM_MIN(in->backend_count, (size_t)POLICY_BACKENDS_MAX);
    uint64_t done = 0;

    for (size_t n = 0; n < count; n++) {
        size_t best = count;
        for (size_t i = 0; i < count; i++)
            if ((done >> i & 1) == 0 &&
                (best == count || in->backends[i].priority < in->backends[best].priority))
                best = i;
        done |= UINT64_C(1) << best;
        TRY(add_backend(adding, &in->backends[best], err));
    }
    return 0;
}

static int add_name(struct adding *adding, const char *name, struct err *err)
{
    struct policy_route_record record = adding->route;
    struct policy_route found;

    if (policy_find_route(snapshot_writer_view(adding->writer), span_str(adding->in->namespace),
                          span_str(name), &found))
        return 0;
    TRY(snapshot_writer_text(adding->writer, span_str(adding->in->namespace), "namespace",
                             &record.namespace, err));
    TRY(snapshot_writer_text(adding->writer, span_str(name), "model", &record.name, err));
    TRY(snapshot_writer_text(adding->writer, span_str(""), "nothing", &record.socket, err));
    record.engine_model = record.upstream = record.currency = record.cache_version = record.socket;
    snapshot_writer_add(adding->writer, POLICY_ROUTES, &record);
    return 0;
}

int policy_builder_add_model_route(struct policy_builder *builder,
                                   const struct policy_model_route_in *in, struct err *err)
{
    struct adding adding = {.writer = policy_builder_writer(builder),
                            .in = in,
                            .route = {.created_at = in->created_at},
                            .routing = {.rules = in->rules}};

    TRY(snapshot_writer_text(adding.writer, span_str(in->name), "model route", &adding.routing.name,
                             err));
    TRY(snapshot_writer_text(adding.writer, span_str(in->sticky_header), "header",
                             &adding.routing.sticky_header, err));
    TRY(add_backends(&adding, err));
    if (adding.guarded)
        adding.route.guard = policy_add_guard(adding.writer, &adding.guard);
    adding.route.routing = 1 + snapshot_writer_add(adding.writer, POLICY_ROUTINGS, &adding.routing);
    for (size_t i = 0; i < in->name_count; i++)
        TRY(add_name(&adding, in->names[i], err));
    return 0;
}

/* ------------------------------------------------------------------ reading */

void policy_routing_of(const struct snapshot *snapshot, const struct policy_route *route,
                       struct policy_routing *out)
{
    const struct policy_routing_record *record = snapshot_records(snapshot, POLICY_ROUTINGS);

    INVARIANT(route->routing > 0);
    record += route->routing - 1;
    *out = (struct policy_routing){
        .name = snapshot_text(snapshot, record->name),
        .sticky_header = snapshot_text(snapshot, record->sticky_header),
        .rules = record->rules,
        .first_backend = record->backends.at,
        .backend_count = record->backends.count,
    };
}

void policy_backend_at(const struct snapshot *snapshot, const struct policy_routing *routing,
                       size_t at, struct policy_backend *out)
{
    const struct policy_backend_record *record = snapshot_records(snapshot, POLICY_BACKENDS);

    INVARIANT(at < routing->backend_count);
    record += routing->first_backend + at;
    policy_route_at(snapshot, record->route, &out->route);
    out->weight = record->weight;
    out->priority = record->priority;
    out->edit_set = snapshot_text(snapshot, record->edit_set);
    out->edit_drop = snapshot_text(snapshot, record->edit_drop);
}
