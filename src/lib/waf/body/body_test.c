/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/body/body.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TEXT_MAX = 1 << 20 };

/* "name=value" in lines. */
static bool put_pair(void *ctx, const struct waf_pair *pair)
{
    buf_put_span(ctx, pair->name);
    buf_put_str(ctx, "=");
    buf_put_span(ctx, pair->value);
    buf_put_str(ctx, "\n");
    return true;
}

static bool put_one(void *ctx, const struct waf_pair *pair)
{
    put_pair(ctx, pair);
    return false;
}

static void form_is(const char *text, const char *pairs, bool invalid)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(TEXT_MAX);
    CLEANUP(buf_free) struct buf out = BUF_INIT(TEXT_MAX);
    struct waf_pair_sink sink = {put_pair, &out};
    struct waf_urlencoded form;
    struct err err = ERR_INIT;

    assert_int_equal(waf_urlencoded_parse(span_str(text), '&', &sink, arena, &form, &err), 0);
    assert_string_equal(buf_text(&out), pairs);
    assert_int_equal(form.invalid_encoding, invalid);
}

static void forms_are_decoded(void **unused)
{
    (void)unused;
    form_is("", "", false);
    form_is("a=1&b=2", "a=1\nb=2\n", false);
    form_is("a=1&&b", "a=1\n=\nb=\n", false);
    form_is("a=1&", "a=1\n", false);
    form_is("=&a=b=c", "=\na=b=c\n", false);
    form_is("%61+b=%63%2B+", "a b=c+ \n", false);
    form_is("a=%zz&b=%4", "a=%zz\nb=%4\n", true);
    form_is("a;b=1", "a;b=1\n", false);
}

static void a_receiver_can_have_enough(void **unused)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(TEXT_MAX);
    CLEANUP(buf_free) struct buf out = BUF_INIT(TEXT_MAX);
    struct waf_pair_sink sink = {put_one, &out};
    struct waf_json_limits limits = {100};
    struct waf_urlencoded form;
    struct err err = ERR_INIT;

    (void)unused;
    assert_int_equal(waf_urlencoded_parse(span_str("a=1&b=2"), '&', &sink, arena, &form, &err), 0);
    waf_cookies_parse(span_str("c=3; d=4"), &sink);
    assert_int_equal(waf_json_parse(span_str("[5,6"), &limits, &sink, arena, &err), 0);
    assert_string_equal(buf_text(&out), "a=1\nc=3\njson.array_0=5\n");
}

static void cookies_are(const char *text, const char *pairs)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(TEXT_MAX);
    struct waf_pair_sink sink = {put_pair, &out};

    waf_cookies_parse(span_str(text), &sink);
    assert_string_equal(buf_text(&out), pairs);
}

static void cookies_are_not_decoded(void **unused)
{
    (void)unused;
    cookies_are("a=%41; b=c=d", "a=%41\nb=c=d\n");
    cookies_are("a; =x; ;b=1  ", "a=\nb=1\n");
    cookies_are(" a = b ;", "a = b\n");
    cookies_are("", "");
    cookies_are(" ;", "");
}

/* ------------------------------------------------------------------ JSON */

static int parse_json(const char *text, unsigned depth, size_t arena_max, struct buf *out,
                      struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(arena_max);
    struct waf_pair_sink sink = {put_pair, out};
    struct waf_json_limits limits = {depth};

    return waf_json_parse(span_str(text), &limits, &sink, arena, err);
}

static void json_is(const char *text, const char *pairs)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(TEXT_MAX);
    struct err err = ERR_INIT;

    if (parse_json(text, 100, TEXT_MAX, &out, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    assert_string_equal(buf_text(&out), pairs);
}

static void json_names_its_ways(void **unused)
{
    (void)unused;
    json_is("", "");
    json_is("{}", "");
    json_is(" [ ] ", "");
    json_is("\"x\"", "json=x\n");
    json_is("{\"a\":{\"b\":1},\"c\":null}", "json.a.b=1\njson.c=\n");
    json_is("{\"a\":[true,{\"b\":false},[2,[3]]]}",
            "json.a.array_0=true\njson.a.array_1.b=false\njson.a.array_2.array_0=2\n"
            "json.a.array_2.array_1.array_0=3\n");
    json_is("[[],{},1]", "json.array_2=1\n");
    json_is("{\"\":1}", "json.empty-key=1\n");
    json_is("{\"a\":1,\"a\":2}", "json.a=1\njson.a=2\n");
    json_is("[-0.5e+10]", "json.array_0=-0.5e+10\n");
    json_is("[\"\\u0041\\n\\\\\\/\\ud83d\\ude00\\ud83d\"]",
            "json.array_0=A\n\\/\xF0\x9F\x98\x80\xEF\xBF\xBD\n");
    json_is("{\"\\u0061\":1}", "json.a=1\n");
}

static void json_says(const char *text, const char *part)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(TEXT_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(parse_json(text, 3, TEXT_MAX, &out, &err), -1);
    if (strstr(err.msg, part) == NULL)
        fail_msg("%s: %s", text, err.msg);
}

static void bad_json_is_refused(void **unused)
{
    (void)unused;
    json_says("{\"a\":1", "byte 6");
    json_says("{\"a\":1]", "byte 6");
    json_says("{\"a\" 1}", "colon");
    json_says("{a:1}", "name of a member");
    json_says("{\"a\":1,}", "name of a member");
    json_says("[1,]", "byte 3");
    json_says("[01]", "comma");
    json_says("[1.]", "digits");
    json_says("[\"\\x\"]", "escape");
    json_says("[\"\xFF\"]", "UTF-8");
    json_says("[\"\n\"]", "control");
    json_says("[\"a", "does not end");
    json_says("[\"a\\", "does not end");
    json_says("1 2", "follows");
    json_says("[[[[1]]]]", "nesting");
    json_says("tru", "value");
    json_says("\xEF\xBB\xBF{}", "byte 0");
}

static void json_deeper_than_the_arena_is_an_error(void **unused)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(TEXT_MAX);
    CLEANUP(buf_free) struct buf out = BUF_INIT(TEXT_MAX);
    struct err err = ERR_INIT;

    (void)unused;
    for (int i = 0; i < 20000; i++)
        buf_put_str(&text, "[");
    assert_int_equal(parse_json(buf_text(&text), 1000000, 1 << 14, &out, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    err_clear(&err);
    assert_int_equal(parse_json(buf_text(&text), 10000, 1 << 22, &out, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_decoded),
        cmocka_unit_test(a_receiver_can_have_enough),
        cmocka_unit_test(cookies_are_not_decoded),
        cmocka_unit_test(json_names_its_ways),
        cmocka_unit_test(bad_json_is_refused),
        cmocka_unit_test(json_deeper_than_the_arena_is_an_error),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
