/* SPDX-License-Identifier: Apache-2.0 */
#include "rbac/rbac_test.h"

static struct snapshot *compiled(struct rbac_model *model)
{
    CLEANUP(policy_builder_free_ptr) struct policy_builder *builder = policy_builder_new();
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    struct snapshot *snapshot = NULL;
    struct err err = ERR_INIT;

    if (rbac_model_compile(model, builder, &err) < 0 ||
        policy_builder_finish(builder, &file, &err) < 0 ||
        snapshot_from_bytes(&policy_snapshot, buf_span(&file), &snapshot, &err) < 0)
        fail_msg("%s", err.msg);
    return snapshot;
}

/* Both evaluators, which must agree. `what` is "group/resource/subresource". */
static bool can(struct rbac_model *model, const char *user, const char *group, const char *verb,
                const char *api_group, const char *resource, const char *sub, const char *ns,
                const char *name)
{
    CLEANUP(snapshot_free_ptr) struct snapshot *policy = compiled(model);
    struct span groups[] = {span_str(group)};
    struct rbac_request request = {
        .user = {.name = span_str(user), .groups = groups, .group_count = 1},
        .verb = span_str(verb),
        .api_group = span_str(api_group),
        .resource = span_str(resource),
        .subresource = span_str(sub),
        .namespace = span_str(ns),
        .name = span_str(name),
    };
    bool naive = rbac_model_decide(model, &request, NULL);

    assert_int_equal(rbac_decide(policy, &request, NULL), naive);
    return naive;
}

static bool can_path(struct rbac_model *model, const char *user, const char *verb, const char *path)
{
    CLEANUP(snapshot_free_ptr) struct snapshot *policy = compiled(model);
    struct rbac_request request = {
        .user.name = span_str(user), .verb = span_str(verb), .path = span_str(path)};
    bool naive = rbac_model_decide(model, &request, NULL);

    assert_int_equal(rbac_decide(policy, &request, NULL), naive);
    return naive;
}

static void nothing_is_allowed_by_default(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = rbac_model_new();

    assert_false(can(model, "alice", "system:masters", "get", "", "pods", "", "a", ""));
    assert_false(can_path(model, "alice", "get", "/metrics"));
}

static void a_role_binding_counts_in_its_namespace(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();

    assert_true(can(model, "alice", "", "get", "", "pods", "", "a", "x"));
    assert_false(can(model, "alice", "", "get", "", "pods", "", "b", "x"));
    assert_false(can(model, "alice", "", "get", "", "pods", "", "", "x"));
    assert_false(can(model, "alice", "", "list", "", "pods", "", "a", ""));
    assert_false(can(model, "alice", "", "get", "apps", "pods", "", "a", "x"));
    assert_false(can(model, "bob", "", "get", "", "pods", "", "a", "x"));
    assert_true(can(model, "bob", "ml", "invoke", "drun.io", "models", "", "b", "llama"));
    assert_false(can(model, "bob", "ml", "invoke", "drun.io", "models", "", "a", "llama"));
    assert_false(can(model, "bob", "ml", "invoke", "drun.io", "models", "", "b", "gpt"));
    assert_false(can(model, "bob", "ml", "invoke", "drun.io", "models", "", "b", ""));
    /* A user is no group of the same name. */
    assert_false(can(model, "ml", "", "invoke", "drun.io", "models", "", "b", "llama"));
}

static void subresources_are_resources_of_their_own(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();

    assert_true(can(model, "alice", "", "get", "", "pods", "log", "a", "x"));
    assert_false(can(model, "alice", "", "get", "", "pods", "exec", "a", "x"));
    assert_true(can(model, "alice", "", "get", "", "pods", "status", "a", "x"));
    assert_true(can(model, "alice", "", "get", "", "never-heard-of", "status", "a", "x"));
    assert_false(can(model, "alice", "", "get", "", "status", "", "a", "x"));
}

static void paths_need_a_cluster_role_binding(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();

    assert_false(can_path(model, "carol", "get", "/metrics"));
    must_put(model, META("ClusterRoleBinding", "c") REF("ClusterRole", "invoker") USER("carol"));
    assert_true(can_path(model, "carol", "get", "/metrics"));
    assert_false(can_path(model, "carol", "get", "/metrics/x"));
    assert_true(can_path(model, "carol", "get", "/logs/x/y"));
    assert_false(can_path(model, "carol", "post", "/logs/x"));
    assert_true(can(model, "carol", "", "invoke", "drun.io", "models", "", "anywhere", "llama"));
}

