/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field match_fields[] = {
    {"paths", KUBE_LIST, "Paths; each stands for all below it.", .item = KUBE_STRING, .max = 64},
    {"namespaces", KUBE_LIST,
     "Namespaces: of the model that is called, or in the path of an object.", .item = KUBE_STRING,
     .format = KUBE_DNS_LABEL, .max = 256},
    {"modelServices", KUBE_LIST, "Model services that are called: namespace/name.",
     .item = KUBE_STRING, .max = 256},
    {0},
};

static const struct kube_shape match_shape = {
    "io.drun.v1.WafPolicyMatch",
    "Which requests it is for: those that one entry of each list fits. Without lists: all.",
    match_fields,
};

static const struct kube_field exclusion_fields[] = {
    {"ruleIds", KUBE_LIST, "Rules by id, or ranges such as 942000-942999.", .item = KUBE_STRING,
     .max = 256},
    {"ruleTags", KUBE_LIST, "Rules by tag, such as attack-sqli.", .item = KUBE_STRING, .max = 64},
    {"targets", KUBE_LIST,
     "What those rules no longer look at, such as ARGS:comment; without any, the rules do not run "
     "at all. Without rules: what no rule of CRS looks at.",
     .item = KUBE_STRING, .max = 64},
    {"reason", KUBE_STRING, "Why; for the reader.", .max = 1024},
    {0},
};

static const struct kube_shape exclusion_shape = {
    "io.drun.v1.WafPolicyExclusion",
    "Rules that do not apply.",
    exclusion_fields,
};

static const struct kube_field spec_fields[] = {
    {"match", KUBE_OBJECT, "Which requests it is for; without it, all.", .shape = &match_shape},
    {"mode", KUBE_STRING, "Block refuses requests, Detect records what would have been refused.",
     .values = KUBE_NAMES("Block", "Detect", "Off")},
    {"paranoiaLevel", KUBE_INT32, "How suspicious CRS is; from 2 on it takes exclusions.", .min = 1,
     .max = 4},
    {"inboundThreshold", KUBE_INT32, "From which score on a request is refused.", .min = 1,
     .max = 1000000},
    {"responses", KUBE_STRING,
     "Which answers of roles and engines are looked at, never streams: those that tell an error, "
     "all, or none.",
     .values = KUBE_NAMES("Errors", "All", "Off")},
    {"outboundThreshold", KUBE_INT32, "From which score on an answer is withheld.", .min = 1,
     .max = 1000000},
    {"exclusions", KUBE_LIST, "Rules that do not apply.", .shape = &exclusion_shape,
     .item = KUBE_OBJECT, .max = 128},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.WafPolicySpec",
    "The desired state of a policy. What it does not say, another one says.",
    spec_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &kube_shape_waf_status},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.WafPolicy",
    "What the web application firewall does with requests.",
    fields,
};

static const struct kube_column columns[] = {
    {"Mode", "string", "What becomes of an attack.", "spec.mode"},
    {"Paranoia", "integer", "How suspicious CRS is.", "spec.paranoiaLevel"},
    {"Phase", "string", "Whether it is in force.", "status.phase"},
    {0},
};

const struct kube_kind kube_waf_policy = {
    .group = "drun.io",
    .version = "v1",
    .kind = "WafPolicy",
    .plural = "wafpolicies",
    .singular = "wafpolicy",
    .categories = KUBE_NAMES("drun"),
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
};
