/* SPDX-License-Identifier: Apache-2.0 */
/* The decision over the policy snapshot: no allocation, no text compared but the keys of tables. */
#include "base/num.h"
#include "rbac/rule.h"
#include "snapshot/policy_records.h"

/* The request with its names as atoms. */
struct query {
    const struct snapshot *view;
    const struct rbac_request *request;
    uint32_t verb;
    uint32_t group;
    uint32_t resource;
    uint32_t any_with_sub; /* the atom of "*" followed by "/subresource" */
    uint32_t namespace;    /* 1 + atom, or 0 until it is looked up */
    uint32_t name;
    bool name_known; /* that `name` has been looked up */
    uint64_t verb_bit;
    uint64_t group_bit;
    uint64_t resource_bits;
};

static uint64_t bit_of(uint32_t atom)
{
    return 1ULL << atom % 64;
}

static uint32_t find_combined(const struct snapshot *view, const struct rbac_request *request)
{
    char room[RBAC_TEXT_MAX];
    struct span text;

    return rbac_combined_resource(request, room, &text) ? policy_find_atom(view, text)
                                                        : POLICY_NO_ATOM;
}

/* Kept apart from the common case, which needs no room. */
static void resolve_subresource(struct query *query)
{
    struct rbac_request any = {.resource = span_str("*"),
                               .subresource = query->request->subresource};

    query->resource = find_combined(query->view, query->request);
    query->any_with_sub = find_combined(query->view, &any);
    query->resource_bits = bit_of(query->resource) | bit_of(query->any_with_sub);
}

static void resolve_resource(struct query *query)
{
    if (query->request->subresource.len > 0) {
        resolve_subresource(query);
        return;
    }
    query->resource = policy_find_atom(query->view, query->request->resource);
    query->any_with_sub = POLICY_NO_ATOM;
    query->resource_bits = bit_of(query->resource);
}

static void resolve(struct query *query)
{
    const struct snapshot *view = query->view;
    const struct rbac_request *request = query->request;

    query->verb = policy_find_atom(view, request->verb);
    query->verb_bit = bit_of(query->verb);
    if (request->path.len > 0)
        return;
    query->group = policy_find_atom(view, request->api_group);
    query->group_bit = bit_of(query->group);
    resolve_resource(query);
}

