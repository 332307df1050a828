/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve_internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool is_dangerous(const char *method, const char *path)
{
    const struct http_request http = {.method = method, .path = path};
    const struct serve_request request = {.http = &http};

    return serve_is_dangerous(&request);
}

static void what_changes_rights_is_dangerous(void **state UNUSED)
{
    static const char *const paths[] = {
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/admin",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/demo/rolebindings",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/users/roles/x",
        "//apis//rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/drun.io/v1/users",
        "/apis/drun.io/v1/users/alice",
        "/apis/drun.io/v1/users/alice/status",
        "/apis/drun.io/v1/groups/team",
        "/apis/drun.io/v1/oidcclients",
    };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_true(is_dangerous("POST", paths[i]));
        assert_true(is_dangerous("PATCH", paths[i]));
        assert_true(is_dangerous("DELETE", paths[i]));
        assert_false(is_dangerous("GET", paths[i]));
        assert_false(is_dangerous("HEAD", paths[i]));
    }
}

static void the_rest_is_not(void **state UNUSED)
{
    static const char *const paths[] = {
        "/",
        "",
        "/apis",
        "/apis/drun.io/v1",
        "/apis/drun.io/v1/models/users",
        "/apis/drun.io/v1/namespaces/users/apikeys",
        "/api/v1/namespaces/default/configmaps/users",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "/session",
    };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        assert_false(is_dangerous("POST", paths[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changes_rights_is_dangerous),
        cmocka_unit_test(the_rest_is_not),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
