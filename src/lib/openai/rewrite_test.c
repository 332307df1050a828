/* SPDX-License-Identifier: Apache-2.0 */
#include "openai/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(const char *body, const char *drop, const char *set, const char *wanted)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;

    assert_int_equal(openai_rewrite(span_str(body), span_str(drop), span_str(set), &out, &err), 0);
    assert_string_equal(buf_text(&out), wanted);
}

static void members_are_dropped_and_set(void **state UNUSED)
{
    check("{\"a\":1,\"seed\":[1,{\"x\":\"}\"}],\"b\":2}", "seed ", "", "{\"a\":1,\"b\":2}");
    check("{\"seed\":1}", "seed ", "", "{}");
    check("{\"seed\":1,\"b\":2}", "top_k seed ", "", "{\"b\":2}");
    check("{\"a\":1}", "a ", "\"a\":2", "{\"a\":2}");
    check("{\"a\":1}", "", "\"k\":true", "{\"k\":true,\"a\":1}");
    check(" { } ", "a ", "\"k\":true", "{\"k\":true}");
    check("{\"a\" : 1 , \"seed\" : 2 }", "seed ", "", "{\"a\" : 1 }");
}

static void a_name_with_escapes_is_the_same_name(void **state UNUSED)
{
    check("{\"s\\u0065ed\":1,\"a\":2}", "seed ", "\"seed\":3", "{\"seed\":3,\"a\":2}");
    check("{\"see\":1,\"seeds\":2}", "seed ", "", "{\"see\":1,\"seeds\":2}");
}

static void what_is_deeper_stays(void **state UNUSED)
{
    check("{\"a\":{\"seed\":1}}", "seed ", "", "{\"a\":{\"seed\":1}}");
}

static void what_is_no_object_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {"", "[]", "{\"a\":1", "{\"a\"}", "{\"a\":1,}", "{} x"};
    CLEANUP(buf_free) struct buf out = BUF_INIT(64);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(openai_rewrite(span_str(bad[i]), span_str(""), span_str(""), &out, &err),
                         -1);
        assert_int_equal(err.code, ERR_INVALID);
        err_clear(&err);
    }
}

static void what_limits_hang_on_is_not_a_routes(void **state UNUSED)
{
    assert_true(openai_rewrite_may("temperature") && openai_rewrite_may("top_k"));
    assert_false(openai_rewrite_may("max_tokens") || openai_rewrite_may("model") ||
                 openai_rewrite_may("messages") || openai_rewrite_may("A b") ||
                 openai_rewrite_may(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_dropped_and_set),
        cmocka_unit_test(a_name_with_escapes_is_the_same_name),
        cmocka_unit_test(what_is_deeper_stays),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(what_limits_hang_on_is_not_a_routes),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rewrite", tests, NULL, NULL);
}