static bool has_id(const struct snapshot *view, struct snapshot_ref list, uint32_t wanted)
{
    const uint32_t *ids = (const uint32_t *)snapshot_records(view, POLICY_IDS) + list.at;
    uint32_t count = list.count;

    while (count > 8) {
        uint32_t half = count / 2;
        if (ids[half] <= wanted) {
            ids += half;
            count -= half;
        } else {
            count = half;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == wanted)
            return true;
    return false;
}

static bool name_matches(struct query *query, const struct policy_rule *rule)
{
    if (rule->names.count == 0)
        return true;
    if (!query->name_known) {
        query->name = policy_find_atom(query->view, query->request->name);
        query->name_known = true;
    }
    return has_id(query->view, rule->names, query->name);
}

static bool url_matches(const struct query *query, const struct policy_rule *rule)
{
    const struct policy_text *urls = snapshot_records(query->view, POLICY_URLS);

    for (uint32_t i = 0; i < rule->urls.count; i++)
        if (rbac_url_matches(snapshot_text(query->view, urls[rule->urls.at + i].text),
                             query->request->path))
            return true;
    return false;
}

static bool verb_matches(const struct query *query, const struct policy_rule *rule)
{
    return (rule->any & POLICY_ANY_VERB) != 0 || has_id(query->view, rule->verbs, query->verb);
}

static bool resource_matches(const struct query *query, const struct policy_rule *rule)
{
    return (rule->any & POLICY_ANY_RESOURCE) != 0 ||
           has_id(query->view, rule->resources, query->resource) ||
           (query->any_with_sub != POLICY_NO_ATOM &&
            has_id(query->view, rule->resources, query->any_with_sub));
}

static bool rule_allows(struct query *query, const struct policy_rule *rule)
{
    if ((rule->verb_bits & query->verb_bit) == 0)
        return false;
    if (query->request->path.len > 0)
        return rule->urls.count > 0 && verb_matches(query, rule) && url_matches(query, rule);
    if ((rule->group_bits & query->group_bit) == 0 ||
        (rule->resource_bits & query->resource_bits) == 0)
        return false;
    return verb_matches(query, rule) &&
           ((rule->any & POLICY_ANY_GROUP) != 0 ||
            has_id(query->view, rule->groups, query->group)) &&
           resource_matches(query, rule) && name_matches(query, rule);
}

static bool role_allows(struct query *query, uint32_t role)
{
    const struct policy_role *roles = snapshot_records(query->view, POLICY_ROLES);
    const struct policy_rule *rules = snapshot_records(query->view, POLICY_RULES);

    rules += roles[role].rules.at;
    for (uint32_t i = 0; i < roles[role].rules.count; i++)
        if (rule_allows(query, &rules[i]))
            return true;
    return false;
}

/* The grants of one subject: first those for everywhere, then those of the namespace. */
static const struct policy_grant *granted(struct query *query, const struct policy_subject *subject)
{
    const struct policy_grant *grants = snapshot_records(query->view, POLICY_GRANTS);
    const struct policy_grant *at = grants + subject->grants.at;
    const struct policy_grant *end = at + subject->grants.count;

    for (; at < end && at->namespace == 0; at++)
        if (role_allows(query, at->role))
            return at;
    if (at == end || query->request->namespace.len == 0 || query->request->path.len > 0)
        return NULL;
    if (query->namespace == 0)
        query->namespace = policy_find_atom(query->view, query->request->namespace) + 1;
    if (query->namespace == 0)
        return NULL;
    for (size_t left = (size_t)(end - at); left > 0;) {
        size_t half = left / 2;
        if (at[half].namespace < query->namespace) {
            at += half + 1;
            left -= half + 1;
        } else {
            left = half;
        }
    }
    for (; at < end && at->namespace == query->namespace; at++)
        if (role_allows(query, at->role))
            return at;
    return NULL;
}

static void give_reason(const struct snapshot *view, const struct policy_subject *subject,
                        const struct policy_grant *grant, struct rbac_reason *reason)
{
    const struct policy_role *roles = snapshot_records(view, POLICY_ROLES);
    const struct policy_binding *bindings = snapshot_records(view, POLICY_BINDINGS);
    const struct policy_binding *binding = &bindings[grant->binding];

    *reason = (struct rbac_reason){
        .binding_kind = span_str(grant->namespace == 0 ? "ClusterRoleBinding" : "RoleBinding"),
        .binding_namespace = snapshot_text(view, binding->namespace),
        .binding = snapshot_text(view, binding->name),
        .role_kind = span_str(roles[grant->role].clusterwide != 0 ? "ClusterRole" : "Role"),
        .role = snapshot_text(view, roles[grant->role].name),
        .subject_kind = span_str(subject->kind == POLICY_USER ? "User" : "Group"),
        .subject = snapshot_text(view, subject->name),
    };
}

/* The user and the groups are looked up in rounds, all of a round side by side: a lookup is a chain
 * of loads from memory that is rarely in a cache (slot, record, name and grants), and so the chains
 * wait together. */
enum { ROUND = 8 };

/* The compiler's zeroing of a round costs a tenth of a decision; start_round() and fetch_round()
 * set what is used. */
#define UNINITIALIZED __attribute__((uninitialized))

struct lookup {
    enum policy_subject_kind kind;
    struct span name;
    struct snapshot_probe probe;
    uint32_t candidate; /* or SNAPSHOT_FREE */
};

static void next_candidate(struct lookup *lookup)
{
    if (!snapshot_probe_next(&lookup->probe, &lookup->candidate))
        lookup->candidate = SNAPSHOT_FREE;
}

static size_t start_round(const struct query *query, size_t first, struct lookup round[ROUND])
{
    const struct rbac_user *user = &query->request->user;
    size_t count = NUM_MIN(user->group_count + 1 - first, (size_t)ROUND);

    for (size_t i = 0; i < count; i++) {
        struct lookup *lookup = &round[i];
        lookup->kind = first + i == 0 ? POLICY_USER : POLICY_GROUP;
        lookup->name = first + i == 0 ? user->name : user->groups[first + i - 1];
        lookup->probe = policy_probe_subject(query->view, lookup->kind, lookup->name);
        __builtin_prefetch(&lookup->probe.slots[lookup->probe.at & lookup->probe.mask]);
    }
    return count;
}

static void fetch_round(const struct query *query, struct lookup round[ROUND], size_t count)
{
    const struct policy_subject *subjects = snapshot_records(query->view, POLICY_SUBJECTS);
    const struct policy_grant *grants = snapshot_records(query->view, POLICY_GRANTS);

    for (size_t i = 0; i < count; i++) {
        next_candidate(&round[i]);
        if (round[i].candidate != SNAPSHOT_FREE)
            __builtin_prefetch(&subjects[round[i].candidate]);
    }
    for (size_t i = 0; i < count; i++) {
        if (round[i].candidate == SNAPSHOT_FREE)
            continue;
        __builtin_prefetch(snapshot_text(query->view, subjects[round[i].candidate].name).p);
        __builtin_prefetch(&grants[subjects[round[i].candidate].grants.at]);
    }
}

static const struct policy_subject *finish(const struct query *query, struct lookup *lookup)
{
    const struct policy_subject *subjects = snapshot_records(query->view, POLICY_SUBJECTS);

    for (; lookup->candidate != SNAPSHOT_FREE; next_candidate(lookup)) {
        const struct policy_subject *subject = &subjects[lookup->candidate];
        if (subject->kind == lookup->kind &&
            span_eq(snapshot_text(query->view, subject->name), lookup->name))
            return subject;
    }
    return NULL;
}

bool rbac_decide(const struct snapshot *policy, const struct rbac_request *request,
                 struct rbac_reason *reason)
{
    struct query query = {.view = policy, .request = request};
    size_t subjects = request->user.group_count + 1;
    UNINITIALIZED struct lookup round[ROUND];

    for (size_t first = 0; first < subjects; first += ROUND) {
        size_t count = start_round(&query, first, round);
        if (first == 0)
            resolve(&query);
        fetch_round(&query, round, count);
        for (size_t i = 0; i < count; i++) {
            const struct policy_subject *subject = finish(&query, &round[i]);
            const struct policy_grant *grant = subject == NULL ? NULL : granted(&query, subject);
            if (grant == NULL)
                continue;
            if (reason != NULL)
                give_reason(policy, subject, grant, reason);
            return true;
        }
    }
    return false;
}
