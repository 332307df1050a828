/* SPDX-License-Identifier: Apache-2.0 */
#include "rbac/object.h"

#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"

#include <stdlib.h>

enum { BLOCK_MAX = 16 * 1024 * 1024, NAME_MAX_LEN = 253 };

static const char *const kind_names[RBAC_KIND_COUNT] = {
    [RBAC_ROLE] = "Role",
    [RBAC_CLUSTER_ROLE] = "ClusterRole",
    [RBAC_ROLE_BINDING] = "RoleBinding",
    [RBAC_CLUSTER_ROLE_BINDING] = "ClusterRoleBinding",
};

const char *rbac_kind_name(enum rbac_kind kind)
{
    return kind_names[kind];
}

int rbac_kind_by_name(const char *name)
{
    for (int i = 0; i < RBAC_KIND_COUNT; i++)
        if (strcmp(kind_names[i], name) == 0)
            return i;
    return -1;
}

bool rbac_is_kind(const char *kind)
{
    return rbac_kind_by_name(kind) >= 0;
}

bool rbac_kind_is_binding(enum rbac_kind kind)
{
    return kind == RBAC_ROLE_BINDING || kind == RBAC_CLUSTER_ROLE_BINDING;
}

bool rbac_kind_is_clusterwide(enum rbac_kind kind)
{
    return kind == RBAC_CLUSTER_ROLE || kind == RBAC_CLUSTER_ROLE_BINDING;
}

static int invalid(struct err *err, const char *field, const char *why)
{
    return err_set(err, ERR_INVALID, "%s: %s", field, why);
}

/* The room that a value takes at most, whatever it turns out to be. Nothing is kept that lies
 * deeper than the text in a list in a rule in a list. */
static size_t weigh(const json_t *value, int levels)
{
    static const char service_account[] = "system:serviceaccount::";
    size_t weight = 0;
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_string(value))
        return sizeof(struct span) + json_string_length(value) + 1;
    if (levels == 0)
        return 0;
    if (json_is_object(value))
        weight = NUM_MAX(sizeof(struct rbac_rule), sizeof(struct rbac_subject)) +
                 sizeof(service_account);
    json_object_foreach ((json_t *)(uintptr_t)value, key, item)
        weight += 2 * weigh(item, levels - 1); /* a service account's name is kept twice */
    json_array_foreach (value, i, item)
        weight += weigh(item, levels - 1);
    return weight;
}

static void *take(struct rbac_object *object, size_t size)
{
    void *taken = object->next;

    INVARIANT(size <= object->left);
    object->next += size;
    object->left -= size;
    return taken;
}

/* Lists come before texts, so that they stay aligned. */
static struct span keep(struct rbac_object *object, const char *text, size_t len)
{
    INVARIANT(len < object->left);
    object->left -= len + 1;
    uint8_t *at = object->next + object->left;
    memcpy(at, text, len);
    at[len] = '\0';
    return span_of(at, len);
}

/* A name that can be a segment of a path, as Kubernetes demands of RBAC objects. */
static int read_name(struct rbac_object *object, const json_t *value, const char *field,
                     struct span *out, struct err *err)
{
    const char *name = json_string_value(value);

    if (name == NULL || name[0] == '\0')
        return invalid(err, field, "a name is required");
    if (strlen(name) > NAME_MAX_LEN)
        return invalid(err, field, "must be no more than 253 characters");
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strpbrk(name, "/%") != NULL)
        return invalid(err, field, "may not be '.' or '..' nor contain '/' or '%'");
    *out = keep(object, name, strlen(name));
    return 0;
}

static int read_text(struct rbac_object *object, const json_t *value, const char *field,
                     struct span *out, struct err *err)
{
    if (!json_is_string(value))
        return invalid(err, field, "must be a text");
    if (json_string_length(value) > RBAC_TEXT_MAX)
        return invalid(err, field, "must be no more than 1024 characters");
    *out = keep(object, json_string_value(value), json_string_length(value));
    return 0;
}

static int read_list(struct rbac_object *object, const json_t *rule, const char *field,
                     struct rbac_list *out, struct err *err)
{
    const json_t *values = json_object_get(rule, field);
    size_t count = json_array_size(values);

    if (values != NULL && !json_is_null(values) && !json_is_array(values))
        return invalid(err, field, "must be a list of texts");
    struct span *items = take(object, count * sizeof(*items));
    for (size_t i = 0; i < count; i++)
        TRY(read_text(object, json_array_get(values, i), field, &items[i], err));
    *out = (struct rbac_list){items, count};
    return 0;
}

