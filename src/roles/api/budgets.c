/* SPDX-License-Identifier: Apache-2.0 */
/* LimitPolicies as the budgets of the policy snapshot. */
#include "api/api_internal.h"

#include "base/mem.h"
#include "codec/json.h"

#include <stdlib.h>

struct budgets {
    json_t *policies; /* namespace: the policies in it */
};

static int collect(void *ctx, const json_t *object, struct err *err UNUSED)
{
    json_t *policies = ctx;
    const char *namespace = codec_json_text(json_object_get(object, "metadata"), "namespace", "");
    json_t *list = json_object_get(policies, namespace);

    if (list == NULL) {
        list = json_array();
        json_object_set_new(policies, namespace, list);
    }
    json_array_append_new(list, json_deep_copy(object));
    return 0;
}

int budgets_read(struct kube_server *kube, struct budgets **out, struct err *err)
{
    *out = mem_new(sizeof(**out));
    (*out)->policies = json_object();
    return kube_object_each(kube, &kube_limit_policy, NULL, collect, (*out)->policies, err);
}

void budgets_free_ptr(struct budgets **budgets)
{
    if (*budgets == NULL)
        return;
    json_decref((*budgets)->policies);
    free(*budgets);
}

/* The place of a value among those that the schema allows, the first of which is the default. */
static unsigned place(const json_t *rule, const char *field, const char *const *names)
{
    const char *value = codec_json_text(rule, field, names[0]);
    unsigned i = 0;

    while (names[i + 1] != NULL && strcmp(names[i], value) != 0)
        i++;
    return i;
}

/* Who says nothing wants to know a little before the end, and at it. */
static uint32_t alerts_of(const json_t *policy)
{
    const json_t *alerts = codec_json_at(policy, "spec", "alerts", NULL);
    uint32_t packed = 0;
    const json_t *percent;
    size_t i;

    if (alerts == NULL)
        return 80 | 100 << 8;
    json_array_foreach (alerts, i, percent)
        packed |= (uint32_t)json_integer_value(percent) << 8 * i;
    return packed;
}

static struct policy_budget_in budget_of(const json_t *policy, const json_t *rule)
{
    static const char *const measures[] = {
        [POLICY_REQUESTS] = "requests", [POLICY_TOKENS] = "tokens", [POLICY_COST] = "cost", NULL};
    static const char *const windows[] = {[POLICY_MINUTE] = "minute",
                                          [POLICY_HOUR] = "hour",
                                          [POLICY_DAY] = "day",
                                          [POLICY_MONTH] = "month",
                                          NULL};
    static const char *const algorithms[] = {[POLICY_CALENDAR] = "",
                                             [POLICY_TOKEN_BUCKET] = "TokenBucket",
                                             [POLICY_SLIDING_WINDOW] = "SlidingWindow",
                                             NULL};
    static const char *const shares[] = {[POLICY_SHARED] = "namespace",
                                         [POLICY_EACH_USER] = "user",
                                         [POLICY_EACH_KEY] = "key",
                                         NULL};

    return (struct policy_budget_in){
        .policy = codec_json_text(json_object_get(policy, "metadata"), "name", ""),
        .rule = codec_json_text(rule, "name", ""),
        .service = codec_json_text(json_object_get(policy, "spec"), "modelService", ""),
        .measure = (enum policy_measure)place(rule, "measure", measures),
        .window = (enum policy_window)place(rule, "window", windows),
        .share = (enum policy_share)place(rule, "per", shares),
        .limit = (uint64_t)json_integer_value(json_object_get(rule, "limit")),
        .alerts = alerts_of(policy),
        .algorithm = (enum policy_algorithm)place(rule, "algorithm", algorithms),
    };
}

struct policy_budget_in *budgets_of(const struct budgets *budgets, const char *namespace,
                                    size_t *out_count)
{
    const json_t *list = json_object_get(budgets->policies, namespace);
    struct policy_budget_in *found = NULL;
    const json_t *policy;
    const json_t *rule;
    size_t count = 0;
    size_t i;
    size_t j;

    json_array_foreach (list, i, policy) {
        const json_t *rules = codec_json_at(policy, "spec", "rules", NULL);
        found = mem_resize_array(found, count + json_array_size(rules) + 1, sizeof(*found));
        json_array_foreach (rules, j, rule)
            found[count++] = budget_of(policy, rule);
    }
    *out_count = count;
    return found;
}

enum policy_priority budgets_priority(const struct budgets *budgets, const char *namespace)
{
    static const char *const names[] = {[POLICY_PRIORITY_LOW] = "low",
                                        [POLICY_PRIORITY_NORMAL] = "normal",
                                        [POLICY_PRIORITY_HIGH] = "high",
                                        NULL};
    const json_t *list = json_object_get(budgets->policies, namespace);
    enum policy_priority highest = POLICY_PRIORITY_NORMAL;
    const json_t *policy;
    bool said = false;
    size_t i;

    json_array_foreach (list, i, policy) {
        const json_t *spec = json_object_get(policy, "spec");
        if (json_object_get(spec, "priority") == NULL)
            continue;
        enum policy_priority priority = (enum policy_priority)place(spec, "priority", names);
        highest = said && highest > priority ? highest : priority;
        said = true;
    }
    return highest;
}
