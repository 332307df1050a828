/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/hit_text.h"
#include "gateway/shape.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void collect(void *ctx, struct span piece)
{
    buf_put_span(ctx, piece);
}

static void cut_is(enum shape shape, const char *body, const char *wanted)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(4096);

    shape_cut(shape, span_str(body), collect, &out);
    assert_string_equal(buf_text(&out), wanted);
}

static void a_value_that_is_called_like_a_member_stays(void **state UNUSED)
{
    cut_is(SHAPE_OBJECT, "{\"kind\":\"data\",\"metadata\":[\"annotations\",\"data\"]}",
           "{\"kind\":\"data\",\"metadata\":[\"annotations\",\"data\"]}");
    /* A name with escapes is none that is known. */
    cut_is(SHAPE_OBJECT, "{\"\\u006bind\":\"x\"}", "{\"\\u006bind\":\"\"}");
}

static void of_objects_the_names_stay(void **state UNUSED)
{
    cut_is(SHAPE_OBJECT,
           "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"n\",\"annotations\":{\"a\":\"b\"},"
           "\"labels\":{\"data\":\"l\"}},\"data\":{\"k\":\"v\"}}",
           "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"n\",\"annotations\":\"\","
           "\"labels\":{\"data\":\"l\"}},\"data\":\"\"}");
    cut_is(SHAPE_OBJECT, "[{\"op\":\"add\",\"path\":\"/data/x\",\"value\":{\"a\":[1,\"}\"]}}]",
           "[{\"op\":\"add\",\"path\":\"/data/x\",\"value\":\"\"}]");
    /* Only the metadata at the top is one. */
    cut_is(SHAPE_OBJECT, "{\"spec\":{\"metadata\":{\"annotations\":1}},\"metadata\":{}}",
           "{\"spec\":\"\",\"metadata\":{}}");
}

static void what_is_no_json_stays(void **state UNUSED)
{
    static const char *const texts[] = {
        "",          "{",         "}",    "\"",          "{\"a",
        "{\"data\"", "a=b&c=<x>", "[[[[", "{\"kind\":}", "]]]{\"data\":1}",
        "{\"x\\"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        cut_is(SHAPE_OBJECT, texts[i], texts[i]);
    cut_is(SHAPE_WHOLE, "{\"content\":\"x\"}", "{\"content\":\"x\"}");
}

static void depth_has_an_end(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(4096);

    for (int i = 0; i <= SHAPE_DEPTH_MAX; i++)
        buf_put_str(&body, "[");
    buf_put_str(&body, "{\"data\":\"x\"}");
    cut_is(SHAPE_OBJECT, buf_text(&body), buf_text(&body));
}

/* ------------------------------------------------------------------ hits */

static void hit_is(const char *variable, const char *match, const char *wanted)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1024);

    hit_text_put(span_str(variable), span_str(match), &out);
    assert_string_equal(buf_text(&out), wanted);
}

static void a_match_is_shown_without_secrets(void **state UNUSED)
{
    hit_is("ARGS:q", "' or 1=1", "' or 1=1");
    hit_is("ARGS:q", "a\nb\x7f", "a\\x0ab\\x7f");
    hit_is("REQUEST_COOKIES:session", "abc", "(3 bytes, not shown)");
    hit_is("ARGS:json.newPassword", "abc", "(3 bytes, not shown)");
    hit_is("REQUEST_HEADERS:Authorization", "Bearer x", "(8 bytes, not shown)");
    hit_is("ARGS:q", "<x>sk-drun-0123456789abcdef</x>", "<x>***</x>");
    hit_is("ARGS:q", "<x sk-drun-0123456789abcdef>", "<x ***>");
}

static void a_long_match_is_cut(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf match = BUF_INIT(1024);
    CLEANUP(buf_free) struct buf out = BUF_INIT(1024);

    for (int i = 0; i < 100; i++)
        buf_put_str(&match, "a b ");
    hit_text_put(span_str("ARGS:q"), buf_span(&match), &out);
    assert_int_equal(out.len, HIT_MATCH_MAX + 3);
}

static void in_place_is(const char *value, const char *match, const char *wanted)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1024);
    size_t at = (size_t)(strstr(value, match) - value);

    hit_text_put_in_place(span_str("ARGS:q"), span_str(value), at, strlen(match), &out);
    assert_string_equal(buf_text(&out), wanted);
}

static void a_match_is_shown_in_its_place(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1024);

    in_place_is("a ' or 1=1 b", "' or 1=1", "a «' or 1=1» b");
    in_place_is("one two three four five six seven ' or", "' or",
                "...ree four five six seven «' or»");
    in_place_is("x' y\xc2\xab z", "x'", "«x'» y\\xc2\\xab z");
    /* A key that only reaches into what is shown is none the less a key. */
    in_place_is("sk-drun-0123456789abcdef ' or 1", "' or 1", "...*** «' or 1»");
    in_place_is("' or 1 sk-drun-0123456789abcdefghijkl", "' or 1", "«' or 1» ***...");
    hit_text_put_in_place(span_str("ARGS:password"), span_str("a ' b"), 2, 1, &out);
    assert_string_equal(buf_text(&out), "(1 bytes, not shown)");
    buf_reset(&out);
    hit_text_put_word(span_str("ARGS:a, b; c"), 32, &out);
    assert_string_equal(buf_text(&out), "ARGS:a\\x2c\\x20b\\x3b\\x20c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_that_is_called_like_a_member_stays),
        cmocka_unit_test(of_objects_the_names_stay),
        cmocka_unit_test(what_is_no_json_stays),
        cmocka_unit_test(depth_has_an_end),
        cmocka_unit_test(a_match_is_shown_without_secrets),
        cmocka_unit_test(a_long_match_is_cut),
        cmocka_unit_test(a_match_is_shown_in_its_place),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
