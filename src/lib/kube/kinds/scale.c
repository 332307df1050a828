/* SPDX-License-Identifier: Apache-2.0 */
/* autoscaling/v1 Scale: how many of something there shall be, and nothing else of it. */
#include "kube/kinds/kinds.h"

static const struct kube_field spec_fields[] = {
    {"replicas", KUBE_INT32, "How many there shall be.", .fallback = "0", .min = 0,
     .max = INT32_MAX, .wire = 1},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.k8s.api.autoscaling.v1.ScaleSpec",
    "How many there shall be.",
    spec_fields,
};

static const struct kube_field status_fields[] = {
    {"replicas", KUBE_INT32, "How many there are.", .wire = 1},
    {"selector", KUBE_STRING, "Labels of what is counted; empty.", .wire = 2},
    {0},
};

static const struct kube_shape status_shape = {
    "io.k8s.api.autoscaling.v1.ScaleStatus",
    "How many there are.",
    status_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "How many there shall be.", .shape = &spec_shape, .fallback = "{}",
     .wire = 2},
    {"status", KUBE_OBJECT, "How many there are.", .shape = &status_shape, .wire = 3},
    {0},
};

static const struct kube_shape shape = {
    "io.k8s.api.autoscaling.v1.Scale",
    "How many of something there shall be.",
    fields,
};

const struct kube_kind kube_scale = {
    .group = "autoscaling",
    .version = "v1",
    .kind = "Scale",
    .plural = "scales",
    .singular = "scale",
    .namespaced = true,
    .special = KUBE_SUBRESOURCE_KIND,
    .shape = &shape,
};
