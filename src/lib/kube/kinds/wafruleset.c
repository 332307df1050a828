/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field spec_fields[] = {
    {"files", KUBE_LIST,
     "Files of rules on the host, in the order in which they are read: absolute paths, patterns "
     "such as /usr/share/modsecurity-crs/rules/*.conf, or folders for the *.conf in them. They lie "
     "in the folders of the setting waf-dirs.",
     .item = KUBE_STRING, .max = 64},
    {"rules", KUBE_STRING, "Rules in SecLang, read behind the files.", .max = 48 * 1024},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.WafRuleSetSpec",
    "The desired state of a rule set.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    {"phase", KUBE_STRING, "Whether the rules as they are now are in force.",
     .values = KUBE_NAMES("Pending", "InForce", "Failed")},
    {"rules", KUBE_INT64, "How many rules are in force, of all rule sets together."},
    {"digest", KUBE_STRING, "Of all that the rules in force were made of."},
    {"observedGeneration", KUBE_INT64, "The generation that this is about."},
    KUBE_CONDITIONS_FIELD,
    {0},
};

const struct kube_shape kube_shape_waf_status = {
    "io.drun.v1.WafStatus",
    "What became of it.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .flags = KUBE_REQUIRED},
    {"status", KUBE_OBJECT, "The observed state.", .shape = &kube_shape_waf_status},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.WafRuleSet",
    "Rules of the web application firewall, in the language of ModSecurity.",
    fields,
};

static const struct kube_column columns[] = {
    {"Phase", "string", "Whether it is in force.", "status.phase"},
    {"Rules", "integer", "How many rules are in force.", "status.rules"},
    {0},
};

const struct kube_kind kube_waf_rule_set = {
    .group = "drun.io",
    .version = "v1",
    .kind = "WafRuleSet",
    .plural = "wafrulesets",
    .singular = "wafruleset",
    .categories = KUBE_NAMES("drun"),
    .has_status = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_LABEL,
    .shape = &shape,
    .columns = columns,
};
