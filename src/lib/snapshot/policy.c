/* SPDX-License-Identifier: Apache-2.0 */
/* policy.snap as const data, and its lookups. */
#include "snapshot/policy_records.h"

#include <assert.h>
#include <stddef.h>

/* The format on file; docs/PROTOCOL.snapshot. */
static_assert(sizeof(struct policy_namespace_record) == 48, "as documented");
static_assert(sizeof(struct policy_budget_record) == 56, "as documented");
static_assert(sizeof(struct policy_route_record) == 160, "as documented");
static_assert(sizeof(struct policy_routing_record) == 56, "as documented");
static_assert(sizeof(struct policy_backend_record) == 32, "as documented");
static_assert(sizeof(struct policy_guard_record) == 96, "as documented");
static_assert(sizeof(struct policy_rule) == 72, "as documented");
static_assert(sizeof(struct policy_role) == 20, "as documented");
static_assert(sizeof(struct policy_binding) == 16, "as documented");
static_assert(sizeof(struct policy_grant) == 12, "as documented");
static_assert(sizeof(struct policy_subject) == 20, "as documented");

static const struct snapshot_field namespace_fields[] = {
    SNAPSHOT_TEXT(policy_namespace_record, name), SNAPSHOT_TEXT(policy_namespace_record, uid),
    SNAPSHOT_LIST(policy_namespace_record, budgets, POLICY_BUDGETS),
    SNAPSHOT_UPTO(policy_namespace_record, phase, POLICY_TERMINATING),
    SNAPSHOT_UPTO(policy_namespace_record, priority, POLICY_PRIORITY_HIGH)};
static const struct snapshot_field budget_fields[] = {
    SNAPSHOT_TEXT(policy_budget_record, policy),
    SNAPSHOT_TEXT(policy_budget_record, rule),
    SNAPSHOT_TEXT(policy_budget_record, service),
    SNAPSHOT_UPTO(policy_budget_record, measure, POLICY_COST),
    SNAPSHOT_UPTO(policy_budget_record, window, POLICY_MONTH),
    SNAPSHOT_UPTO(policy_budget_record, share, POLICY_EACH_KEY),
    SNAPSHOT_UPTO(policy_budget_record, algorithm, POLICY_SLIDING_WINDOW)};
static const struct snapshot_field route_fields[] = {
    SNAPSHOT_TEXT(policy_route_record, namespace),
    SNAPSHOT_TEXT(policy_route_record, name),
    SNAPSHOT_TEXT(policy_route_record, engine_model),
    SNAPSHOT_TEXT(policy_route_record, socket),
    SNAPSHOT_TEXT(policy_route_record, upstream),
    SNAPSHOT_UPTO(policy_route_record, ready, 1),
    SNAPSHOT_MAYBE(policy_route_record, guard, POLICY_GUARDS),
    SNAPSHOT_UPTO(policy_route_record, remote_media, 1),
    SNAPSHOT_TEXT(policy_route_record, currency),
    SNAPSHOT_LIST(policy_route_record, replicas, POLICY_REPLICAS),
    SNAPSHOT_MAYBE(policy_route_record, routing, POLICY_ROUTINGS),
    SNAPSHOT_TEXT(policy_route_record, cache_version)};
static const struct snapshot_field routing_fields[] = {
    SNAPSHOT_TEXT(policy_routing_record, name), SNAPSHOT_TEXT(policy_routing_record, sticky_header),
    SNAPSHOT_LIST(policy_routing_record, backends, POLICY_BACKENDS),
    SNAPSHOT_UPTO(policy_routing_record, rules.retries, POLICY_RETRIES_MAX),
    SNAPSHOT_UPTO(policy_routing_record, rules.sticky, POLICY_STICKY_PREFIX)};
static const struct snapshot_field backend_fields[] = {
    SNAPSHOT_TEXT(policy_backend_record, edit_set), SNAPSHOT_TEXT(policy_backend_record, edit_drop),
    SNAPSHOT_INDEX(policy_backend_record, route, POLICY_ROUTES)};
