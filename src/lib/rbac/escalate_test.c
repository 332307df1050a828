/* SPDX-License-Identifier: Apache-2.0 */
#include "rbac/rbac_test.h"

static int may_write(struct rbac_model *model, const char *user, const char *text, struct err *err)
{
    CLEANUP_JSON json_t *json = json_of(text);
    struct rbac_user who = {.name = span_str(user)};

    return rbac_model_may_write(model, &who, json, err);
}

#define RULE(verbs, groups, resources)                                                             \
    "{\"verbs\":[" verbs "],\"apiGroups\":[" groups "],\"resources\":[" resources "]}"

static void nobody_gives_what_he_does_not_have(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();
    struct err err = ERR_INIT;

    assert_int_equal(may_write(model, "alice",
                               META_IN("Role", "a", "n") ",\"rules\":[" RULE(
                                   "\"get\"", "\"\"", "\"pods\",\"jobs/status\"") "]}",
                               &err),
                     0);
    assert_int_equal(may_write(model, "alice",
                               META_IN("Role", "a", "n") ",\"rules\":[" RULE(
                                   "\"get\"", "\"\"", "\"pods\",\"secrets\"") "]}",
                               &err),
                     -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_string_equal(err.msg, "user \"alice\" is attempting to grant permissions not currently "
                                 "held: verb \"get\" on \"secrets\" in API group \"\"");
    assert_int_equal(
        may_write(model, "alice",
                  META_IN("Role", "a", "n") ",\"rules\":[" RULE("\"*\"", "\"\"", "\"pods\"") "]}",
                  &err),
        -1);
    assert_int_equal(
        may_write(model, "alice",
                  META_IN("Role", "b", "n") ",\"rules\":[" RULE("\"get\"", "\"\"", "\"pods\"") "]}",
                  &err),
        -1);
    assert_int_equal(
        may_write(model, "alice",
                  META("ClusterRole", "n") ",\"rules\":[" RULE("\"get\"", "\"\"", "\"pods\"") "]}",
                  &err),
        -1);
}

static void escalate_and_bind_open_the_door(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();
    const char *binding =
        META_IN("RoleBinding", "a", "n") REF("ClusterRole", "invoker") USER("mallory");
    const char *role =
        META_IN("Role", "a", "n") ",\"rules\":[" RULE("\"*\"", "\"*\"", "\"*\"") "]}";
    struct err err = ERR_INIT;

    assert_int_equal(may_write(model, "alice", binding, &err), -1);
    assert_int_equal(may_write(model, "alice", role, &err), -1);
    must_put(
        model,
        META_IN(
            "Role", "a",
            "giver") ",\"rules\":["
                     "{\"verbs\":[\"bind\"],\"apiGroups\":[\"rbac.authorization.k8s.io\"],\"resources\":["
                     "\"clusterroles\"],\"resourceNames\":[\"invoker\"]},"
                     "{\"verbs\":[\"escalate\"],\"apiGroups\":[\"rbac.authorization.k8s.io\"],"
                     "\"resources\":[\"roles\"],\"resourceNames\":[\"n\"]}]}");
    must_put(model, META_IN("RoleBinding", "a", "giver") REF("Role", "giver") USER("alice"));
    assert_int_equal(may_write(model, "alice", binding, &err), 0);
    assert_int_equal(may_write(model, "alice", role, &err), 0);
    assert_int_equal(may_write(model, "alice",
                               META_IN("RoleBinding", "a", "n") REF("ClusterRole", "cluster-admin")
                                   USER("alice"),
                               &err),
                     -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void a_binding_stays_with_its_role(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();
    struct err err = ERR_INIT;

    must_put(model, META("ClusterRole", "all") ",\"rules\":[" RULE("\"*\"", "\"*\"", "\"*\"") "]}");
    must_put(model, META("ClusterRoleBinding", "a") REF("ClusterRole", "all") USER("root"));
    assert_int_equal(may_write(model, "root",
                               META_IN("RoleBinding", "a", "r") REF("Role", "reader") USER("bob"),
                               &err),
                     0);
    assert_int_equal(
        may_write(model, "root",
                  META_IN("RoleBinding", "a", "r") REF("ClusterRole", "invoker") USER("bob"), &err),
        -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.msg, "cannot change roleRef"));
}

static void an_aggregation_needs_everything(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = small_model();
    const char *aggregate =
        META("ClusterRole", "n") ",\"aggregationRule\":{\"clusterRoleSelectors\":[{}]}}";
    struct err err = ERR_INIT;

    must_put(model,
             META("ClusterRole", "all") ",\"rules\":[" RULE(
                 "\"*\"", "\"*\"", "\"*\"") ",{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}]}");
    must_put(model, META("ClusterRoleBinding", "a") REF("ClusterRole", "all") USER("bob"));
    must_put(model, META_IN("RoleBinding", "a", "m") REF("ClusterRole", "all") USER("carol"));
    assert_int_equal(may_write(model, "alice", aggregate, &err), -1);
    assert_int_equal(may_write(model, "carol", aggregate, &err), -1);
    assert_int_equal(may_write(model, "bob", aggregate, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_gives_what_he_does_not_have),
        cmocka_unit_test(escalate_and_bind_open_the_door),
        cmocka_unit_test(a_binding_stays_with_its_role),
        cmocka_unit_test(an_aggregation_needs_everything),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rbac escalation", tests, NULL, NULL);
}
