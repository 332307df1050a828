/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kinds/kinds.h"

const struct kube_kind *const kube_kinds[] = {
    &kube_config_map,
    &kube_event_kind,
    &kube_namespace,
    &kube_secret,
    &kube_service_account,
    &kube_self_subject_review,
    &kube_token_request,
    &kube_token_review,
    &kube_local_subject_access_review,
    &kube_self_subject_access_review,
    &kube_self_subject_rules_review,
    &kube_subject_access_review,
    &kube_cluster_role_binding,
    &kube_cluster_role,
    &kube_role_binding,
    &kube_role,
    &kube_api_key,
    &kube_control,
    &kube_group,
    &kube_model,
    &kube_model_service,
    &kube_oidc_client,
    &kube_user,
    NULL,
};
