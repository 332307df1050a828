/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds by name, for a role to say which it owns. */
#ifndef DRUN_KUBE_KINDS_KINDS_H
#define DRUN_KUBE_KINDS_KINDS_H

#include "kube/schema.h"

extern const struct kube_kind kube_namespace;
extern const struct kube_kind kube_service_account;
extern const struct kube_kind kube_secret;
extern const struct kube_kind kube_config_map;
extern const struct kube_kind kube_event_kind;

extern const struct kube_kind kube_role;
extern const struct kube_kind kube_cluster_role;
extern const struct kube_kind kube_role_binding;
extern const struct kube_kind kube_cluster_role_binding;

extern const struct kube_kind kube_user;
/* Terms of users (kube_object_each_by()): disabled or with an end; said to operate the platform. */
#define KUBE_USERS_LIMITED   "limited=true"
#define KUBE_USERS_OPERATORS "operator=true"
/* Before an address in small letters. */
#define KUBE_USERS_EMAIL "spec.email="
extern const struct kube_kind kube_group;
extern const struct kube_kind kube_oidc_client;
extern const struct kube_kind kube_api_key;
extern const struct kube_kind kube_trusted_issuer;
extern const struct kube_kind kube_identity_provider;
extern const struct kube_kind kube_model;
extern const struct kube_kind kube_model_route;
extern const struct kube_kind kube_model_service;
extern const struct kube_kind kube_limit_policy;
extern const struct kube_kind kube_price_list;
extern const struct kube_kind kube_waf_rule_set;
extern const struct kube_kind kube_waf_policy;
extern const struct kube_kind kube_guard_policy;
extern const struct kube_kind kube_control;

extern const struct kube_kind kube_self_subject_access_review;
extern const struct kube_kind kube_self_subject_rules_review;
extern const struct kube_kind kube_subject_access_review;
extern const struct kube_kind kube_local_subject_access_review;
extern const struct kube_kind kube_self_subject_review;
extern const struct kube_kind kube_token_review;
extern const struct kube_kind kube_token_request;
extern const struct kube_kind kube_scale;

/* Shapes and columns that several kinds share. */
extern const struct kube_shape kube_shape_condition;
extern const struct kube_shape kube_shape_mfa;
extern const struct kube_shape kube_shape_waf_status;
extern const struct kube_shape kube_shape_local_reference;
extern const struct kube_shape kube_shape_object_reference;
json_t *kube_cell_count(const json_t *list_or_map);
/* Bytes of all values of a map: of their text, or of what their base64 stands for. */
size_t kube_values_len(const json_t *map, bool base64);
/* Kubernetes' ceiling for the values of one Secret or ConfigMap. */
enum { KUBE_VALUES_MAX = 1024 * 1024 };

#define KUBE_CONDITIONS_FIELD                                                                      \
    {                                                                                              \
        "conditions", KUBE_LIST, "What has been observed, one entry a type.",                      \
            .shape = &kube_shape_condition, .item = KUBE_OBJECT, .list = KUBE_KEYED,               \
            .merge_key = "type"                                                                    \
    }

#endif
