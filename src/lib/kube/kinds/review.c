/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that are answered at once and never stored: may I, may they, who am I. */
#include "kube/kinds/kinds.h"

static const struct kube_field resource_attribute_fields[] = {
    {"namespace", KUBE_STRING, "Empty for a cluster-wide resource or for all namespaces.",
     .wire = 1},
    {"verb", KUBE_STRING, "get, list, create, invoke, ... or *.", .wire = 2},
    {"group", KUBE_STRING, "API group; empty for the core group.", .wire = 3},
    {"version", KUBE_STRING, "API version.", .wire = 4},
    {"resource", KUBE_STRING, "Resource, such as secrets.", .wire = 5},
    {"subresource", KUBE_STRING, "Subresource, such as status.", .wire = 6},
    {"name", KUBE_STRING, "Name of one object; empty for all.", .wire = 7},
    {"fieldSelector", KUBE_ANY, "Not taken into account: the answer is for all objects."},
    {"labelSelector", KUBE_ANY, "Not taken into account: the answer is for all objects."},
    {0},
};

static const struct kube_shape resource_attributes = {
    "io.k8s.api.authorization.v1.ResourceAttributes",
    "An action on a resource.",
    resource_attribute_fields,
};

static const struct kube_field path_attribute_fields[] = {
    {"path", KUBE_STRING, "The path of the request.", .wire = 1},
    {"verb", KUBE_STRING, "The HTTP method in lower case.", .wire = 2},
    {0},
};

static const struct kube_shape path_attributes = {
    "io.k8s.api.authorization.v1.NonResourceAttributes",
    "An action on a path that is no resource.",
    path_attribute_fields,
};

#define ATTRIBUTES_FIELDS                                                                          \
    {"resourceAttributes", KUBE_OBJECT, "The action, when it is on a resource.",                   \
     .shape = &resource_attributes, .wire = 1},                                                    \
    {                                                                                              \
        "nonResourceAttributes", KUBE_OBJECT, "The action, when it is on a path.",                 \
            .shape = &path_attributes, .wire = 2                                                   \
    }

static const struct kube_field self_spec_fields[] = {ATTRIBUTES_FIELDS, {0}};

static const struct kube_shape self_spec = {
    "io.k8s.api.authorization.v1.SelfSubjectAccessReviewSpec",
    "What the caller asks about itself.",
    self_spec_fields,
};

static const struct kube_field subject_spec_fields[] = {
    ATTRIBUTES_FIELDS,
    {"user", KUBE_STRING, "The user that is asked about.", .wire = 3},
    {"groups", KUBE_LIST, "The groups of that user.", .item = KUBE_STRING, .wire = 4},
    {"uid", KUBE_STRING, "The uid of that user.", .wire = 6},
    {"extra", KUBE_ANY, "More about that user."},
    {0},
};

static const struct kube_shape subject_spec = {
    "io.k8s.api.authorization.v1.SubjectAccessReviewSpec",
    "What is asked about a user.",
    subject_spec_fields,
};

static const struct kube_field access_status_fields[] = {
    {"allowed", KUBE_BOOL, "True when the action is allowed."},
    {"denied", KUBE_BOOL, "True when a rule forbids it."},
    {"reason", KUBE_STRING, "Why."},
    {"evaluationError", KUBE_STRING, "What went wrong while finding out."},
    {0},
};

static const struct kube_shape access_status = {
    "io.k8s.api.authorization.v1.SubjectAccessReviewStatus",
    "The answer.",
    access_status_fields,
};

static const struct kube_field rules_spec_fields[] = {
    {"namespace", KUBE_STRING, "The namespace to list the caller's rights in.", .wire = 1},
    {0},
};

static const struct kube_shape rules_spec = {
    "io.k8s.api.authorization.v1.SelfSubjectRulesReviewSpec",
    "Where the caller wants to know its rights.",
    rules_spec_fields,
};

static const struct kube_field rules_status_fields[] = {
    {"resourceRules", KUBE_LIST, "What is allowed on resources.", .item = KUBE_ANY},
    {"nonResourceRules", KUBE_LIST, "What is allowed on paths.", .item = KUBE_ANY},
    {"incomplete", KUBE_BOOL, "True when there may be more rights than are listed."},
    {"evaluationError", KUBE_STRING, "What went wrong while finding out."},
    {0},
};

