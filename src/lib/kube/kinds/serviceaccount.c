/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

static const struct kube_field fields[] = {
    KUBE_TOP_FIELDS,
    {"secrets", KUBE_LIST, "Secrets that workloads of this account may use.",
     .shape = &kube_shape_object_reference, .item = KUBE_OBJECT, .list = KUBE_KEYED,
     .merge_key = "name", .wire = 2},
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

static const struct kube_subresource others[] = {{"token", &kube_token_request, KUBE_CREATE}, {0}};

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