static int read_rule(struct rbac_object *object, const json_t *json, struct rbac_rule *rule,
                     struct err *err)
{
    if (!json_is_object(json))
        return invalid(err, "rule", "must be an object");
    TRY(read_list(object, json, "verbs", &rule->verbs, err));
    TRY(read_list(object, json, "apiGroups", &rule->groups, err));
    TRY(read_list(object, json, "resources", &rule->resources, err));
    TRY(read_list(object, json, "resourceNames", &rule->names, err));
    TRY(read_list(object, json, "nonResourceURLs", &rule->urls, err));
    if (rule->verbs.count == 0)
        return invalid(err, "verbs", "must contain at least one value");
    if (rule->urls.count > 0) {
        if (object->kind == RBAC_ROLE)
            return invalid(err, "nonResourceURLs",
                           "namespaced rules cannot apply to non-resource URLs");
        if (rule->groups.count > 0 || rule->resources.count > 0 || rule->names.count > 0)
            return invalid(err, "nonResourceURLs",
                           "rules cannot apply to both regular resources and non-resource URLs");
        return 0;
    }
    if (rule->groups.count == 0)
        return invalid(err, "apiGroups", "resource rules must supply at least one api group");
    if (rule->resources.count == 0)
        return invalid(err, "resources", "resource rules must supply at least one resource");
    return 0;
}

static int read_rules(struct rbac_object *object, const json_t *json, struct err *err)
{
    const json_t *rules = json_object_get(json, "rules");
    size_t count = json_array_size(rules);

    if (rules != NULL && !json_is_null(rules) && !json_is_array(rules))
        return invalid(err, "rules", "must be a list");
    struct rbac_rule *items = take(object, count * sizeof(*items));
    for (size_t i = 0; i < count; i++)
        if (read_rule(object, json_array_get(rules, i), &items[i], err) < 0)
            return err_wrap(err, "rules[%zu]", i);
    object->rules = (struct rbac_rules){items, count};
    return 0;
}

static int read_aggregation(struct rbac_object *object, const json_t *json, struct err *err)
{
    const json_t *aggregation = json_object_get(json, "aggregationRule");
    const json_t *selector;
    size_t i;

    if (aggregation == NULL || json_is_null(aggregation))
        return 0;
    if (object->kind != RBAC_CLUSTER_ROLE)
        return invalid(err, "aggregationRule", "only a ClusterRole can have one");
    object->selectors = json_deep_copy(json_object_get(aggregation, "clusterRoleSelectors"));
    if (json_array_size(object->selectors) == 0)
        return invalid(err, "aggregationRule.clusterRoleSelectors",
                       "at least one clusterRoleSelector is required");
    json_array_foreach (object->selectors, i, selector)
        if (rbac_selector_check(selector, err) < 0)
            return err_wrap(err, "aggregationRule.clusterRoleSelectors[%zu]", i);
    return 0;
}

static int read_role_ref(struct rbac_object *object, const json_t *json, struct err *err)
{
    const json_t *ref = json_object_get(json, "roleRef");
    int kind = rbac_kind_by_name(codec_json_text(ref, "kind", ""));

    if (strcmp(codec_json_text(ref, "apiGroup", RBAC_API_GROUP), RBAC_API_GROUP) != 0)
        return invalid(err, "roleRef.apiGroup", "must be " RBAC_API_GROUP);
    if (kind != RBAC_CLUSTER_ROLE && (kind != RBAC_ROLE || object->kind != RBAC_ROLE_BINDING))
        return invalid(err, "roleRef.kind",
                       object->kind == RBAC_ROLE_BINDING ? "must be Role or ClusterRole"
                                                         : "must be ClusterRole");
    object->role_kind = (enum rbac_kind)kind;
    return read_name(object, json_object_get(ref, "name"), "roleRef.name", &object->role, err);
}

static int read_service_account(struct rbac_object *object, const json_t *json, struct span *name,
                                struct err *err)
{
    struct span namespace;

    if (codec_json_text(json, "apiGroup", "")[0] != '\0')
        return invalid(err, "apiGroup", "must be empty for a ServiceAccount");
    TRY(read_name(object, json_object_get(json, "namespace"), "namespace", &namespace, err));
    TRY(read_name(object, json_object_get(json, "name"), "name", name, err));
    CLEANUP_FREE char *text =
        mem_printf("system:serviceaccount:%.*s:%.*s", SPAN_ARG(namespace), SPAN_ARG(*name));
    *name = keep(object, text, strlen(text));
    return 0;
}

static int read_subject(struct rbac_object *object, const json_t *json,
                        struct rbac_subject *subject, struct err *err)
{
    const char *kind = codec_json_text(json, "kind", "");

