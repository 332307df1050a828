/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "codec/codec_internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static json_t *parsed(const char *text)
{
    struct err err = ERR_INIT;
    json_t *value = NULL;

    if (codec_json_parse(span_str(text), "input", &value, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return value;
}

static void assert_refused(const char *text, size_t len, const char *message)
{
    struct err err = ERR_INIT;
    json_t *value = NULL;

    assert_int_equal(codec_json_parse(span_of(text, len), "input", &value, &err), -1);
    assert_null(value);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.msg, message);
}

#define REFUSED(text, message) assert_refused(text, sizeof(text) - 1, message)

typedef void put_fn(const json_t *value, struct buf *out);

static void assert_prints(const char *text, put_fn *put, const char *expected)
{
    CLEANUP_JSON json_t *value = parsed(text);
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 16);

    put(value, &out);
    assert_string_equal(buf_text(&out), expected);
}

static void plain_json_is_read(void **state UNUSED)
{
    CLEANUP_JSON json_t *value =
        parsed(" {\"metadata\": {\"name\": \"a\"}, \"n\": [1, -2.5, true, false, null]} ");

    assert_string_equal(codec_json_text(codec_json_at(value, "metadata", NULL), "name", ""), "a");
    assert_string_equal(codec_json_text(value, "n", "none"), "none");
    assert_string_equal(codec_json_text(value, "missing", "none"), "none");
    assert_null(codec_json_at(value, "metadata", "name", "deeper", NULL));
    assert_null(codec_json_at(NULL, "metadata", NULL));
    assert_ptr_equal(codec_json_at(value, NULL), value);
    assert_int_equal(json_array_size(codec_json_at(value, "n", NULL)), 5);
}

static void any_value_may_be_at_the_top(void **state UNUSED)
{
    assert_prints("\"text\"", codec_json_put, "\"text\"");
    assert_prints("null", codec_json_put, "null");
    assert_prints("9223372036854775807", codec_json_put, "9223372036854775807");
    assert_prints("-9223372036854775808", codec_json_put, "-9223372036854775808");
}

static void what_is_not_json_is_refused_with_its_place(void **state UNUSED)
{
    REFUSED("", "input:1:1: the text ends too early");
    REFUSED("{\"a\": 1,\n \"a\": 2}", "input:2:4: duplicate object key near '\"a\"'");
    REFUSED("{} x", "input:1:4: something follows the value");
    REFUSED("[1,]", "input:1:4: unexpected token near ']'");
    REFUSED("[1, 2", "input:1:5: the text ends too early");
    REFUSED("'a'", "input:1:1: invalid token near '''");
    REFUSED("\"\\u0000\"", "input:1:8: a string holds U+0000");
    REFUSED("{\"a\\u0000\": 1}", "input:1:10: a string holds U+0000");
    REFUSED("\"\\ud800\"", "input:1:8: invalid Unicode '\\uD800' near '\"\\ud800\"'");
    REFUSED("[99999999999999999999]", "input:1:21: a number does not fit");
    REFUSED("[1e400]", "input:1:6: a number does not fit");
    REFUSED("NaN", "input:1:3: invalid token near 'NaN'");
    REFUSED("01", "input:1:1: invalid token near '0'");
}

static void what_is_not_utf8_is_refused_in_ascii(void **state UNUSED)
{
    static const char *const texts[] = {"\"\xff\"",       "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
                                        "\xef\xbb\xbf{}", "\"a\tb\"",     "{\"\xfc\": 1}"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err = ERR_INIT;
        json_t *value = NULL;
        assert_int_equal(codec_json_parse(span_str(texts[i]), "input", &value, &err), -1);
        for (const char *p = err.msg; *p != '\0'; p++)
            assert_in_range(*p, ' ', '~');
    }
    REFUSED("\"a\0b\"", "input:1:2: control character 0x0 near '\"a'");
    REFUSED("[1]\0", "input:1:4: something follows the value");
}