static const struct snapshot_field text_fields[] = {SNAPSHOT_TEXT(policy_text, text)};
static const struct snapshot_field id_fields[] = {{SNAPSHOT_FIELD_INDEX, POLICY_ATOMS, 0}};
static const struct snapshot_field rule_fields[] = {
    SNAPSHOT_LIST(policy_rule, verbs, POLICY_IDS),
    SNAPSHOT_LIST(policy_rule, groups, POLICY_IDS),
    SNAPSHOT_LIST(policy_rule, resources, POLICY_IDS),
    SNAPSHOT_LIST(policy_rule, names, POLICY_IDS),
    SNAPSHOT_LIST(policy_rule, urls, POLICY_URLS),
};
static const struct snapshot_field role_fields[] = {
    SNAPSHOT_TEXT(policy_role, name), SNAPSHOT_LIST(policy_role, rules, POLICY_RULES)};
static const struct snapshot_field binding_fields[] = {SNAPSHOT_TEXT(policy_binding, name),
                                                       SNAPSHOT_TEXT(policy_binding, namespace)};
static const struct snapshot_field grant_fields[] = {
    SNAPSHOT_MAYBE(policy_grant, namespace, POLICY_ATOMS),
    SNAPSHOT_INDEX(policy_grant, role, POLICY_ROLES),
    SNAPSHOT_INDEX(policy_grant, binding, POLICY_BINDINGS)};
static const struct snapshot_field subject_fields[] = {
    SNAPSHOT_TEXT(policy_subject, name), SNAPSHOT_LIST(policy_subject, grants, POLICY_GRANTS),
    SNAPSHOT_UPTO(policy_subject, kind, POLICY_GROUP)};

static uint64_t hash_namespace(const struct snapshot *view, uint32_t index)
{
    const struct policy_namespace_record *records = snapshot_records(view, POLICY_NAMESPACES);

    return hash_bytes(&view->key, snapshot_text(view, records[index].name));
}

static uint64_t route_key(const struct snapshot *view, struct span namespace, struct span name)
{
    return hash_pair(&view->key, hash_bytes(&view->key, namespace), name);
}

static uint64_t hash_route(const struct snapshot *view, uint32_t index)
{
    const struct policy_route_record *records = snapshot_records(view, POLICY_ROUTES);

    return route_key(view, snapshot_text(view, records[index].namespace),
                     snapshot_text(view, records[index].name));
}

static uint64_t hash_atom(const struct snapshot *view, uint32_t index)
{
    const struct policy_text *records = snapshot_records(view, POLICY_ATOMS);

    return hash_bytes(&view->key, snapshot_text(view, records[index].text));
}

static uint64_t hash_subject(const struct snapshot *view, uint32_t index)
{
    const struct policy_subject *records = snapshot_records(view, POLICY_SUBJECTS);

    return hash_pair(&view->key, records[index].kind, snapshot_text(view, records[index].name));
}

#define TABLE(of, fn) .size = sizeof(struct snapshot_slot), .table_of = (of), .hash = (fn)

