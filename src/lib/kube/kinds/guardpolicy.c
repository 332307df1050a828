/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field rule_fields[] = {
    {"detector", KUBE_STRING,
     "What the rule is about: a detector such as github-token, a group (secret, personal, hidden), "
     "or all.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .format = KUBE_DNS_LABEL},
    {"action", KUBE_STRING,
     "What becomes of it: nothing, a record in the audit log, a mask in its place, or an end of the "
     "call.",
     .flags = KUBE_REQUIRED, .values = KUBE_NAMES("off", "detect", "mask", "block")},
    {"direction", KUBE_STRING, "Where: in requests, in answers, or in both.",
     .values = KUBE_NAMES("both", "request", "answer"), .fallback = "\"both\""},
    {0},
};

static const struct kube_shape rule_shape = {
    "io.drun.v1.GuardPolicyRule",
    "What becomes of one thing that the guard finds.",
    rule_fields,
};

static const struct kube_field spec_fields[] = {
    {"modelService", KUBE_STRING,
     "The model service of this namespace that it is for; without it, all of them.",
     .format = KUBE_DNS_LABEL},
    {"rules", KUBE_LIST, "From the first to the last; a later rule overrides what came before.",
     .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .shape = &rule_shape, .item = KUBE_OBJECT, .max = 64},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.GuardPolicySpec",
    "The desired state of a guard policy.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    KUBE_CONDITIONS_FIELD,
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.GuardPolicyStatus",
    "The observed state of a guard policy.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.GuardPolicy",
    "What becomes of secrets, personal data and hidden characters in what is said to the models of "
    "a namespace and what they say. In the namespace drun-system it is the default of all.",
    fields,
};

static json_t *rules_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return kube_cell_count(json_object_get(json_object_get(object, "spec"), "rules"));
}

static const struct kube_column columns[] = {
    {"Model Service", "string", "The model service that it is for; empty: all.",
     "spec.modelService"},
    {"Rules", "integer", "How many rules it has.", .cell = rules_cell},
    {0},
};

const struct kube_kind kube_guard_policy = {
    .group = "drun.io",
    .version = "v1",
    .kind = "GuardPolicy",
    .plural = "guardpolicies",
    .singular = "guardpolicy",
    .categories = KUBE_NAMES("drun"),
    .namespaced = true,
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
};
