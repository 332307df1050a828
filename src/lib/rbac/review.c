/* SPDX-License-Identifier: Apache-2.0 */
/* What people are told: the reason, and the rules that are theirs. */
#include "rbac/rbac.h"
#include "snapshot/policy_records.h"

void rbac_reason_put(const struct rbac_reason *reason, struct buf *out)
{
    buf_printf(out, "RBAC: allowed by %.*s \"", SPAN_ARG(reason->binding_kind));
    buf_put_span(out, reason->binding);
    if (reason->binding_namespace.len > 0)
        buf_printf(out, "/%.*s", SPAN_ARG(reason->binding_namespace));
    buf_printf(out, "\" of %.*s \"%.*s\" to %.*s \"%.*s\"", SPAN_ARG(reason->role_kind),
               SPAN_ARG(reason->role), SPAN_ARG(reason->subject_kind), SPAN_ARG(reason->subject));
}

void rbac_denial_put(const struct rbac_request *request, struct buf *out)
{
    buf_printf(out, "User \"%.*s\" cannot %.*s ", SPAN_ARG(request->user.name),
               SPAN_ARG(request->verb));
    if (request->path.len > 0) {
        buf_printf(out, "path \"%.*s\"", SPAN_ARG(request->path));
        return;
    }
    buf_printf(out, "resource \"%.*s", SPAN_ARG(request->resource));
    if (request->subresource.len > 0)
        buf_printf(out, "/%.*s", SPAN_ARG(request->subresource));
    buf_printf(out, "\" in API group \"%.*s\" ", SPAN_ARG(request->api_group));
    if (request->namespace.len > 0)
        buf_printf(out, "in the namespace \"%.*s\"", SPAN_ARG(request->namespace));
    else
        buf_put_str(out, "at the cluster scope");
}

static json_t *text_json(const struct snapshot *view, struct snapshot_ref ref)
{
    struct span text = snapshot_text(view, ref);

    return json_stringn((const char *)text.p, text.len);
}

static void set_ids(const struct snapshot *view, json_t *rule, const char *name,
                    struct snapshot_ref list)
{
    const struct policy_text *atoms = snapshot_records(view, POLICY_ATOMS);
    const uint32_t *ids = snapshot_records(view, POLICY_IDS);

    if (list.count == 0)
        return;
    json_t *array = json_array();
    for (uint32_t i = 0; i < list.count; i++)
        json_array_append_new(array, text_json(view, atoms[ids[list.at + i]].text));
    json_object_set_new(rule, name, array);
}

static void set_urls(const struct snapshot *view, json_t *rule, struct snapshot_ref list)
{
    const struct policy_text *urls = snapshot_records(view, POLICY_URLS);
    json_t *array = json_array();

    for (uint32_t i = 0; i < list.count; i++)
        json_array_append_new(array, text_json(view, urls[list.at + i].text));
    json_object_set_new(rule, "nonResourceURLs", array);
}

struct review {
    const struct snapshot *view;
    json_t *resource_rules;
    json_t *path_rules;
};

static void add_role(const struct review *review, uint32_t number)
{
    const struct policy_role *role = snapshot_records(review->view, POLICY_ROLES);
    const struct policy_rule *rules = snapshot_records(review->view, POLICY_RULES);

    role += number;
    for (uint32_t i = 0; i < role->rules.count; i++) {
        const struct policy_rule *rule = &rules[role->rules.at + i];
        json_t *json = json_object();
        set_ids(review->view, json, "verbs", rule->verbs);
        if (rule->urls.count > 0) {
            set_urls(review->view, json, rule->urls);
            json_array_append_new(review->path_rules, json);
            continue;
        }
        set_ids(review->view, json, "apiGroups", rule->groups);
        set_ids(review->view, json, "resources", rule->resources);
        set_ids(review->view, json, "resourceNames", rule->names);
        json_array_append_new(review->resource_rules, json);
    }
}

static void add_subject(const struct review *review, enum policy_subject_kind kind,
                        struct span name, uint32_t namespace)
{
    const struct policy_subject *subject = policy_find_subject(review->view, kind, name);
    const struct policy_grant *grants = snapshot_records(review->view, POLICY_GRANTS);

    if (subject == NULL)
        return;
    for (uint32_t i = 0; i < subject->grants.count; i++) {
        const struct policy_grant *grant = &grants[subject->grants.at + i];
        if (grant->namespace == 0 || (namespace != 0 && grant->namespace == namespace))
            add_role(review, grant->role);
    }
}

json_t *rbac_rules_review(const struct snapshot *policy, const struct rbac_user *user,
                          struct span namespace)
{
    struct review review = {policy, json_array(), json_array()};
    /* POLICY_NO_ATOM becomes 0, which no grant of a namespace has. */
    uint32_t number = namespace.len > 0 ? policy_find_atom(policy, namespace) + 1 : 0;

    add_subject(&review, POLICY_USER, user->name, number);
    for (size_t i = 0; i < user->group_count; i++)
        add_subject(&review, POLICY_GROUP, user->groups[i], number);
    return json_pack("{s:o, s:o, s:b}", "resourceRules", review.resource_rules, "nonResourceRules",
                     review.path_rules, "incomplete", 0);
}
