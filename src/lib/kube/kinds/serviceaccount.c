/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field reference_fields[] = {
    {"apiVersion", KUBE_STRING, "Group and version of the referent.", .wire = 5},
    {"kind", KUBE_STRING, "Kind of the referent.", .wire = 1},
    {"name", KUBE_STRING, "Name of the referent.", .wire = 3},
    {"namespace", KUBE_STRING, "Namespace of the referent.", .wire = 2},
    {"uid", KUBE_STRING, "Uid of the referent.", .wire = 4},
    {"resourceVersion", KUBE_STRING, "Revision of the referent.", .wire = 6},
    {"fieldPath", KUBE_STRING, "A part of the referent.", .wire = 7},
    {0},
};

static const struct kube_shape reference_shape = {
    "io.k8s.api.core.v1.ObjectReference",
    "Names another object.",
    reference_fields,
};

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"secrets", KUBE_LIST, "Secrets that workloads of this account may use.",
     .shape = &reference_shape, .item = KUBE_OBJECT, .list = KUBE_KEYED, .merge_key = "name",
     .wire = 2},
    {"imagePullSecrets", KUBE_LIST, "Secrets with which images are pulled.",
     .shape = &kube_shape_local_reference, .item = KUBE_OBJECT, .list = KUBE_KEYED,
     .merge_key = "name", .wire = 3},
    {"automountServiceAccountToken", KUBE_BOOL, "Whether workloads get a token of this account.",
     .wire = 4},
    {0},
};

static const struct kube_shape shape = {
    "io.k8s.api.core.v1.ServiceAccount",
    "An identity for programs, in one namespace.",
    fields,
};

static json_t *secrets_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return kube_cell_count(json_object_get(object, "secrets"));
}

static const struct kube_column columns[] = {
    {"Secrets", "integer", "How many secrets the account lists.", .cell = secrets_cell},
    {0},
};

static const struct kube_subresource others[] = {{"token", &kube_token_request}, {0}};

const struct kube_kind kube_service_account = {
    .group = "",
    .version = "v1",
    .kind = "ServiceAccount",
    .plural = "serviceaccounts",
    .singular = "serviceaccount",
    .short_names = KUBE_NAMES("sa"),
    .namespaced = true,
    .verbs = KUBE_ALL_VERBS,
    .name_format = KUBE_DNS_SUBDOMAIN,
    .shape = &shape,
    .columns = columns,
    .others = others,
};
