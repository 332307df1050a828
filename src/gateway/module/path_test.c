/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/module/path.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void good_paths_are_taken(void **state UNUSED)
{
    static const char *const good[] = {
        "/",      "/api",       "/api/v1/x/",       "/a.b..c/...",  "/100%25",    "/100%25%20off",
        "/a%3Ab", "/%E4%BD%A0", "/v1/models/a%2Fb", "/.well-known", "/a/.hidden", "/{x}|\"<>^`~"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (edge_path_fault(span_str(good[i])) != NULL)
            fail_msg("%s: %s", good[i], edge_path_fault(span_str(good[i])));
}

static void what_others_could_read_otherwise_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {"",
                                      "api",
                                      "*",
                                      "//",
                                      "/a//b",
                                      "/.",
                                      "/..",
                                      "/a/../b",
                                      "/a/./b",
                                      "/a/%2e%2E/b",
                                      "/a/.%2e",
                                      "/a%2Fb",
                                      "/a%5Cb",
                                      "/a\\b",
                                      "/a#b",
                                      "/%00",
                                      "/a%0ab",
                                      "/a\x01",
                                      "/%252e",
                                      "/%252F",
                                      "/%25%32%46",
                                      "/%252%46",
                                      "/a%",
                                      "/a%2",
                                      "/a%zz",
                                      "/\xc3\xa9",
                                      "/v1/models/../x",
                                      "/v1/models%2fx",
                                      "/v1/models/a%2F%2Fb",
                                      "/v1/models/..%2Fx",
                                      "/%7f"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (edge_path_fault(span_str(bad[i])) == NULL)
            fail_msg("%s is taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_paths_are_taken),
        cmocka_unit_test(what_others_could_read_otherwise_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
