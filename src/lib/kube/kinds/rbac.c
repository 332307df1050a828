/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "kube/kinds/kinds.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

static const struct kube_field rule_fields[] = {
    {"verbs", KUBE_LIST, "What may be done: get, list, create, invoke, ... or *.",
     .item = KUBE_STRING, .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY, .wire = 1},
    {"apiGroups", KUBE_LIST, "API groups of the resources; \"\" is the core group, * every group.",
     .item = KUBE_STRING, .wire = 2},
    {"resources", KUBE_LIST, "Resources such as secrets or models, models/status, or *.",
     .item = KUBE_STRING, .wire = 3},
    {"resourceNames", KUBE_LIST, "Only objects of these names; empty means all.",
     .item = KUBE_STRING, .wire = 4},
    {"nonResourceURLs", KUBE_LIST, "Paths that are no resources, such as /metrics or /v1/*.",
     .item = KUBE_STRING, .wire = 5},
    {0},
};

static const struct kube_shape rule_shape = {
    "io.k8s.api.rbac.v1.PolicyRule",
    "Grants verbs on resources or on paths.",
    rule_fields,
};

static const struct kube_field expression_fields[] = {
    {"key", KUBE_STRING, "The label.", .flags = KUBE_REQUIRED, .format = KUBE_LABEL_KEY, .wire = 1},
    {"operator", KUBE_STRING, "How the label's value is compared.", .flags = KUBE_REQUIRED,
     .values = KUBE_NAMES("In", "NotIn", "Exists", "DoesNotExist"), .wire = 2},
    {"values", KUBE_LIST, "What it is compared with.", .item = KUBE_STRING,
     .format = KUBE_LABEL_VALUE, .wire = 3},
    {0},
};

static const struct kube_shape expression_shape = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement",
    "One condition on a label.",
    expression_fields,
};

static const struct kube_field selector_fields[] = {
    {"matchLabels", KUBE_MAP, "Labels that must have these values.", .item = KUBE_STRING,
     .key_format = KUBE_LABEL_KEY, .format = KUBE_LABEL_VALUE, .wire = 1},
    {"matchExpressions", KUBE_LIST, "Conditions that must all hold.", .shape = &expression_shape,
     .item = KUBE_OBJECT, .wire = 2},
    {0},
};

static const struct kube_shape selector_shape = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
    "Selects objects by their labels.",
    selector_fields,
};

static const struct kube_field aggregation_fields[] = {
    {"clusterRoleSelectors", KUBE_LIST, "Selects the roles whose rules are added up.",
     .shape = &selector_shape, .item = KUBE_OBJECT, .wire = 1},
    {0},
};

static const struct kube_shape aggregation_shape = {
    "io.k8s.api.rbac.v1.AggregationRule",
    "Makes a role the sum of others.",
    aggregation_fields,
};

#define RULES_FIELD                                                                                \
    {                                                                                              \
        "rules", KUBE_LIST, "What the role allows.", .shape = &rule_shape, .item = KUBE_OBJECT,    \
                                                     .wire = 2                                     \
    }

static const struct kube_field role_fields[] = {KUBE_TOP_FIELDS, RULES_FIELD, {0}};

static const struct kube_shape role_shape = {
    "io.k8s.api.rbac.v1.Role",
    "Rights inside one namespace.",
    role_fields,
};

static const struct kube_field cluster_role_fields[] = {
    KUBE_TOP_FIELDS,
    RULES_FIELD,
    {"aggregationRule", KUBE_OBJECT, "Takes the rules from other roles.",
     .shape = &aggregation_shape, .wire = 3},
    {0},
};

static const struct kube_shape cluster_role_shape = {
    "io.k8s.api.rbac.v1.ClusterRole",
    "Rights on the whole platform, or in each namespace where it is bound.",
    cluster_role_fields,
};

static const struct kube_field role_ref_fields[] = {
    {"apiGroup", KUBE_STRING, "Always " RBAC_GROUP ".", .fallback = "\"" RBAC_GROUP "\"",
     .values = KUBE_NAMES(RBAC_GROUP), .wire = 1},
    {"kind", KUBE_STRING, "Role or ClusterRole.", .flags = KUBE_REQUIRED,
     .values = KUBE_NAMES("Role", "ClusterRole"), .wire = 2},
    {"name", KUBE_STRING, "Name of the role.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY,
     .format = KUBE_PATH_SEGMENT, .wire = 3},
    {0},
};

static const struct kube_shape role_ref_shape = {
    "io.k8s.api.rbac.v1.RoleRef",
    "Names the role that a binding gives.",
    role_ref_fields,
};