    if (strcmp(kind, "ServiceAccount") == 0) {
        subject->kind = POLICY_USER;
        return read_service_account(object, json, &subject->name, err);
    }
    if (strcmp(kind, "User") != 0 && strcmp(kind, "Group") != 0)
        return invalid(err, "kind", "must be User, Group or ServiceAccount");
    if (strcmp(codec_json_text(json, "apiGroup", RBAC_API_GROUP), RBAC_API_GROUP) != 0)
        return invalid(err, "apiGroup", "must be " RBAC_API_GROUP);
    subject->kind = strcmp(kind, "User") == 0 ? POLICY_USER : POLICY_GROUP;
    TRY(read_text(object, json_object_get(json, "name"), "name", &subject->name, err));
    return subject->name.len > 0 ? 0 : invalid(err, "name", "a name is required");
}

static int read_subjects(struct rbac_object *object, const json_t *json, struct err *err)
{
    const json_t *subjects = json_object_get(json, "subjects");
    size_t count = json_array_size(subjects);

    if (subjects != NULL && !json_is_null(subjects) && !json_is_array(subjects))
        return invalid(err, "subjects", "must be a list");
    struct rbac_subject *items = take(object, count * sizeof(*items));
    for (size_t i = 0; i < count; i++)
        if (read_subject(object, json_array_get(subjects, i), &items[i], err) < 0)
            return err_wrap(err, "subjects[%zu]", i);
    object->subjects = items;
    object->subject_count = count;
    return 0;
}

static int read_metadata(struct rbac_object *object, const json_t *json, struct err *err)
{
    const json_t *metadata = json_object_get(json, "metadata");
    const json_t *namespace = json_object_get(metadata, "namespace");

    TRY(read_name(object, json_object_get(metadata, "name"), "metadata.name", &object->name, err));
    object->namespace = span_str("");
    if (object->kind == RBAC_CLUSTER_ROLE)
        object->labels = json_deep_copy(json_object_get(metadata, "labels"));
    if (!rbac_kind_is_clusterwide(object->kind))
        return read_name(object, namespace, "metadata.namespace", &object->namespace, err);
    if (json_string_length(namespace) > 0)
        return invalid(err, "metadata.namespace", "not allowed on this type");
    return 0;
}

static int read_all(struct rbac_object *object, const json_t *json, struct err *err)
{
    TRY(read_metadata(object, json, err));
    if (rbac_kind_is_binding(object->kind)) {
        TRY(read_role_ref(object, json, err));
        return read_subjects(object, json, err);
    }
    TRY(read_rules(object, json, err));
    return read_aggregation(object, json, err);
}

static int new_object(const json_t *json, struct rbac_object **out, struct err *err)
{
    const json_t *metadata = json_object_get(json, "metadata");
    size_t weight = weigh(json_object_get(metadata, "name"), 0) +
                    weigh(json_object_get(metadata, "namespace"), 0) +
                    weigh(json_object_get(json, "rules"), 3) +
                    weigh(json_object_get(json, "roleRef"), 1) +
                    weigh(json_object_get(json, "subjects"), 2);

    if (weight > BLOCK_MAX)
        return err_set(err, ERR_TOO_LARGE, "an RBAC object is larger than %d bytes", BLOCK_MAX);
    *out = mem_new(sizeof(**out) + weight);
    (*out)->next = (*out)->block;
    (*out)->left = weight;
    return 0;
}

int rbac_object_read(const json_t *json, struct rbac_object **out, struct err *err)
{
    CLEANUP(rbac_object_free_ptr) struct rbac_object *object = NULL;
    const char *version = codec_json_text(json, "apiVersion", "");
    int kind = rbac_kind_by_name(codec_json_text(json, "kind", ""));

    if (kind < 0 || strcmp(version, RBAC_API_GROUP "/v1") != 0)
        return err_set(err, ERR_INVALID, "not an object of " RBAC_API_GROUP "/v1");
    TRY(new_object(json, &object, err));
    object->kind = (enum rbac_kind)kind;
    if (read_all(object, json, err) < 0)
        return err_wrap(err, "%s \"%.64s\" is invalid", kind_names[kind],
                        codec_json_text(json_object_get(json, "metadata"), "name", ""));
    *out = object;
    object = NULL;
    return 0;
}

int rbac_object_check(const json_t *json, struct err *err)
{
    CLEANUP(rbac_object_free_ptr) struct rbac_object *object = NULL;

    return rbac_object_read(json, &object, err);
}

void rbac_object_free(struct rbac_object *object)
{
    if (object == NULL)
        return;
    json_decref(object->selectors);
    json_decref(object->labels);
    free(object);
}

void rbac_object_free_ptr(struct rbac_object **object)
{
    rbac_object_free(*object);
}
