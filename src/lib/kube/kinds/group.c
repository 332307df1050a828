/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field spec_fields[] = {
    {"displayName", KUBE_STRING, "The name that people read.", .max = 128},
    {"description", KUBE_STRING, "What the group is for.", .max = 1024},
    {"members", KUBE_LIST, "Names of the users in the group.", .item = KUBE_STRING,
     .format = KUBE_DNS_SUBDOMAIN, .list = KUBE_SET, .max = 10000},
    {"externalId", KUBE_STRING, "What a provisioning client (SCIM 2.0) calls it.", .max = 1024},
    {"mfa", KUBE_OBJECT, "What the members need beside the password.", .shape = &kube_shape_mfa},
    {0},
};

static const struct kube_shape spec_shape = {
    "io.drun.v1.GroupSpec",
    "The desired state of a group.",
    spec_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The desired state.", .shape = &spec_shape, .fallback = "{}"},
    {0},
};

static const struct kube_shape shape = {
    "io.drun.v1.Group",
    "Users that get rights together.",
    fields,
};

static json_t *members_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return kube_cell_count(json_object_get(json_object_get(object, "spec"), "members"));
}

static const struct kube_column columns[] = {
    {"Members", "integer", "How many users are listed.", .cell = members_cell},
    {"Description", "string", "What the group is for.", "spec.description", .priority = 1},
    {0},
};

const struct kube_kind kube_group = {
    .group = "drun.io",
    .version = "v1",
    .kind = "Group",
    .plural = "groups",
    .singular = "group",
    .categories = KUBE_NAMES("drun"),
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
};
