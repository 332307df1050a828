/* SPDX-License-Identifier: Apache-2.0 */
#include "rbac/rbac_test.h"

static size_t count_of(const json_t *list, const char *member, const char *value)
{
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(list); i++)
        count += strcmp(codec_json_text(json_array_get(list, i), member, ""), value) == 0;
    return count;
}

static struct rbac_model *model_with_more(void)
{
    struct rbac_model *model = small_model();

    must_put(model, META("ClusterRoleBinding", "all") REF("ClusterRole", "invoker") USER("root"));
    must_put(model, META_IN("RoleBinding", "a", "lost") REF("Role", "nowhere") USER("eve"));
    return model;
}

static void every_grant_is_told(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = model_with_more();
    CLEANUP_JSON json_t *report = rbac_model_report(model, span_str(""), true);
    const json_t *grants = json_object_get(report, "grants");
    const json_t *roles = json_object_get(report, "roles");

    assert_true(json_is_true(json_object_get(report, "complete")));
    assert_int_equal(json_array_size(grants), 4);
    assert_int_equal(count_of(grants, "name", "alice"), 1);
    assert_int_equal(count_of(grants, "kind", "Group"), 1);
    assert_int_equal(json_array_size(roles), 2);
    for (size_t i = 0; i < json_array_size(roles); i++) {
        const json_t *role = json_array_get(roles, i);
        bool is_invoker = strcmp(codec_json_text(role, "name", ""), "invoker") == 0;
        assert_int_equal(json_integer_value(json_object_get(role, "bindings")), is_invoker ? 2 : 1);
        assert_int_equal(json_array_size(json_object_get(role, "rules")), is_invoker ? 2 : 1);
    }
    for (size_t i = 0; i < json_array_size(grants); i++) {
        const json_t *grant = json_array_get(grants, i);
        assert_int_equal(json_is_true(json_object_get(grant, "roleMissing")),
                         strcmp(codec_json_text(grant, "name", ""), "eve") == 0);
    }
}

static void a_namespace_is_told_alone(void **state UNUSED)
{
    CLEANUP(rbac_model_free_ptr) struct rbac_model *model = model_with_more();
    CLEANUP_JSON json_t *own = rbac_model_report(model, span_str("b"), false);
    CLEANUP_JSON json_t *both = rbac_model_report(model, span_str("b"), true);

    assert_int_equal(json_array_size(json_object_get(own, "grants")), 1);
    assert_int_equal(json_array_size(json_object_get(own, "roles")), 1); /* that is bound there */
    assert_false(json_is_true(json_object_get(own, "complete")));
    assert_int_equal(count_of(json_object_get(both, "grants"), "name", "root"), 1);
    assert_int_equal(count_of(json_object_get(both, "grants"), "name", "alice"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_grant_is_told),
        cmocka_unit_test(a_namespace_is_told_alone),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rbac report", tests, NULL, NULL);
}
