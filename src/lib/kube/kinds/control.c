/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field spec_fields[] = {
    {"id", KUBE_STRING, "The control's number in the catalogue.", .flags = KUBE_REQUIRED},
    {"title", KUBE_STRING, "What is controlled, in English."},
    {"titleZh", KUBE_STRING, "What is controlled, in Chinese."},
    {"chapter", KUBE_STRING, "The chapter of the whitepaper."},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.ControlSpec",
    "What the control is.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    {"verdict", KUBE_STRING, "What the last proof found.",
     .values = KUBE_NAMES("proven", "degraded", "failed", "absent")},
    {"evidence", KUBE_STRING, "What was done and what was seen."},
    {"checkedAt", KUBE_STRING, "When the proof last ran.", .format = KUBE_TIME},
    {"durationMs", KUBE_INT64, "How long it took, in milliseconds."},
    {0},
};

static const struct kube_shape status_shape = {
    "io.drun.v1.ControlStatus",
    "The live verdict.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "What the control is.", .shape = &spec_shape},
    {"status", KUBE_OBJECT, "The live verdict.", .shape = &status_shape},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.Control",
    "A security control and its live proof. Read-only.",
    fields,
};

static const struct kube_column columns[] = {
    {"Title", "string", "What is controlled.", "spec.title"},
    {"Verdict", "string", "What the last proof found.", "status.verdict"},
    {"Checked", "date", "When the proof last ran.", "status.checkedAt"},
    {"Chapter", "string", "The chapter of the whitepaper.", "spec.chapter", .priority = 1},
    {"Evidence", "string", "What was seen.", "status.evidence", .priority = 1},
    {0},
};

const struct kube_kind kube_control = {
    .group = "drun.io",
    .version = "v1",
    .kind = "Control",
    .plural = "controls",
    .singular = "control",
    .short_names = KUBE_NAMES("ctl"),
    .categories = KUBE_NAMES("drun"),
    .has_status = false,
    .verbs = KUBE_READ_ONLY_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .selectable = KUBE_NAMES("status.verdict", "spec.chapter"),
};