static void a_service_account_is_a_user(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();

    must_put(
        model,
        META_IN("RoleBinding", "a", "sa") REF(
            "Role",
            "reader") ",\"subjects\":[{\"kind\":\"ServiceAccount\",\"namespace\":\"b\",\"name\":\"bot\"}]}");
    assert_true(can(model, "system:serviceaccount:b:bot", "", "get", "", "pods", "", "a", "x"));
    assert_false(can(model, "system:serviceaccount:a:bot", "", "get", "", "pods", "", "a", "x"));
}

static void deleted_objects_give_nothing(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();

    assert_true(rbac_model_delete(model, "Role", "a", "reader"));
    assert_false(rbac_model_delete(model, "Role", "a", "reader"));
    assert_false(can(model, "alice", "", "get", "", "pods", "", "a", "x"));
    assert_true(rbac_model_delete(model, "RoleBinding", "b", "i"));
    assert_false(can(model, "bob", "ml", "invoke", "drun.io", "models", "", "b", "llama"));
}

#define AGGREGATE(name, label, selected)                                                           \
    "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\",\"metadata\":{"     \
    "\"name\":\"" name "\",\"labels\":{\"to\":\"" label                                            \
    "\"}},\"aggregationRule\":{\"clusterRoleSelectors\":[{\"matchLabels\":{\"to\":\"" selected     \
    "\"}}]},\"rules\":[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}]}"

static void aggregates_gather_through_each_other(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = rbac_model_new();

    must_put(model, AGGREGATE("top", "", "middle"));
    must_put(model, AGGREGATE("mid", "middle", "bottom"));
    must_put(model, AGGREGATE("loop", "bottom", "middle"));
    must_put(model, META("ClusterRoleBinding", "t") REF("ClusterRole", "top") USER("alice"));
    assert_false(can(model, "alice", "", "get", "", "pods", "", "", ""));
    must_put(model, "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\","
                    "\"metadata\":{\"name\":\"leaf\",\"labels\":{\"to\":\"bottom\"}},\"rules\":["
                    "{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]}");
    assert_true(can(model, "alice", "", "get", "", "pods", "", "", ""));
    assert_false(can(model, "alice", "", "list", "", "pods", "", "", ""));
    CLEANUP_JSON json_t *rules = rbac_model_aggregated_rules(model, "top");
    assert_int_equal(json_array_size(rules), 1);
    assert_null(rbac_model_aggregated_rules(model, "leaf"));
    rbac_model_delete(model, "ClusterRole", "", "leaf");
    assert_false(can(model, "alice", "", "get", "", "pods", "", "", ""));
}

static void selectors_match_as_kubernetes_says(void **state UNUSED)
{
    static const struct {
        const char *selector;
        bool gathered;
    } cases[] = {
        {"{}", true},
        {"{\"matchLabels\":{\"a\":\"1\"}}", true},
        {"{\"matchLabels\":{\"a\":\"2\"}}", false},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"0\",\"1\"]}]}",
         true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}",
         false},
        {"{\"matchExpressions\":[{\"key\":\"b\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}",
         true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}", true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"DoesNotExist\"}]}", false},
        {"{\"matchLabels\":{\"a\":\"1\"},\"matchExpressions\":[{\"key\":\"b\",\"operator\":"
         "\"Exists\"}]}",
         false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(rbac_model_free_ptr) struct rbac_model *model = rbac_model_new();
        CLEANUP(buf_free) struct buf text = BUF_INIT(4096);
        must_put(model, "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":"
                        "\"ClusterRole\",\"metadata\":{\"name\":\"leaf\",\"labels\":{\"a\":\"1\"}},"
                        "\"rules\":[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":["
                        "\"pods\"]}]}");
        buf_printf(
            &text,
            META("ClusterRole", "top") ",\"aggregationRule\":{\"clusterRoleSelectors\":[%s]}}",
            cases[i].selector);
        must_put(model, buf_text(&text));
        CLEANUP_JSON json_t *rules = rbac_model_aggregated_rules(model, "top");
        assert_int_equal(json_array_size(rules), cases[i].gathered);
    }
}