static const struct snapshot_section_type sections[POLICY_SECTION_COUNT] = {
    [POLICY_TEXT] = {"text", 1},
    [POLICY_NAMESPACES] = {"namespaces", sizeof(struct policy_namespace_record),
                           SNAPSHOT_FIELDS(namespace_fields)},
    [POLICY_NAMESPACE_TABLE] = {"namespace table", TABLE(POLICY_NAMESPACES, hash_namespace)},
    [POLICY_ROUTES] = {"routes", sizeof(struct policy_route_record), SNAPSHOT_FIELDS(route_fields)},
    [POLICY_ROUTE_TABLE] = {"route table", TABLE(POLICY_ROUTES, hash_route)},
    [POLICY_ATOMS] = {"atoms", sizeof(struct policy_text), SNAPSHOT_FIELDS(text_fields)},
    [POLICY_ATOM_TABLE] = {"atom table", TABLE(POLICY_ATOMS, hash_atom)},
    [POLICY_IDS] = {"ids", sizeof(uint32_t), SNAPSHOT_FIELDS(id_fields)},
    [POLICY_URLS] = {"urls", sizeof(struct policy_text), SNAPSHOT_FIELDS(text_fields)},
    [POLICY_RULES] = {"rules", sizeof(struct policy_rule), SNAPSHOT_FIELDS(rule_fields)},
    [POLICY_ROLES] = {"roles", sizeof(struct policy_role), SNAPSHOT_FIELDS(role_fields)},
    [POLICY_BINDINGS] = {"bindings", sizeof(struct policy_binding),
                         SNAPSHOT_FIELDS(binding_fields)},
    [POLICY_GRANTS] = {"grants", sizeof(struct policy_grant), SNAPSHOT_FIELDS(grant_fields)},
    [POLICY_SUBJECTS] = {"subjects", sizeof(struct policy_subject),
                         SNAPSHOT_FIELDS(subject_fields)},
    [POLICY_SUBJECT_TABLE] = {"subject table", TABLE(POLICY_SUBJECTS, hash_subject)},
    [POLICY_BUDGETS] = {"budgets", sizeof(struct policy_budget_record),
                        SNAPSHOT_FIELDS(budget_fields)},
    [POLICY_GUARDS] = {"guards", sizeof(struct policy_guard_record)},
    [POLICY_ROUTINGS] = {"routings", sizeof(struct policy_routing_record),
                         SNAPSHOT_FIELDS(routing_fields)},
    [POLICY_BACKENDS] = {"backends", sizeof(struct policy_backend_record),
                         SNAPSHOT_FIELDS(backend_fields)},
    [POLICY_REPLICAS] = {"replicas", sizeof(struct policy_text), SNAPSHOT_FIELDS(text_fields)},
};

const struct snapshot_type policy_snapshot = {
    .file = "policy.snap",
    .generation = "policy.gen",
    .number = 2,
    .format = 8,
    .sections = sections,
    .section_count = POLICY_SECTION_COUNT,
};

uint32_t policy_find_atom(const struct snapshot *view, struct span text)
{
    const struct policy_text *atoms = snapshot_records(view, POLICY_ATOMS);
    struct snapshot_probe probe =
        snapshot_probe(view, POLICY_ATOM_TABLE, hash_bytes(&view->key, text));

    for (uint32_t i; snapshot_probe_next(&probe, &i);)
        if (span_eq(snapshot_text(view, atoms[i].text), text))
            return i;
    return POLICY_NO_ATOM;
}

struct snapshot_probe policy_probe_subject(const struct snapshot *view,
                                           enum policy_subject_kind kind, struct span name)
{
    return snapshot_probe(view, POLICY_SUBJECT_TABLE, hash_pair(&view->key, kind, name));
}

const struct policy_subject *policy_find_subject(const struct snapshot *view,
                                                 enum policy_subject_kind kind, struct span name)
{
    const struct policy_subject *subjects = snapshot_records(view, POLICY_SUBJECTS);
    struct snapshot_probe probe = policy_probe_subject(view, kind, name);

    for (uint32_t i; snapshot_probe_next(&probe, &i);)
        if (subjects[i].kind == kind && span_eq(snapshot_text(view, subjects[i].name), name))
            return &subjects[i];
    return NULL;
}

size_t policy_namespace_count(const struct snapshot *snapshot)
{
    return snapshot_count(snapshot, POLICY_NAMESPACES);
}

void policy_namespace_at(const struct snapshot *snapshot, size_t at, struct policy_namespace *out)
{
    const struct policy_namespace_record *record = snapshot_records(snapshot, POLICY_NAMESPACES);

    INVARIANT(at < policy_namespace_count(snapshot));
    record += at;
    *out = (struct policy_namespace){
        .name = snapshot_text(snapshot, record->name),
        .uid = snapshot_text(snapshot, record->uid),
        .phase = (enum policy_phase)record->phase,
        .priority = (enum policy_priority)record->priority,
        .limits = record->limits,
        .first_budget = record->budgets.at,
        .budget_count = record->budgets.count,
    };
}

