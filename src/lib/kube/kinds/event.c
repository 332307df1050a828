/* SPDX-License-Identifier: Apache-2.0 */
/* What happened to an object, as `kubectl describe` shows it. Security-relevant facts are in the
 * audit log; these are for convenience and may go at any time. */
#include "kube/kinds/kinds.h"

static const struct kube_field source_fields[] = {
    {"component", KUBE_STRING, "The part of the platform that saw it.", .wire = 1},
    {"host", KUBE_STRING, "The machine that it was seen on.", .wire = 2},
    {0},
};

static const struct kube_shape source_shape = {
    "io.k8s.api.core.v1.EventSource",
    "Where an event comes from.",
    source_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"involvedObject", KUBE_OBJECT, "What it happened to.", .shape = &kube_shape_object_reference,
     .flags = KUBE_REQUIRED, .wire = 2},
    {"reason", KUBE_STRING, "One word for programs.", .wire = 3},
    {"message", KUBE_STRING, "A sentence for people.", .wire = 4},
    {"source", KUBE_OBJECT, "Who reports it.", .shape = &source_shape, .fallback = "{}", .wire = 5},
    {"firstTimestamp", KUBE_STRING, "When it was first seen.", .format = KUBE_TIME, .wire = 6},
    {"lastTimestamp", KUBE_STRING, "When it was last seen.", .format = KUBE_TIME, .wire = 7},
    {"count", KUBE_INT32, "How often it was seen.", .wire = 8},
    {"type", KUBE_STRING, "Normal or Warning.", .wire = 9},
    {"eventTime", KUBE_STRING, "When it was first seen, to the microsecond.", .format = KUBE_TIME},
    {"action", KUBE_STRING, "What was being done.", .wire = 12},
    {"reportingComponent", KUBE_STRING, "The program that reports it.", .wire = 14},
    {"reportingInstance", KUBE_STRING, "The instance of that program.", .wire = 15},
    {0},
};

static const struct kube_shape shape = {
    "io.k8s.api.core.v1.Event",
    "Something that happened to an object.",
    fields,
};

static json_t *object_cell(const json_t *object, int64_t now_sec UNUSED)
{
    const json_t *about = json_object_get(object, "involvedObject");
    const char *kind = json_string_value(json_object_get(about, "kind"));
    const char *name = json_string_value(json_object_get(about, "name"));

    return json_sprintf("%s/%s", kind != NULL ? kind : "", name != NULL ? name : "");
}

static const struct kube_column columns[] = {
    {"Last Seen", "date", "When it was last seen.", "lastTimestamp"},
    {"Type", "string", "Normal or Warning.", "type"},
    {"Reason", "string", "One word for programs.", "reason"},
    {"Object", "string", "What it happened to.", .cell = object_cell},
    {"Message", "string", "A sentence for people.", "message"},
    {0},
};

const struct kube_kind kube_event_kind = {
    .group = "",
    .version = "v1",
    .kind = "Event",
    .plural = "events",
    .singular = "event",
    .short_names = KUBE_NAMES("ev"),
    .namespaced = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .selectable = KUBE_NAMES(
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
        "involvedObject.fieldPath", "reason", "type", "reportingComponent", "source"),
};
