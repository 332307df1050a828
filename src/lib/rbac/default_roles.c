/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in roles and bindings. Kubernetes' own have its names and its way of aggregating:
 * `admin` gathers what is labelled aggregate-to-admin, and so on, so that a new kind joins them by
 * one more labelled ClusterRole.
 *
 * A list is words with blanks between them; "core" is the API group "". A caller's own API keys are
 * the resource apikeys/self: idp shows and takes only those, whoever holds just that.
 */
#include "rbac/rbac.h"

#define READ       "get list watch"
#define WRITE      "create update patch delete deletecollection"
#define EVERYTHING READ " " WRITE
#define LABEL      "rbac.authorization.k8s.io/aggregate-to-"

struct default_rule {
    const char *verbs;
    const char *groups;
    const char *resources;
    const char *names;
    const char *urls;
};

enum { RULES_MAX = 16 };

struct default_role {
    const char *name;
    const char *label;   /* it carries LABEL + this, or NULL */
    const char *gathers; /* labels whose carriers it aggregates, or NULL */
    struct default_rule rules[RULES_MAX];
};

static const struct default_role roles[] = {
    {"cluster-admin", NULL, NULL, {{"*", "*", "*"}, {.verbs = "*", .urls = "*"}}},
    {"admin", NULL, "admin", {{0}}},
    {"edit", "admin", "edit", {{0}}},
    {"view", "edit", "view", {{0}}},
    {"system:aggregate-to-admin",
     "admin",
     NULL,
     {{EVERYTHING, RBAC_API_GROUP, "roles rolebindings"},
      {"create", "authorization.k8s.io", "localsubjectaccessreviews"},
      {EVERYTHING, "drun.io", "apikeys"},
      {"create", "drun.io", "apikeys/rotate"}}},
    {"system:aggregate-to-edit",
     "edit",
     NULL,
     {{"get list watch", "core",
       "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"},
      {"impersonate", "core", "serviceaccounts"},
      {WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"},
      {"create", "core", "pods/eviction serviceaccounts/token"},
      {WRITE, "core", "configmaps events persistentvolumeclaims secrets serviceaccounts services"},
      {WRITE, "batch", "cronjobs jobs"},
      {WRITE, "networking.k8s.io", "networkpolicies"},
      {WRITE, "drun.io", "modelroutes modelservices modelservices/scale"},
      {"invoke", "drun.io", "models"},
      {EVERYTHING, "drun.io", "apikeys/self"}}},
    {"system:aggregate-to-view",
     "view",
     NULL,
     {{READ, "core",
       "configmaps events limitranges namespaces namespaces/status persistentvolumeclaims pods "
       "pods/log pods/status resourcequotas resourcequotas/status serviceaccounts services"},
      {READ, "batch", "cronjobs cronjobs/status jobs jobs/status"},
      {READ, "networking.k8s.io", "networkpolicies"},
      {READ, "drun.io",
       "models modelroutes modelroutes/status modelservices modelservices/status modelservices/log "
       "modelservices/scale limitpolicies guardpolicies"}}},
    {"system:discovery",
     NULL,
     NULL,
     {{.verbs = "get",
       .urls = "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version "
               "/version/"}}},
    {"system:public-info-viewer",
     NULL,
     NULL,
     {{.verbs = "get", .urls = "/healthz /livez /readyz /version /version/"}}},
    {"system:basic-user",
     NULL,
     NULL,
     {{"create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"},
      {"create", "authentication.k8s.io", "selfsubjectreviews"}}},
    {"system:auth-delegator",
     NULL,
     NULL,
     {{"create", "authentication.k8s.io", "tokenreviews"},
      {"create", "authorization.k8s.io", "subjectaccessreviews"}}},
    {"drun:platform-admin",
     NULL,
     NULL,
     {{EVERYTHING, "core", "namespaces serviceaccounts configmaps resourcequotas limitranges"},
      {READ, "core", "pods pods/log pods/status events"},
      {EVERYTHING, "drun.io",
       "users groups oidcclients trustedissuers identityproviders apikeys models modelroutes modelservices modelservices/scale limitpolicies guardpolicies "
       "pricelists imagepolicies backuppolicies alertroutes"},
      {"get delete", "drun.io", "users/factors users/sessions"},
      {"create", "drun.io", "users/passwordlink"},
      {READ, "drun.io",
       "modelroutes/status modelservices/status modelservices/log controls wafrulesets wafpolicies"},
      {"get list delete", "limits.drun.io", "bans"},
      {EVERYTHING, "node.k8s.io", "runtimeclasses"},
      {EVERYTHING, RBAC_API_GROUP, "roles rolebindings clusterroles clusterrolebindings"},
      {"bind", RBAC_API_GROUP, "clusterroles",
       "admin edit view drun:tenant-admin drun:developer drun:viewer"},
      {"create", "authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews"}}},
    {"drun:security-officer",
     NULL,
     NULL,
     {{READ, "core", "namespaces serviceaccounts configmaps pods pods/log pods/status events"},
      {READ, "drun.io", "*"},
      {"update patch delete suspend", "drun.io", "users"},
      {"update patch delete deletecollection", "drun.io", "apikeys"},
      {"delete", "drun.io", "oidcclients trustedissuers"},
      {"get delete", "drun.io", "users/factors users/sessions"},
      {"get list delete", "limits.drun.io", "bans"},
      {WRITE, "drun.io", "imagepolicies alertroutes guardpolicies wafrulesets wafpolicies"},
      {EVERYTHING, "networking.k8s.io", "networkpolicies"},
      {"get list watch verify", "audit.drun.io", "*"},
      {READ, RBAC_API_GROUP, "*"},
      {"delete", RBAC_API_GROUP, "rolebindings clusterrolebindings"},
      {"delete", "core", "pods"},
      {"create", "authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews"}}},
    {"drun:auditor",
     NULL,
     NULL,
     {{"get list watch verify", "audit.drun.io", "*"},
      {READ, "drun.io", "*"},
      {"get list", "limits.drun.io", "bans"},
      {READ, RBAC_API_GROUP, "*"},
      {READ, "core", "namespaces serviceaccounts pods pods/status events"},
      {READ, "networking.k8s.io", "networkpolicies"},
      {"create", "authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews"}}},
    {"drun:tenant-admin", NULL, "admin", {{0}}},
    {"drun:developer",
     NULL,
     NULL,
     {{READ, "drun.io",
       "models modelroutes modelroutes/status modelservices modelservices/status limitpolicies "
       "guardpolicies"},
      {"invoke", "drun.io", "models"},
      {EVERYTHING, "drun.io", "apikeys/self"}}},
    {"drun:viewer", NULL, "view", {{0}}},
    /* The posture role comes to the front door as a client: it may see which models there are and
     * call them, and do as it likes in a namespace of its own. */
    {"drun:posture",
     NULL,
     NULL,
     {{READ, "core", "namespaces"},
      {READ, "drun.io", "models modelservices controls wafrulesets"},
      {"get list", "limits.drun.io", "bans"},
      {"invoke", "drun.io", "models"}}},
    {"drun:posture-namespace",
     NULL,
     NULL,
     {{EVERYTHING, "core", "configmaps secrets serviceaccounts serviceaccounts/token"},
      {EVERYTHING, "drun.io", "models apikeys apikeys/self"}}},
};

static const struct default_binding {
    const char *name;
    const char *role;
    const char *groups;
    const char *namespace; /* NULL: in the whole cluster */
} bindings[] = {
    {"cluster-admin", "cluster-admin", "drun:operators"},
    {"drun:platform-admins", "drun:platform-admin", "drun:platform-admins"},
    {"drun:security-officers", "drun:security-officer", "drun:security-officers"},
    {"drun:auditors", "drun:auditor", "drun:auditors"},
    {"system:basic-user", "system:basic-user", "system:authenticated"},
    {"system:discovery", "system:discovery", "system:authenticated"},
    {"system:public-info-viewer", "system:public-info-viewer",
     "system:authenticated system:unauthenticated"},
    {"drun:posture", "drun:posture", "drun:posture"},
    {"drun:posture", "drun:posture-namespace", "drun:posture", "drun-posture"},
};

static json_t *words(const char *text)
{
    json_t *list = json_array();

    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, " ");
        struct span word = span_of(text, len);
        json_array_append_new(list, span_eq_str(word, "core") ? json_string("")
                                                              : json_stringn(text, len));
        text += len;
        text += *text == ' ';
    }
    return list;
}