static const struct kube_shape rules_status = {
    "io.k8s.api.authorization.v1.SubjectRulesReviewStatus",
    "The caller's rights.",
    rules_status_fields,
};

#define REVIEW_SHAPE(ident, kind_name, about, spec_shape, status_shape)                            \
    static const struct kube_field ident##_fields[] = {                                            \
        KUBE_TOP_FIELDS,                                                                           \
        {"spec", KUBE_OBJECT, "The question.", .shape = &spec_shape, .flags = KUBE_REQUIRED,       \
         .wire = 2},                                                                               \
        {"status", KUBE_OBJECT, "The answer.", .shape = &status_shape, .wire = 3},                 \
        {0},                                                                                       \
    };                                                                                             \
    static const struct kube_shape ident##_shape = {                                               \
        "io.k8s.api.authorization.v1." kind_name,                                                  \
        about,                                                                                     \
        ident##_fields,                                                                            \
    }

REVIEW_SHAPE(self, "SelfSubjectAccessReview", "Asks whether the caller may do something.",
             self_spec, access_status);
REVIEW_SHAPE(subject, "SubjectAccessReview", "Asks whether a user may do something.", subject_spec,
             access_status);
REVIEW_SHAPE(local, "LocalSubjectAccessReview",
             "Asks whether a user may do something in one namespace.", subject_spec, access_status);
REVIEW_SHAPE(rules, "SelfSubjectRulesReview", "Asks what the caller may do in a namespace.",
             rules_spec, rules_status);

static const struct kube_field user_fields[] = {
    {"username", KUBE_STRING, "The caller's name."},
    {"uid", KUBE_STRING, "The caller's uid."},
    {"groups", KUBE_LIST, "The caller's groups.", .item = KUBE_STRING},
    {"extra", KUBE_ANY, "More about the caller."},
    {0},
};

static const struct kube_shape user_info = {
    "io.k8s.api.authentication.v1.UserInfo",
    "Who is calling.",
    user_fields,
};

static const struct kube_field who_status_fields[] = {
    {"userInfo", KUBE_OBJECT, "Who is calling.", .shape = &user_info},
    {0},
};

static const struct kube_shape who_status = {
    "io.k8s.api.authentication.v1.SelfSubjectReviewStatus",
    "The answer.",
    who_status_fields,
};

static const struct kube_field who_fields[] = {
    KUBE_TOP_FIELDS,
    {"status", KUBE_OBJECT, "The answer.", .shape = &who_status, .wire = 2},
    {0},
};

static const struct kube_shape who_shape = {
    "io.k8s.api.authentication.v1.SelfSubjectReview",
    "Asks who the caller is.",
    who_fields,
};

static const struct kube_field check_spec_fields[] = {
    {"token", KUBE_STRING, "The token.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .wire = 1},
    {"audiences", KUBE_LIST, "Who must be meant by it.", .item = KUBE_STRING, .wire = 2},
    {0},
};

static const struct kube_shape check_spec = {
    "io.k8s.api.authentication.v1.TokenReviewSpec",
    "The token that is asked about.",
    check_spec_fields,
};

static const struct kube_field check_status_fields[] = {
    {"authenticated", KUBE_BOOL, "True when the token is good."},
    {"user", KUBE_OBJECT, "Whose it is.", .shape = &user_info},
    {"audiences", KUBE_LIST, "Who is meant by it.", .item = KUBE_STRING},
    {"error", KUBE_STRING, "Why it is not good."},
    {0},
};

static const struct kube_shape check_status = {
    "io.k8s.api.authentication.v1.TokenReviewStatus",
    "The answer.",
    check_status_fields,
};

static const struct kube_field check_fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The question.", .shape = &check_spec, .flags = KUBE_REQUIRED, .wire = 2},
    {"status", KUBE_OBJECT, "The answer.", .shape = &check_status, .wire = 3},
    {0},
};

static const struct kube_shape check_shape = {
    "io.k8s.api.authentication.v1.TokenReview",
    "Asks whether a token is good, and whose it is.",
    check_fields,
};

