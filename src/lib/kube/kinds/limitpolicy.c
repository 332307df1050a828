/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field rule_fields[] = {
    {"name", KUBE_STRING, "What the rule is called; clients read it in the RateLimit header.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .format = KUBE_DNS_LABEL},
    {"measure", KUBE_STRING,
     "What is counted: calls, tokens in and out, or what they cost by the PriceLists.",
     .flags = KUBE_REQUIRED, .values = KUBE_NAMES("requests", "tokens", "cost")},
    {"limit", KUBE_INT64, "How much of it; of cost in millionths of the currency.",
     .flags = KUBE_REQUIRED, .min = 1, .max = (1LL << 53) - 1},
    {"window", KUBE_STRING, "In what time; windows are those of the calendar in UTC.",
     .flags = KUBE_REQUIRED, .values = KUBE_NAMES("minute", "hour", "day", "month")},
    {"per", KUBE_STRING, "Who has it: all callers together, or each user or API key of its own.",
     .values = KUBE_NAMES("namespace", "user", "key"), .fallback = "\"namespace\""},
    {0},
};

static const struct kube_shape rule_shape = {
    "io.drun.v1.LimitPolicyRule",
    "A budget: so much in a window.",
    rule_fields,
};

static const struct kube_field spec_fields[] = {
    {"modelService", KUBE_STRING,
     "The model service of this namespace that it is for; without it, all of them together.",
     .format = KUBE_DNS_LABEL},
    {"rules", KUBE_LIST, "The budgets. A call must fit into every one of them.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .shape = &rule_shape, .item = KUBE_OBJECT,
     .list = KUBE_KEYED, .merge_key = "name", .max = 16},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.LimitPolicySpec",
    "The desired state of a limit policy.",
    spec_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.LimitPolicy",
    "Budgets of the calls to the models of a namespace.",
    fields,
};

static json_t *rules_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return kube_cell_count(json_object_get(json_object_get(object, "spec"), "rules"));
}

static const struct kube_column columns[] = {
    {"Model Service", "string", "The model service that it is for; empty: all.",
     "spec.modelService"},
    {"Rules", "integer", "How many budgets it has.", .cell = rules_cell},
    {0},
};

const struct kube_kind kube_limit_policy = {
    .group = "drun.io",
    .version = "v1",
    .kind = "LimitPolicy",
    .plural = "limitpolicies",
    .singular = "limitpolicy",
    .categories = KUBE_NAMES("drun"),
    .namespaced = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
};