static const struct kube_field subject_fields[] = {
    {"kind", KUBE_STRING, "User, Group or ServiceAccount.", .flags = KUBE_REQUIRED,
     .values = KUBE_NAMES("User", "Group", "ServiceAccount"), .wire = 1},
    {"apiGroup", KUBE_STRING, "Empty for a ServiceAccount, otherwise " RBAC_GROUP ".", .wire = 2},
    {"name", KUBE_STRING, "Name of the subject.", .flags = KUBE_REQUIRED | KUBE_NOT_EMPTY,
     .wire = 3},
    {"namespace", KUBE_STRING, "Namespace of a ServiceAccount.", .format = KUBE_DNS_LABEL,
     .wire = 4},
    {0},
};

static const struct kube_shape subject_shape = {
    "io.k8s.api.rbac.v1.Subject",
    "Who gets the rights.",
    subject_fields,
};

#define BINDING_FIELDS                                                                             \
    {"subjects",          KUBE_LIST, "Who gets the role.", .shape = &subject_shape,                \
     .item = KUBE_OBJECT, .wire = 2},                                                              \
    {                                                                                              \
        "roleRef", KUBE_OBJECT, "The role; cannot be changed.",                                    \
            .shape = &role_ref_shape, .flags = KUBE_REQUIRED | KUBE_IMMUTABLE, .wire = 3           \
    }

static const struct kube_field binding_fields[] = {KUBE_TOP_FIELDS, BINDING_FIELDS, {0}};

static const struct kube_shape role_binding_shape = {
    "io.k8s.api.rbac.v1.RoleBinding",
    "Gives a role to subjects in one namespace.",
    binding_fields,
};

static const struct kube_shape cluster_role_binding_shape = {
    "io.k8s.api.rbac.v1.ClusterRoleBinding",
    "Gives a role to subjects on the whole platform.",
    binding_fields,
};

static void prepare_binding(json_t *object, const json_t *old UNUSED,
                            const struct kube_principal *by UNUSED)
{
    size_t i;
    json_t *subject;

    json_array_foreach (json_object_get(object, "subjects"), i, subject) {
        const char *kind = json_string_value(json_object_get(subject, "kind"));
        bool account = kind != NULL && strcmp(kind, "ServiceAccount") == 0;
        if (kind != NULL && !account && json_object_get(subject, "apiGroup") == NULL)
            json_object_set_new(subject, "apiGroup", json_string(RBAC_GROUP));
    }
}

static void validate_subject(const json_t *subject, size_t at, struct kube_causes *causes)
{
    const char *kind = json_string_value(json_object_get(subject, "kind"));
    const char *group = json_string_value(json_object_get(subject, "apiGroup"));
    bool account = kind != NULL && strcmp(kind, "ServiceAccount") == 0;
    char path[64];

    snprintf(path, sizeof(path), "subjects[%zu].namespace", at);
    if (account && json_object_get(subject, "namespace") == NULL)
        kube_cause(causes, "FieldValueRequired", path, "Required value");
    if (!account && json_object_get(subject, "namespace") != NULL)
        kube_cause(causes, "FieldValueForbidden", path,
                   "Forbidden: only a ServiceAccount has a namespace");
    snprintf(path, sizeof(path), "subjects[%zu].apiGroup", at);
    if (group != NULL && strcmp(group, account ? "" : RBAC_GROUP) != 0)
        kube_cause(causes, "FieldValueNotSupported", path,
                   "Unsupported value: \"%s\": supported values: \"%s\"", group,
                   account ? "" : RBAC_GROUP);
}

static void validate_binding(const json_t *object, const json_t *old UNUSED,
                             struct kube_causes *causes)
{
    size_t i;
    json_t *subject;

    json_array_foreach (json_object_get(object, "subjects"), i, subject)
        validate_subject(subject, i, causes);
}

static void validate_cluster_binding(const json_t *object, const json_t *old,
                                     struct kube_causes *causes)
{
    const char *kind =
        json_string_value(json_object_get(json_object_get(object, "roleRef"), "kind"));

    validate_binding(object, old, causes);
    if (kind != NULL && strcmp(kind, "Role") == 0)
        kube_cause(causes, "FieldValueNotSupported", "roleRef.kind",
                   "Unsupported value: \"Role\": supported values: \"ClusterRole\"");
}