static void nesting_stops_at_its_ceiling(void **state UNUSED)
{
    char text[2 * CODEC_DEPTH_MAX + 8];
    char *p = text;

    memset(p, '[', CODEC_DEPTH_MAX);
    memset(p + CODEC_DEPTH_MAX, ']', CODEC_DEPTH_MAX);
    p[2 * CODEC_DEPTH_MAX] = '\0';
    json_decref(parsed(text));
    memset(p, '[', CODEC_DEPTH_MAX + 1);
    assert_refused(text, strlen(text), "input:1:65: nested deeper than 64 levels");
    assert_prints("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"",
                  codec_json_put,
                  "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"");
}

static void printed_json_keeps_order_and_kind(void **state UNUSED)
{
    assert_prints("{\"b\": 1.0, \"a\": [0.1, 1e300, -0, []], \"c\": {}}", codec_json_put,
                  "{\"b\":1.0,\"a\":[0.1,1e+300,0,[]],\"c\":{}}");
    assert_prints("{\"b\": [1, {}], \"a\": {\"x\": []}}", codec_json_put_pretty,
                  "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": {\n    \"x\": []\n  }\n}\n");
    assert_prints("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u20ac\"", codec_json_put,
                  "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xe2\x82\xac\"");
}

/* RFC 8785, appendix B. */
static void canonical_numbers_are_those_of_rfc_8785(void **state UNUSED)
{
    static const struct {
        uint64_t bits;
        const char *text;
    } numbers[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        CLEANUP(buf_free) struct buf out = BUF_INIT(64);
        double number;
        memcpy(&number, &numbers[i].bits, sizeof(number));
        codec_number_put(number, &out);
        assert_string_equal(buf_text(&out), numbers[i].text);
    }
}

/* 2^-44: the nearest decimal of 16 digits is another double, the next larger one is this. */
static void a_power_of_two_gets_its_shortest_digits(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(64);

    codec_number_put(0x1p-44, &out);
    assert_string_equal(buf_text(&out), "5.684341886080802e-14");
}

static void every_number_reads_back_as_itself(void **state UNUSED)
{
    uint64_t bits = 88172645463325252ULL;

    for (int i = 0; i < 20000; i++) {
        CLEANUP(buf_free) struct buf out = BUF_INIT(64);
        double number;
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        uint64_t finite = bits % 0x7ff0000000000000ULL;
        memcpy(&number, &finite, sizeof(number));
        codec_number_put(number, &out);
        assert_true(strtod(buf_text(&out), NULL) == number);
    }
}

/* RFC 8785, sections 3.2.2 and 3.2.3. */
static void canonical_form_is_that_of_rfc_8785(void **state UNUSED)
{
    assert_prints("{\n"
                  "  \"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, "
                  "0.000000000000000000000000001],\n"
                  "  \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n"
                  "  \"literals\": [null, true, false]\n"
                  "}",
                  codec_json_put_canonical,
                  "{\"literals\":[null,true,false],"
                  "\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
                  "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
    assert_prints(
        "{\"\\u20ac\": \"Euro Sign\", \"\\r\": \"Carriage Return\","
        " \"\\ufb33\": \"Hebrew Letter Dalet With Dagesh\", \"1\": \"One\","
        " \"\\ud83d\\ude00\": \"Emoji: Grinning Face\", \"\\u0080\": \"Control\","
        " \"\\u00f6\": \"Latin Small Letter O With Diaeresis\"}",
        codec_json_put_canonical,
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
        "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
        "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
        "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
    assert_prints("{\"ab\": 1, \"a\": 1.0, \"\": -0.0, \"\\ue000\": 2, \"\\uffff\": 3}",
                  codec_json_put_canonical,
                  "{\"\":0,\"a\":1,\"ab\":1,\"\xee\x80\x80\":2,\"\xef\xbf\xbf\":3}");
}

static void canonical_form_refuses_numbers_that_would_change(void **state UNUSED)
{
    struct err err = ERR_INIT;
    CLEANUP_JSON json_t *exact =
        parsed("[9007199254740993.0, 4611686018427387904.0, 9007199254740992, -1]");
    CLEANUP_JSON json_t *inexact = parsed("{\"a\": [1, {\"b\": 9007199254740993}]}");
    CLEANUP_JSON json_t *real = parsed("[1e21, 1e18, 1e20]");
    CLEANUP_JSON json_t *top = parsed("9223372036854775807");
    CLEANUP(buf_free) struct buf out = BUF_INIT(100);

    assert_int_equal(codec_json_check_canonical(exact, "record", &err), 0);
    codec_json_put_canonical(exact, &out);
    assert_string_equal(buf_text(&out),
                        "[9007199254740992,4611686018427388000,9007199254740992,-1]");
    assert_int_equal(codec_json_check_canonical(inexact, "record", &err), -1);
    assert_string_equal(err.msg, "record holds 9007199254740993, which canonical JSON cannot; "
                                 "write it as a string");
    assert_int_equal(codec_json_check_canonical(top, "record", &err), -1);
    assert_int_equal(codec_json_check_canonical(real, "record", &err), -1);
    assert_string_equal(err.msg, "record holds 1e+20, which canonical JSON writes as an integer "
                                 "that does not fit; write it as a string");
}

static void printing_stops_at_the_ceiling_of_the_buffer(void **state UNUSED)
{
    struct err err = ERR_INIT;
    CLEANUP_JSON json_t *value = parsed("[\"0123456789\", \"0123456789\"]");
    CLEANUP(buf_free) struct buf out = BUF_INIT(20);

    codec_json_put(value, &out);
    assert_int_equal(buf_check(&out, "answer", &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_json_is_read),
        cmocka_unit_test(any_value_may_be_at_the_top),
        cmocka_unit_test(what_is_not_json_is_refused_with_its_place),
        cmocka_unit_test(what_is_not_utf8_is_refused_in_ascii),
        cmocka_unit_test(nesting_stops_at_its_ceiling),
        cmocka_unit_test(printed_json_keeps_order_and_kind),
        cmocka_unit_test(canonical_numbers_are_those_of_rfc_8785),
        cmocka_unit_test(a_power_of_two_gets_its_shortest_digits),
        cmocka_unit_test(every_number_reads_back_as_itself),
        cmocka_unit_test(canonical_form_is_that_of_rfc_8785),
        cmocka_unit_test(canonical_form_refuses_numbers_that_would_change),
        cmocka_unit_test(printing_stops_at_the_ceiling_of_the_buffer),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