static const struct kube_field bound_fields[] = {
    {"kind", KUBE_STRING, "Secret or ModelService.", .wire = 1},
    {"apiVersion", KUBE_STRING, "Of the kind: v1 or drun.io/v1.", .wire = 2},
    {"name", KUBE_STRING, "In the namespace of the service account.", .format = KUBE_DNS_SUBDOMAIN,
     .wire = 3},
    {"uid", KUBE_STRING, "When it is given, the object must have it.", .wire = 4},
    {0},
};

static const struct kube_shape bound_shape = {
    "io.k8s.api.authentication.v1.BoundObjectReference",
    "The object with which a token ends.",
    bound_fields,
};

static const struct kube_field token_spec_fields[] = {
    {"audiences", KUBE_LIST, "Who shall accept the token.", .item = KUBE_STRING, .wire = 1},
    {"expirationSeconds", KUBE_INT64, "How long it shall hold.", .fallback = "3600", .min = 600,
     .max = 1LL << 32, .wire = 4},
    {"boundObjectRef", KUBE_OBJECT, "The object with which the token ends.", .shape = &bound_shape,
     .wire = 3},
    {0},
};

static const struct kube_shape token_spec = {
    "io.k8s.api.authentication.v1.TokenRequestSpec",
    "The token that is wanted.",
    token_spec_fields,
};

static const struct kube_field token_status_fields[] = {
    {"token", KUBE_STRING, "The token."},
    {"expirationTimestamp", KUBE_STRING, "When it ends.", .format = KUBE_TIME},
    {0},
};

static const struct kube_shape token_status = {
    "io.k8s.api.authentication.v1.TokenRequestStatus",
    "The token that was issued.",
    token_status_fields,
};

static const struct kube_field token_fields[] = {
    KUBE_TOP_FIELDS,
    {"spec", KUBE_OBJECT, "The token that is wanted.", .shape = &token_spec, .fallback = "{}",
     .wire = 2},
    {"status", KUBE_OBJECT, "The token that was issued.", .shape = &token_status, .wire = 3},
    {0},
};

static const struct kube_shape token_shape = {
    "io.k8s.api.authentication.v1.TokenRequest",
    "Asks for a token of a service account.",
    token_fields,
};

#define REVIEW_KIND(group_name, kind_name, plural_name, singular_name)                             \
    .group = group_name, .version = "v1", .kind = kind_name, .plural = plural_name,                \
    .singular = singular_name, .verbs = KUBE_CREATE

#define AUTHORIZATION  "authorization.k8s.io"
#define AUTHENTICATION "authentication.k8s.io"

const struct kube_kind kube_self_subject_access_review = {
    REVIEW_KIND(AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews",
                "selfsubjectaccessreview"),
    .special = KUBE_ACCESS_SELF,
    .shape = &self_shape,
};

const struct kube_kind kube_subject_access_review = {
    REVIEW_KIND(AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews",
                "subjectaccessreview"),
    .special = KUBE_ACCESS_SUBJECT,
    .shape = &subject_shape,
};

const struct kube_kind kube_local_subject_access_review = {
    REVIEW_KIND(AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews",
                "localsubjectaccessreview"),
    .namespaced = true,
    .special = KUBE_ACCESS_SUBJECT,
    .shape = &local_shape,
};

const struct kube_kind kube_self_subject_rules_review = {
    REVIEW_KIND(AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews",
                "selfsubjectrulesreview"),
    .special = KUBE_RULES_SELF,
    .shape = &rules_shape,
};

const struct kube_kind kube_self_subject_review = {
    REVIEW_KIND(AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview"),
    .special = KUBE_WHO_AM_I,
    .shape = &who_shape,
};

const struct kube_kind kube_token_review = {
    REVIEW_KIND(AUTHENTICATION, "TokenReview", "tokenreviews", "tokenreview"),
    .special = KUBE_TOKEN_REVIEW,
    .shape = &check_shape,
};

const struct kube_kind kube_token_request = {
    REVIEW_KIND(AUTHENTICATION, "TokenRequest", "tokenrequests", "tokenrequest"),
    .namespaced = true,
    .special = KUBE_SUBRESOURCE_KIND,
    .shape = &token_shape,
};
