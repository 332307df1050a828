/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the loader accepts can be looked up in. The checksum and the length are made right
 * first: they are no obstacle for a captured publisher. */
#include "base/mem.h"
#include "snapshot/format.h"
#include "snapshot/identity_records.h"
#include "snapshot/policy_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void touch(struct span text)
{
    for (size_t i = 0; i <= text.len; i++) /* the NUL too */
        sink += text.p[i];
}

static void use_identity(const struct snapshot *view)
{
    const struct identity_key_record *keys = snapshot_records(view, IDENTITY_API_KEYS);
    const struct identity_name *texts = snapshot_records(view, IDENTITY_TEXTS);
    const struct identity_cidr *ranges = snapshot_records(view, IDENTITY_CIDRS);
    const struct identity_info *info = snapshot_records(view, IDENTITY_INFO);

    touch(snapshot_text(view, info->issuer));
    for (uint32_t i = 0; i < snapshot_count(view, IDENTITY_API_KEYS); i++) {
        const struct identity_key_record *found = identity_find_key(view, keys[i].digest);
        if (found == NULL)
            continue;
        touch(snapshot_text(view, found->user));
        const struct snapshot_ref lists[] = {found->groups, found->models, found->verbs,
                                             found->namespaces};
        for (size_t l = 0; l < ARRAY_LEN(lists); l++)
            for (uint32_t t = 0; t < lists[l].count; t++)
                touch(snapshot_text(view, texts[lists[l].at + t].text));
        for (uint32_t c = 0; c < found->cidrs.count; c++)
            sink += ranges[found->cidrs.at + c].bits;
    }
    (void)identity_find_user(view, span_str("alice"));
    (void)identity_is_revoked(view, IDENTITY_SESSION_TABLE, span_str("sid"));
    (void)identity_is_revoked(view, IDENTITY_TOKEN_TABLE, span_str("jti"));
}

static void use_routing(const struct snapshot *view, const struct policy_route *route)
{
    struct policy_routing routing;
    struct policy_backend backend;

    policy_routing_of(view, route, &routing);
    touch(routing.name);
    touch(routing.sticky_header);
    for (size_t i = 0; i < routing.backend_count; i++) {
        policy_backend_at(view, &routing, i, &backend);
        touch(backend.route.socket);
        touch(backend.edit_set);
        touch(backend.edit_drop);
        sink += backend.weight + backend.priority;
    }
}

static void use_policy(const struct snapshot *view)
{
    struct policy_namespace ns;
    struct policy_route route;
    struct policy_budget budget;

    for (size_t i = 0; i < policy_route_count(view); i++) {
        policy_route_at(view, i, &route);
        touch(route.socket);
        touch(route.currency);
        touch(route.cache.version);
        sink += route.cache.ttl_sec + route.cache.max_bytes;
        if (route.routing != 0)
            use_routing(view, &route);
        if (route.guard != NULL)
            touch(span_of(route.guard->answer, sizeof(route.guard->answer) - 1));
        if (policy_find_route(view, route.namespace, route.name, &route))
            touch(route.engine_model);
    }
    if (policy_find_namespace(view, span_str("team-a"), &ns))
        touch(ns.uid);
    for (size_t i = 0; i < policy_namespace_count(view); i++) {
        policy_namespace_at(view, i, &ns);
        touch(ns.name);
        for (size_t j = 0; j < ns.budget_count; j++) {
            policy_budget_at(view, &ns, j, &budget);
            touch(budget.policy);
            touch(budget.rule);
            touch(budget.service);
            sink += budget.limit + budget.measure + budget.window + budget.share + budget.algorithm;
        }
    }
    const struct policy_subject *subject =
        policy_find_subject(view, POLICY_GROUP, span_str("system:authenticated"));
    if (subject == NULL)
        return;
    const struct policy_grant *grants = snapshot_records(view, POLICY_GRANTS);
    const struct policy_role *roles = snapshot_records(view, POLICY_ROLES);
    for (uint32_t i = 0; i < subject->grants.count; i++)
        touch(snapshot_text(view, roles[grants[subject->grants.at + i].role].name));
    (void)policy_find_atom(view, span_str("invoke"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE uint8_t *file = mem_new(size);

    if (size > 0)
        memcpy(file, data, size);
    if (size >= sizeof(struct format_header)) {
        struct format_header *header = (struct format_header *)(void *)file;
        header->length = size;
        format_digest(file, size, header->digest);
    }
    for (int i = 0; i < 2; i++) {
        CLEANUP(snapshot_free_ptr) struct snapshot *snapshot = NULL;
        struct err err = ERR_INIT;
        if (snapshot_from_bytes(i == 0 ? &identity_snapshot : &policy_snapshot, span_of(file, size),
                                &snapshot, &err) == 0)
            (i == 0 ? use_identity : use_policy)(snapshot);
    }
    return 0;
}