void policy_budget_at(const struct snapshot *snapshot, const struct policy_namespace *ns, size_t at,
                      struct policy_budget *out)
{
    const struct policy_budget_record *record = snapshot_records(snapshot, POLICY_BUDGETS);

    INVARIANT(at < ns->budget_count);
    record += ns->first_budget + at;
    *out = (struct policy_budget){
        .policy = snapshot_text(snapshot, record->policy),
        .rule = snapshot_text(snapshot, record->rule),
        .service = snapshot_text(snapshot, record->service),
        .measure = (enum policy_measure)record->measure,
        .window = (enum policy_window)record->window,
        .share = (enum policy_share)record->share,
        .limit = record->limit,
        .alerts = record->alerts,
        .algorithm = (enum policy_algorithm)record->algorithm,
    };
}

bool policy_find_namespace(const struct snapshot *snapshot, struct span name,
                           struct policy_namespace *out)
{
    const struct policy_namespace_record *records = snapshot_records(snapshot, POLICY_NAMESPACES);
    struct snapshot_probe probe =
        snapshot_probe(snapshot, POLICY_NAMESPACE_TABLE, hash_bytes(&snapshot->key, name));

    for (uint32_t i; snapshot_probe_next(&probe, &i);) {
        if (!span_eq(snapshot_text(snapshot, records[i].name), name))
            continue;
        policy_namespace_at(snapshot, i, out);
        return true;
    }
    return false;
}

size_t policy_route_count(const struct snapshot *snapshot)
{
    return snapshot_count(snapshot, POLICY_ROUTES);
}

void policy_route_at(const struct snapshot *snapshot, size_t at, struct policy_route *out)
{
    const struct policy_route_record *record = snapshot_records(snapshot, POLICY_ROUTES);
    const struct policy_guard_record *guards = snapshot_records(snapshot, POLICY_GUARDS);

    INVARIANT(at < policy_route_count(snapshot));
    record += at;
    *out = (struct policy_route){
        .namespace = snapshot_text(snapshot, record->namespace),
        .name = snapshot_text(snapshot, record->name),
        .engine_model = snapshot_text(snapshot, record->engine_model),
        .socket = snapshot_text(snapshot, record->socket),
        .upstream = snapshot_text(snapshot, record->upstream),
        .first_replica = record->replicas.at,
        .replica_count = record->replicas.count,
        .ready = record->ready != 0,
        .max_body = record->max_body,
        .max_tokens = record->max_tokens,
        .context_tokens = record->context_tokens,
        .remote_media = record->remote_media != 0,
        .guard = record->guard == 0 ? NULL : &guards[record->guard - 1].guard,
        .created_at = record->created_at,
        .limits = record->limits,
        .currency = snapshot_text(snapshot, record->currency),
        .rates = record->rates,
        .line = record->line,
        .cache = {.version = snapshot_text(snapshot, record->cache_version),
                  .ttl_sec = record->cache_ttl_sec,
                  .max_bytes = record->cache_max_bytes},
        .index = (uint32_t)at,
        .routing = record->routing,
    };
}

struct span policy_replica_at(const struct snapshot *snapshot, const struct policy_route *route,
                              size_t at)
{
    const struct policy_text *sockets = snapshot_records(snapshot, POLICY_REPLICAS);

    INVARIANT(at < route->replica_count);
    return snapshot_text(snapshot, sockets[route->first_replica + at].text);
}

bool policy_find_route(const struct snapshot *snapshot, struct span namespace, struct span name,
                       struct policy_route *out)
{
    const struct policy_route_record *records = snapshot_records(snapshot, POLICY_ROUTES);
    struct snapshot_probe probe =
        snapshot_probe(snapshot, POLICY_ROUTE_TABLE, route_key(snapshot, namespace, name));

    for (uint32_t i; snapshot_probe_next(&probe, &i);) {
        if (!span_eq(snapshot_text(snapshot, records[i].namespace), namespace) ||
            !span_eq(snapshot_text(snapshot, records[i].name), name))
            continue;
        policy_route_at(snapshot, i, out);
        return true;
    }
    return false;
}