static void bad_objects_are_refused_with_the_field(void **state UNUSED)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"{\"apiVersion\":\"v1\",\"kind\":\"Role\"}", "not an object of"},
        {META("Role", "x") "}", "metadata.namespace"},
        {META_IN("ClusterRole", "a", "x") "}", "metadata.namespace"},
        {META("ClusterRole", "a/b") "}", "metadata.name"},
        {META("ClusterRole", "..") "}", "metadata.name"},
        {META("ClusterRole", "x") ",\"rules\":{}}", "rules: must be a list"},
        {META("ClusterRole", "x") ",\"rules\":[{\"apiGroups\":[\"\"]}]}", "rules[0]: verbs"},
        {META("ClusterRole", "x") ",\"rules\":[{\"verbs\":[\"get\"]}]}", "rules[0]: apiGroups"},
        {META("ClusterRole", "x") ",\"rules\":[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"]}]}",
         "rules[0]: resources"},
        {META("ClusterRole", "x") ",\"rules\":[{\"verbs\":[1]}]}", "rules[0]: verbs: must be"},
        {META("ClusterRole", "x") ",\"rules\":[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/\"],"
                                  "\"resources\":[\"pods\"]}]}",
         "both regular resources and"},
        {META_IN("Role", "a",
                 "x") ",\"rules\":[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/\"]}]}",
         "namespaced rules cannot"},
        {META("ClusterRoleBinding", "x") REF("Role", "r") USER("u"), "roleRef.kind"},
        {META("ClusterRoleBinding", "x") USER("u"), "roleRef.kind"},
        {META_IN("RoleBinding", "a", "x") REF("Role", "r") USER(""), "subjects[0]: name"},
        {META_IN("RoleBinding", "a", "x") REF("Role", "r") ",\"subjects\":[{\"kind\":\"Robot\"}]}",
         "subjects[0]: kind"},
        {META_IN("RoleBinding", "a", "x")
             REF("Role", "r") ",\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"s\"}]}",
         "subjects[0]: namespace"},
        {META("ClusterRole", "x") ",\"aggregationRule\":{}}", "clusterRoleSelectors"},
        {META("ClusterRole", "x") ",\"aggregationRule\":{\"clusterRoleSelectors\":[{"
                                  "\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}]}}",
         "values"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(rbac_model_free_ptr) struct rbac_model *model = rbac_model_new();
        struct err err = ERR_INIT;
        assert_int_equal(put(model, cases[i].text, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
        if (strstr(err.msg, cases[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.msg, cases[i].says);
    }
}

static void the_reason_names_binding_role_and_subject(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();
    CLEANUP(snapshot_free_ptr) struct snapshot *policy = compiled(model);
    CLEANUP(buf_free) struct buf text = BUF_INIT(1000);
    struct rbac_reason reason;
    struct span groups[] = {span_str("system:authenticated"), span_str("ml")};
    struct rbac_request request = {
        .user = {span_str("bob"), groups, 2},
        .verb = span_str("invoke"),
        .api_group = span_str("drun.io"),
        .resource = span_str("models"),
        .namespace = span_str("b"),
        .name = span_str("llama"),
    };

    assert_true(rbac_decide(policy, &request, &reason));
    rbac_reason_put(&reason, &text);
    assert_string_equal(buf_text(&text), "RBAC: allowed by RoleBinding \"i/b\" of ClusterRole "
                                         "\"invoker\" to Group \"ml\"");
    buf_reset(&text);
    assert_true(rbac_model_decide(model, &request, &reason));
    rbac_reason_put(&reason, &text);
    assert_string_equal(buf_text(&text), "RBAC: allowed by RoleBinding \"i/b\" of ClusterRole "
                                         "\"invoker\" to Group \"ml\"");
    buf_reset(&text);
    rbac_denial_put(&request, &text);
    assert_string_equal(buf_text(&text), "User \"bob\" cannot invoke resource \"models\" in API "
                                         "group \"drun.io\" in the namespace \"b\"");
}

static void who_can_lists_subjects(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();
    struct rbac_request request = {
        .verb = span_str("invoke"),
        .api_group = span_str("drun.io"),
        .resource = span_str("models"),
        .namespace = span_str("b"),
        .name = span_str("llama"),
    };
    CLEANUP_JSON json_t *who = rbac_model_who_can(model, &request);

    assert_int_equal(json_array_size(who), 1);
    assert_string_equal(codec_json_text(json_array_get(who, 0), "name", ""), "ml");
    assert_string_equal(codec_json_text(json_array_get(who, 0), "kind", ""), "Group");
}

static void the_review_lists_rules_of_user_and_groups(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();
    CLEANUP(snapshot_free_ptr) struct snapshot *policy = compiled(model);
    struct span groups[] = {span_str("ml")};
    struct rbac_user user = {span_str("alice"), groups, 1};
    CLEANUP_JSON json_t *in_a = rbac_rules_review(policy, &user, span_str("a"));
    CLEANUP_JSON json_t *in_b = rbac_rules_review(policy, &user, span_str("b"));
    CLEANUP_JSON json_t *in_c = rbac_rules_review(policy, &user, span_str("c"));

    assert_int_equal(json_array_size(json_object_get(in_a, "resourceRules")), 1);
    assert_int_equal(json_array_size(json_object_get(in_b, "resourceRules")), 1);
    assert_int_equal(json_array_size(json_object_get(in_b, "nonResourceRules")), 1);
    assert_int_equal(json_array_size(json_object_get(in_c, "resourceRules")), 0);
}

static void the_default_roles_hold_what_they_promise(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = rbac_model_new();
    CLEANUP_JSON json_t *objects = rbac_default_objects();
    const json_t *object;
    struct err err = ERR_INIT;
    size_t i;

    json_array_foreach (objects, i, object)
        if (rbac_model_put(model, object, &err) < 0)
            fail_msg("%s", err.msg);
    must_put(model, META_IN("RoleBinding", "t", "a") REF("ClusterRole", "admin") USER("ada"));
    must_put(model, META_IN("RoleBinding", "t", "v") REF("ClusterRole", "view") USER("vic"));
    must_put(model,
             META_IN("RoleBinding", "t", "d") REF("ClusterRole", "drun:developer") USER("dev"));
    assert_true(can(model, "root", "drun:operators", "escalate", "x", "y", "z", "n", ""));
    assert_true(can(model, "ada", "", "create", RBAC_API_GROUP, "rolebindings", "", "t", ""));
    assert_true(can(model, "ada", "", "get", "", "secrets", "", "t", "s"));
    assert_true(can(model, "ada", "", "list", "", "pods", "", "t", ""));
    assert_true(can(model, "ada", "", "invoke", "drun.io", "models", "", "t", "m"));
    assert_false(can(model, "ada", "", "list", "", "pods", "", "u", ""));
    assert_false(can(model, "ada", "", "bind", RBAC_API_GROUP, "clusterroles", "", "t", "x"));
    assert_true(can(model, "vic", "", "get", "", "pods", "log", "t", "p"));
    assert_false(can(model, "vic", "", "get", "", "secrets", "", "t", "s"));
    assert_false(can(model, "vic", "", "invoke", "drun.io", "models", "", "t", "m"));
    assert_true(can(model, "dev", "", "invoke", "drun.io", "models", "", "t", "m"));
    assert_true(can(model, "dev", "", "create", "drun.io", "apikeys", "self", "t", ""));
    assert_false(can(model, "dev", "", "create", "drun.io", "apikeys", "", "t", ""));
    assert_true(can(model, "aud", "drun:auditors", "list", "audit.drun.io", "events", "", "", ""));
    assert_false(can(model, "aud", "drun:auditors", "get", "", "secrets", "", "t", "s"));
    assert_false(can(model, "sec", "drun:security-officers", "get", "", "secrets", "", "t", "s"));
    assert_true(
        can(model, "sec", "drun:security-officers", "patch", "drun.io", "users", "", "", "u"));
    assert_true(can(model, "any", "system:authenticated", "create", "authorization.k8s.io",
                    "selfsubjectaccessreviews", "", "", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_allowed_by_default),
        cmocka_unit_test(a_role_binding_counts_in_its_namespace),
        cmocka_unit_test(subresources_are_resources_of_their_own),
        cmocka_unit_test(paths_need_a_cluster_role_binding),
        cmocka_unit_test(a_service_account_is_a_user),
        cmocka_unit_test(deleted_objects_give_nothing),
        cmocka_unit_test(aggregates_gather_through_each_other),
        cmocka_unit_test(selectors_match_as_kubernetes_says),
        cmocka_unit_test(bad_objects_are_refused_with_the_field),
        cmocka_unit_test(the_reason_names_binding_role_and_subject),
        cmocka_unit_test(who_can_lists_subjects),
        cmocka_unit_test(the_review_lists_rules_of_user_and_groups),
        cmocka_unit_test(the_default_roles_hold_what_they_promise),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rbac", tests, NULL, NULL);
}
