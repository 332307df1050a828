/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "snapshot/policy_records.h"

#include <stdlib.h>

struct policy_builder {
    struct snapshot_writer *writer;
};

struct policy_builder *policy_builder_new(void)
{
    struct policy_builder *builder = mem_new(sizeof(*builder));

    builder->writer = snapshot_writer_new(&policy_snapshot);
    return builder;
}

void policy_builder_free(struct policy_builder *builder)
{
    if (builder == NULL)
        return;
    snapshot_writer_free(builder->writer);
    free(builder);
}

void policy_builder_free_ptr(struct policy_builder **builder)
{
    policy_builder_free(*builder);
}

struct snapshot_writer *policy_builder_writer(struct policy_builder *builder)
{
    return builder->writer;
}

static int add_budgets(struct snapshot_writer *writer, const struct policy_namespace_in *ns,
                       struct snapshot_ref *out, struct err *err)
{
    for (size_t i = 0; i < ns->budget_count; i++) {
        const struct policy_budget_in *in = &ns->budgets[i];
        struct policy_budget_record record = {.limit = in->limit,
                                              .measure = in->measure,
                                              .window = in->window,
                                              .share = in->share,
                                              .alerts = in->alerts,
                                              .algorithm = in->algorithm};
        TRY(snapshot_writer_text(writer, span_str(in->policy), "limit policy", &record.policy,
                                 err));
        TRY(snapshot_writer_text(writer, span_str(in->rule), "rule", &record.rule, err));
        TRY(snapshot_writer_text(writer, span_str(in->service), "model", &record.service, err));
        uint32_t index = snapshot_writer_add(writer, POLICY_BUDGETS, &record);
        if (i == 0)
            out->at = index;
        out->count++;
    }
    return 0;
}

int policy_builder_add_namespace(struct policy_builder *builder,
                                 const struct policy_namespace_in *ns, struct err *err)
{
    struct snapshot_writer *writer = builder->writer;
    struct policy_namespace_record record = {
        .limits = ns->limits, .phase = ns->phase, .priority = ns->priority};
    struct policy_namespace found;

    if (policy_find_namespace(snapshot_writer_view(writer), span_str(ns->name), &found))
        return err_set(err, ERR_EXISTS, "the namespace %s is there already", ns->name);
    TRY(snapshot_writer_text(writer, span_str(ns->name), "namespace", &record.name, err));
    TRY(snapshot_writer_text(writer, span_str(ns->uid), "uid", &record.uid, err));
    TRY(add_budgets(writer, ns, &record.budgets, err));
    snapshot_writer_add(writer, POLICY_NAMESPACES, &record);
    return 0;
}

/* One engine alone is the route's socket. */
static int add_replicas(struct snapshot_writer *writer, const struct policy_route_in *route,
                        struct snapshot_ref *out, struct err *err)
{
    if (route->replica_count < 2)
        return 0;
    INVARIANT(route->replica_count <= POLICY_REPLICAS_MAX);
    for (size_t i = 0; i < route->replica_count; i++) {
        struct policy_text record = {.text = {0}};
        TRY(snapshot_writer_text(writer, span_str(route->replicas[i]), "socket", &record.text,
                                 err));
        uint32_t index = snapshot_writer_add(writer, POLICY_REPLICAS, &record);
        if (i == 0)
            out->at = index;
        out->count++;
    }
    return 0;
}

uint32_t policy_add_guard(struct snapshot_writer *writer, const struct policy_guard *guard)
{
    const struct snapshot *view = snapshot_writer_view(writer);
    const struct policy_guard_record *records = snapshot_records(view, POLICY_GUARDS);
    size_t count = snapshot_count(view, POLICY_GUARDS);
    struct policy_guard_record record;

    if (guard == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (memcmp(&records[i].guard, guard, sizeof(*guard)) == 0)
            return (uint32_t)i + 1;
    record.guard = *guard;
    return snapshot_writer_add(writer, POLICY_GUARDS, &record) + 1;
}

int policy_builder_add_route(struct policy_builder *builder, const struct policy_route_in *route,
                             struct err *err)
{
    struct snapshot_writer *writer = builder->writer;
    struct policy_route_record record = {
        .limits = route->limits,
        .created_at = route->created_at,
        .ready = route->ready,
        .max_body = route->max_body,
        .max_tokens = route->max_tokens,
        .context_tokens = route->context_tokens,
        .remote_media = route->remote_media,
        .rates = route->price.rates,
        .line = route->line,
        .cache_ttl_sec = route->cache.ttl_sec,
        .cache_max_bytes = route->cache.max_bytes,
    };
    struct policy_route found;

    if (policy_find_route(snapshot_writer_view(writer), span_str(route->namespace),
                          span_str(route->name), &found))
        return err_set(err, ERR_EXISTS, "the model %s/%s is there already", route->namespace,
                       route->name);
    TRY(snapshot_writer_text(writer, span_str(route->namespace), "namespace", &record.namespace,
                             err));
    TRY(snapshot_writer_text(writer, span_str(route->name), "model", &record.name, err));
    TRY(snapshot_writer_text(writer, span_str(route->engine_model), "engine's model",
                             &record.engine_model, err));
    TRY(snapshot_writer_text(writer, span_str(route->socket), "socket", &record.socket, err));
    TRY(snapshot_writer_text(writer, span_str(route->upstream), "upstream", &record.upstream, err));
    const char *currency = route->price.currency == NULL ? "" : route->price.currency;
    TRY(snapshot_writer_text(writer, span_str(currency), "currency", &record.currency, err));
    const char *version = route->cache.version == NULL ? "" : route->cache.version;
    TRY(snapshot_writer_text(writer, span_str(version), "version", &record.cache_version, err));
    TRY(add_replicas(writer, route, &record.replicas, err));
    record.guard = policy_add_guard(writer, route->guard);
    snapshot_writer_add(writer, POLICY_ROUTES, &record);
    return 0;
}

int policy_builder_finish(const struct policy_builder *builder, struct buf *out, struct err *err)
{
    return snapshot_writer_finish(builder->writer, out, err);
}