static void validate_rule(const json_t *rule, size_t at, bool cluster, struct kube_causes *causes)
{
    bool paths = json_array_size(json_object_get(rule, "nonResourceURLs")) > 0;
    bool resources = json_array_size(json_object_get(rule, "resources")) > 0;
    bool groups = json_array_size(json_object_get(rule, "apiGroups")) > 0;
    char path[64];

    snprintf(path, sizeof(path), "rules[%zu].nonResourceURLs", at);
    if (paths && !cluster)
        kube_cause(causes, "FieldValueInvalid", path,
                   "Invalid value: namespaced rules cannot apply to non-resource URLs");
    if (paths && (resources || groups))
        kube_cause(causes, "FieldValueInvalid", path,
                   "Invalid value: rules cannot apply to both regular resources and non-resource "
                   "URLs");
    snprintf(path, sizeof(path), "rules[%zu].apiGroups", at);
    if (!paths && !groups)
        kube_cause(causes, "FieldValueRequired", path,
                   "Required value: resource rules must supply at least one api group");
    snprintf(path, sizeof(path), "rules[%zu].resources", at);
    if (!paths && !resources)
        kube_cause(causes, "FieldValueRequired", path,
                   "Required value: resource rules must supply at least one resource");
}

static void validate_rules(const json_t *object, bool cluster, struct kube_causes *causes)
{
    size_t i;
    json_t *rule;

    json_array_foreach (json_object_get(object, "rules"), i, rule)
        validate_rule(rule, i, cluster, causes);
}

static void validate_role(const json_t *object, const json_t *old UNUSED,
                          struct kube_causes *causes)
{
    validate_rules(object, false, causes);
}

static void validate_cluster_role(const json_t *object, const json_t *old UNUSED,
                                  struct kube_causes *causes)
{
    validate_rules(object, true, causes);
}

static json_t *role_cell(const json_t *object, int64_t now_sec UNUSED)
{
    const json_t *ref = json_object_get(object, "roleRef");
    const char *kind = json_string_value(json_object_get(ref, "kind"));
    const char *name = json_string_value(json_object_get(ref, "name"));

    return json_sprintf("%s/%s", kind != NULL ? kind : "", name != NULL ? name : "");
}

static json_t *subjects_cell(const json_t *object, const char *want)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 16);
    size_t i;
    json_t *subject;

    json_array_foreach (json_object_get(object, "subjects"), i, subject) {
        const char *kind = json_string_value(json_object_get(subject, "kind"));
        const char *name = json_string_value(json_object_get(subject, "name"));
        const char *space = json_string_value(json_object_get(subject, "namespace"));
        if (kind == NULL || name == NULL || strcmp(kind, want) != 0)
            continue;
        buf_printf(&text, "%s%s%s%s", text.len > 0 ? ", " : "", space != NULL ? space : "",
                   space != NULL ? "/" : "", name);
    }
    return json_string(buf_text(&text));
}

static json_t *users_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return subjects_cell(object, "User");
}

static json_t *groups_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return subjects_cell(object, "Group");
}

static json_t *accounts_cell(const json_t *object, int64_t now_sec UNUSED)
{
    return subjects_cell(object, "ServiceAccount");
}

static const struct kube_column binding_columns[] = {
    {"Role", "string", "The role that is given.", .cell = role_cell},
    {"Users", "string", "Users among the subjects.", .cell = users_cell, .priority = 1},
    {"Groups", "string", "Groups among the subjects.", .cell = groups_cell, .priority = 1},
    {"ServiceAccounts", "string", "Service accounts among the subjects.", .cell = accounts_cell,
     .priority = 1},
    {0},
};

#define RBAC_KIND(kind_name, plural_name, singular_name)                                           \
    .group = RBAC_GROUP, .version = "v1", .kind = kind_name, .plural = plural_name,                \
    .singular = singular_name, .verbs = KUBE_ALL_VERBS, .name_format = KUBE_PATH_SEGMENT

const struct kube_kind kube_role = {
    RBAC_KIND("Role", "roles", "role"),
    .namespaced = true,
    .shape = &role_shape,
    .validate = validate_role,
};

const struct kube_kind kube_cluster_role = {
    RBAC_KIND("ClusterRole", "clusterroles", "clusterrole"),
    .shape = &cluster_role_shape,
    .validate = validate_cluster_role,
};

const struct kube_kind kube_role_binding = {
    RBAC_KIND("RoleBinding", "rolebindings", "rolebinding"),
    .namespaced = true,
    .shape = &role_binding_shape,
    .columns = binding_columns,
    .prepare = prepare_binding,
    .validate = validate_binding,
};

const struct kube_kind kube_cluster_role_binding = {
    RBAC_KIND("ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding"),
    .shape = &cluster_role_binding_shape,
    .columns = binding_columns,
    .prepare = prepare_binding,
    .validate = validate_cluster_binding,
};