static void set_words(json_t *rule, const char *name, const char *text)
{
    if (text != NULL)
        json_object_set_new(rule, name, words(text));
}

static json_t *rules_json(const struct default_role *role)
{
    json_t *list = json_array();

    for (size_t i = 0; i < RULES_MAX && role->rules[i].verbs != NULL; i++) {
        const struct default_rule *rule = &role->rules[i];
        json_t *json = json_object();
        set_words(json, "verbs", rule->verbs);
        set_words(json, "apiGroups", rule->groups);
        set_words(json, "resources", rule->resources);
        set_words(json, "resourceNames", rule->names);
        set_words(json, "nonResourceURLs", rule->urls);
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *object_json(const char *kind, const char *name)
{
    return json_pack("{s:s, s:s, s:{s:s, s:{s:s}, s:{s:s}}}", "apiVersion", RBAC_API_GROUP "/v1",
                     "kind", kind, "metadata", "name", name, "labels",
                     "kubernetes.io/bootstrapping", "rbac-defaults", "annotations",
                     "rbac.authorization.kubernetes.io/autoupdate", "true");
}

static json_t *label_json(const char *suffix)
{
    return json_pack("{s+:s}", LABEL, suffix, "true");
}

static json_t *role_json(const struct default_role *role)
{
    json_t *json = object_json("ClusterRole", role->name);
    json_t *labels = json_object_get(json_object_get(json, "metadata"), "labels");

    if (role->label != NULL)
        json_object_update_new(labels, label_json(role->label));
    if (role->gathers != NULL)
        json_object_set_new(json, "aggregationRule",
                            json_pack("{s:[{s:o}]}", "clusterRoleSelectors", "matchLabels",
                                      label_json(role->gathers)));
    json_object_set_new(json, "rules", rules_json(role));
    return json;
}

static json_t *binding_json(const struct default_binding *binding)
{
    bool everywhere = binding->namespace == NULL;
    json_t *json = object_json(everywhere ? "ClusterRoleBinding" : "RoleBinding", binding->name);
    json_t *groups = words(binding->groups);
    json_t *subjects = json_array();
    json_t *group;
    size_t i;

    json_array_foreach (groups, i, group)
        json_array_append_new(subjects, json_pack("{s:s, s:s, s:O}", "kind", "Group", "apiGroup",
                                                  RBAC_API_GROUP, "name", group));
    json_decref(groups);
    if (!everywhere)
        json_object_set_new(json_object_get(json, "metadata"), "namespace",
                            json_string(binding->namespace));
    json_object_set_new(json, "roleRef",
                        json_pack("{s:s, s:s, s:s}", "apiGroup", RBAC_API_GROUP, "kind",
                                  "ClusterRole", "name", binding->role));
    json_object_set_new(json, "subjects", subjects);
    return json;
}

json_t *rbac_default_objects(void)
{
    json_t *objects = json_array();

    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        json_array_append_new(objects, role_json(&roles[i]));
    for (size_t i = 0; i < ARRAY_LEN(bindings); i++)
        json_array_append_new(objects, binding_json(&bindings[i]));
    return objects;
}
