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
    {"algorithm", KUBE_STRING,
     "Makes it a rate, with window minute: the limit holds for a minute from any moment on. A token "
     "bucket lets through the limit at once and goes on at its rate; a sliding window lets through "
     "no more than the limit in any minute. Without it, the minute is that of the clock.",
     .values = KUBE_NAMES("TokenBucket", "SlidingWindow")},
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
    {"priority", KUBE_STRING,
     "Who goes first where calls wait for an engine: calls of this namespace's keys and accounts, "
     "to the models of any namespace. Of several policies the highest counts; by default normal.",
     .values = KUBE_NAMES("low", "normal", "high")},
    {"alerts", KUBE_LIST,
     "At how many percent of a budget an event is written to the audit log, once a window; by "
     "default at 80 and 100.",
     .item = KUBE_INT32, .list = KUBE_SET, .max = 4},
    {0},
};

static const struct kube_field use_fields[] = {
    {"name", KUBE_STRING, "The rule.", .flags = KUBE_REQUIRED},
    {"used", KUBE_INT64, "What calls that ended have used in this window."},
    {"reserved", KUBE_INT64, "What calls that run may use at most."},
    {"limit", KUBE_INT64, "The limit."},
    {"resetsAt", KUBE_STRING, "When the window ends.", .format = KUBE_TIME},
    {"owner", KUBE_STRING,
     "Where each user or key has a budget of its own: who has used most. The numbers are his."},
    {"owners", KUBE_INT32, "How many of them have used something."},
    {0},
};

static const struct kube_shape use_shape = {
    "io.drun.v1.LimitPolicyUse",
    "How much of a budget is used.",
    use_fields,
};

static const struct kube_field status_fields[] = {
    {"budgets", KUBE_LIST, "How much of each rule is used, a few seconds ago.", .shape = &use_shape,
     .item = KUBE_OBJECT, .list = KUBE_KEYED, .merge_key = "name"},
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.LimitPolicyStatus",
    "The observed state of a limit policy.",
    status_fields,
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.LimitPolicySpec",
    "The desired state of a limit policy.",
    spec_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
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

static void validate_rates(const json_t *object, struct kube_causes *causes)
{
    const json_t *rule;
    char path[64];
    size_t i;

    json_array_foreach (json_object_get(json_object_get(object, "spec"), "rules"), i, rule) {
        const char *window = json_string_value(json_object_get(rule, "window"));
        if (json_object_get(rule, "algorithm") == NULL || window == NULL ||
            strcmp(window, "minute") == 0)
            continue;
        snprintf(path, sizeof(path), "spec.rules[%zu].algorithm", i);
        kube_cause(
            causes, "FieldValueForbidden", path,
            "Forbidden: only a rule with window minute has an algorithm; the others count by "
            "the calendar");
    }
}

static void validate(const json_t *object, const json_t *old UNUSED, struct kube_causes *causes)
{
    const json_t *percent;
    size_t i;

    validate_rates(object, causes);

    json_array_foreach (json_object_get(json_object_get(object, "spec"), "alerts"), i, percent)
        if (!json_is_integer(percent) || json_integer_value(percent) < 1 ||
            json_integer_value(percent) > 100)
            kube_cause(causes, "FieldValueInvalid", "spec.alerts",
                       "Invalid value: must be percentages, 1 to 100");
}

/* The budget that is nearest to its end. */
static json_t *used_cell(const json_t *object, int64_t now_sec UNUSED)
{
    const json_t *use;
    long long most = 0;
    size_t i;

    json_array_foreach (json_object_get(json_object_get(object, "status"), "budgets"), i, use) {
        long long limit = json_integer_value(json_object_get(use, "limit"));
        long long used = json_integer_value(json_object_get(use, "used"));
        double share = limit > 0 ? 100.0 * (double)used / (double)limit : 0;
        if ((long long)share > most)
            most = (long long)share;
    }
    return json_sprintf("%lld%%", most);
}

static const struct kube_column columns[] = {
    {"Model Service", "string", "The model service that it is for; empty: all.",
     "spec.modelService"},
    {"Rules", "integer", "How many budgets it has.", .cell = rules_cell},
    {"Used", "string", "Of the budget that is nearest to its end.", .cell = used_cell},
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
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
    .validate = validate,
};
