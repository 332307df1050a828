/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/raw.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void is(struct span text, const char *wanted)
{
    assert_int_equal(text.len, strlen(wanted));
    assert_memory_equal(text.p, wanted, text.len);
}

static void a_request_is_read(void **state UNUSED)
{
    struct waf_raw raw;
    struct span name, value;
    struct err err = ERR_INIT;

    assert_int_equal(
        waf_raw_read(span_str("POST /a?b=c HTTP/2\r\nHost:  x \nA: b:c\r\n\r\nbody\n"), &raw, &err),
        0);
    is(raw.method, "POST");
    is(raw.uri, "/a?b=c");
    is(raw.protocol, "HTTP/2");
    is(raw.body, "body\n");
    assert_true(waf_raw_header(&raw.headers, &name, &value));
    is(name, "Host");
    is(value, "x");
    assert_true(waf_raw_header(&raw.headers, &name, &value));
    is(name, "A");
    is(value, "b:c");
    assert_false(waf_raw_header(&raw.headers, &name, &value));
}

static void what_is_left_out_is_left_out(void **state UNUSED)
{
    struct waf_raw raw;
    struct span name, value;
    struct err err = ERR_INIT;

    assert_int_equal(waf_raw_read(span_str("GET /"), &raw, &err), 0);
    is(raw.protocol, "HTTP/1.1");
    is(raw.body, "");
    assert_false(waf_raw_header(&raw.headers, &name, &value));
}

static void what_is_none_is_named(void **state UNUSED)
{
    struct waf_raw raw;
    struct err err = ERR_INIT;

    assert_int_equal(waf_raw_read(span_str("GET"), &raw, &err), -1);
    assert_non_null(strstr(err.msg, "line 1"));
    assert_int_equal(waf_raw_read(span_str("GET / HTTP/1.1\nHost: x\nodd\n\n"), &raw, &err), -1);
    assert_non_null(strstr(err.msg, "line 3"));
}

static void an_answer_is_read(void **state UNUSED)
{
    struct waf_raw_answer raw;
    struct span name, value;
    struct err err = ERR_INIT;

    assert_int_equal(waf_raw_read_answer(
                         span_str("HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\nno\n"), &raw, &err),
                     0);
    assert_int_equal(raw.status, 404);
    is(raw.protocol, "HTTP/1.1");
    is(raw.body, "no\n");
    assert_true(waf_raw_header(&raw.headers, &name, &value));
    is(name, "Server");
    assert_int_equal(waf_raw_read_answer(span_str("HTTP/2 200"), &raw, &err), 0);
    assert_int_equal(raw.status, 200);
    is(raw.body, "");
}

static void what_is_no_answer_is_named(void **state UNUSED)
{
    static const char *const odd[] = {"",           "200 OK",      "HTTP/1.1",
                                      "HTTP/1.1 x", "HTTP/1.1 99", "GET / HTTP/1.1"};
    struct waf_raw_answer raw;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        assert_int_equal(waf_raw_read_answer(span_str(odd[i]), &raw, &err), -1);
        assert_non_null(strstr(err.msg, "line 1 of the answer"));
    }
    assert_int_equal(waf_raw_read_answer(span_str("HTTP/1.1 200 OK\nodd\n\n"), &raw, &err), -1);
    assert_non_null(strstr(err.msg, "line 2 of the answer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read),
        cmocka_unit_test(what_is_left_out_is_left_out),
        cmocka_unit_test(what_is_none_is_named),
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(what_is_no_answer_is_named),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
