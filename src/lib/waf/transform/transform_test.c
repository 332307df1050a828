/* SPDX-License-Identifier: Apache-2.0 */
#include "waf/transform/transform_oracle.h"

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LIT(text)                                                                                  \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

enum { ARENA_MAX = 1 << 20 };

static const char unicode_map_file[] = "/etc/nginx/unicode.mapping";

static const struct {
    enum waf_transform kind;
    struct span in;
    struct span out;
} CASES[] = {
    {WAF_T_NONE, LIT("A b"), LIT("A b")},
    {WAF_T_LOWERCASE, LIT("SELECT \xC3\x84 \0X"), LIT("select \xC3\x84 \0x")},
    {WAF_T_UPPERCASE, LIT("abz{`@Z"), LIT("ABZ{`@Z")},
    {WAF_T_URL_DECODE, LIT("a+b%20c%2G%4"), LIT("a b c%2G%4")},
    {WAF_T_URL_DECODE, LIT("%00%fF"), LIT("\0\xFF")},
    {WAF_T_URL_DECODE_UNI, LIT("%u0041%uff41%u004%UFF1c+%zz"), LIT("Aa%u004< %zz")},
    {WAF_T_URL_ENCODE, LIT("a b*-/\xE4"), LIT("a+b*%2d%2f%e4")},
    {WAF_T_HTML_ENTITY_DECODE, LIT("&#60;&#x3Cscript&gt;&quot&amp;&nbsp;&copy;&#;&#x;&"),
     LIT("<<script>\"&\xA0&copy;&#;&#x;&")},
    {WAF_T_HTML_ENTITY_DECODE, LIT("&#99999999999999999999;&#x141;"), LIT("\xFF\x41")},
    {WAF_T_JS_DECODE, LIT("\\u0041\\x41\\101\\uff41\\n\\q\\'\\"), LIT("AAAa\nq'\\")},
    {WAF_T_JS_DECODE, LIT("\\777\\8\\0"),
     LIT("?7"
         "8\0")},
    {WAF_T_ESCAPE_SEQ_DECODE, LIT("\\a\\x41\\101\\?\\xzz\\"), LIT("\aAA?xzz\\")},
    {WAF_T_CSS_DECODE, LIT("\\61 \\ff41\\0000ff42\\z\\\nx\\"),
     LIT("aa\xFF"
         "42zx")},
    {WAF_T_CSS_DECODE, LIT("j\\61va\\sc\\72ipt"), LIT("javascript")},
    {WAF_T_BASE64_DECODE, LIT("VGVzdA=="), LIT("Test")},
    {WAF_T_BASE64_DECODE, LIT("VGVz\r\ndA==\n"), LIT("Test")},
    {WAF_T_BASE64_DECODE, LIT("VGV!zdA=="), LIT("")},
    {WAF_T_BASE64_DECODE_EXT, LIT("V.G!V z\ndA"), LIT("Test")},
    {WAF_T_BASE64_DECODE_EXT, LIT("PFR FU1Q+"), LIT("<TEST>")},
    {WAF_T_BASE64_ENCODE, LIT("Test"), LIT("VGVzdA==")},
    {WAF_T_HEX_DECODE, LIT("414aF"), LIT("AJ")},
    {WAF_T_HEX_ENCODE, LIT("A\xFF"), LIT("41ff")},
    {WAF_T_SQL_HEX_DECODE, LIT("x0x414g 0X4142 0x4"), LIT("xA4g AB 0x4")},
    {WAF_T_CMD_LINE, LIT("C^oM\"M,a;n\td   /C (x"), LIT("comm a n d/c(x")},
    {WAF_T_CMD_LINE, LIT("ls -l"), LIT("ls -l")},
    {WAF_T_COMPRESS_WHITESPACE, LIT(" a \t\n b\v"), LIT(" a b ")},
    {WAF_T_REMOVE_WHITESPACE, LIT(" a\xC2\xA0 b\n"), LIT("ab")},
    {WAF_T_REMOVE_NULLS, LIT("a\0b\0"), LIT("ab")},
    {WAF_T_REPLACE_NULLS, LIT("a\0b"), LIT("a b")},
    {WAF_T_REMOVE_COMMENTS, LIT("a/*x*/b<!--y-->c--d"), LIT("abc")},
    {WAF_T_REMOVE_COMMENTS, LIT("a/*x"), LIT("a ")},
    {WAF_T_REMOVE_COMMENTS_CHAR, LIT("a/*b*/c#d--e<!--f-->"), LIT("abcdef")},
    {WAF_T_REPLACE_COMMENTS, LIT("UNION/**/SELECT/*x"), LIT("UNION SELECT ")},
    {WAF_T_NORMALISE_PATH, LIT("/dir/foo//bar/.././baz/"), LIT("/dir/foo/baz/")},
    {WAF_T_NORMALISE_PATH, LIT("/../../etc/passwd"), LIT("/etc/passwd")},
    {WAF_T_NORMALISE_PATH, LIT("../../a"), LIT("../../a")},
    {WAF_T_NORMALISE_PATH, LIT("/a/b/.."), LIT("/a")},
    {WAF_T_NORMALISE_PATH_WIN, LIT("\\dir\\..\\..\\x"), LIT("/x")},
    {WAF_T_TRIM, LIT(" \ta b\n"), LIT("a b")},
    {WAF_T_TRIM_LEFT, LIT(" a "), LIT("a ")},
    {WAF_T_TRIM_RIGHT, LIT(" a "), LIT(" a")},
    {WAF_T_LENGTH, LIT("0123456789"), LIT("10")},
    {WAF_T_LENGTH, LIT(""), LIT("0")},
    {WAF_T_MD5, LIT(""), LIT("\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e")},
    {WAF_T_SHA1, LIT(""),
     LIT("\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09")},
    {WAF_T_UTF8_TO_UNICODE, LIT("\xC3\xA4 \xE4\xB8\xAD \xF0\x9F\x98\x80"),
     LIT("%u00e4 %u4e2d %u1f600")},
    {WAF_T_PARITY_EVEN_7BIT, LIT("ac"),
     LIT("\xE1"
         "c")},
    {WAF_T_PARITY_ODD_7BIT, LIT("ac"), LIT("a\xE3")},
    {WAF_T_PARITY_ZERO_7BIT,
     LIT("\xE1"
         "c"),
     LIT("ac")},
};

static void each_case(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);
        struct span out;
        bool changed = waf_transform_run(CASES[i].kind, CASES[i].in, NULL, arena, &out);
        if (!span_eq(out, CASES[i].out))
            fail_msg("case %zu, %s: %.*s", i, waf_transform_name(CASES[i].kind), SPAN_ARG(out));
        assert_int_equal(changed, !span_eq(CASES[i].in, CASES[i].out));
        assert_true(changed || out.p == CASES[i].in.p);
    }
}

/* Each case, at each place of a longer value, so that the blocks of the first scan are crossed. */
static void position_does_not_matter(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        for (size_t before = 0; before < 70; before += 3) {
            CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);
            CLEANUP(buf_free) struct buf in = BUF_INIT(ARENA_MAX);
            struct span out;
            for (size_t k = 0; k < before; k++)
                buf_put_str(&in, "a");
            buf_put_span(&in, CASES[i].in);
            bool changed = waf_transform_run(CASES[i].kind, buf_span(&in), NULL, arena, &out);
            assert_int_equal(changed, !span_eq(buf_span(&in), out));
        }
}

static void modsecurity_does_the_same(void **unused)
{
    struct transform_oracle *oracle = transform_oracle_new(NULL);

    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);
        struct span wanted[WAF_T_COUNT];
        transform_oracle_run(oracle, CASES[i].in, wanted);
        for (int kind = 0; kind < WAF_T_COUNT; kind++) {
            struct span out;
            waf_transform_run((enum waf_transform)kind, CASES[i].in, NULL, arena, &out);
            if (!span_eq(out, wanted[kind]) &&
                !transform_differs((enum waf_transform)kind, CASES[i].in, out))
                fail_msg("case %zu, %s", i, waf_transform_name((enum waf_transform)kind));
        }
    }
    transform_oracle_free(oracle);
}

static void names_are_found(void **unused)
{
    enum waf_transform kind;

    (void)unused;
    for (int i = 0; i < WAF_T_COUNT; i++) {
        const char *name = waf_transform_name((enum waf_transform)i);
        assert_true(waf_transform_by_name(span_str(name), &kind));
        assert_int_equal(kind, i);
    }
    assert_true(waf_transform_by_name(span_str("NormalizePathWin"), &kind));
    assert_int_equal(kind, WAF_T_NORMALISE_PATH_WIN);
    assert_false(waf_transform_by_name(span_str("lowercas"), &kind));
    assert_false(waf_transform_by_name(span_str(""), &kind));
}

static void a_full_arena_changes_nothing(void **unused)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(16);
    struct err err = ERR_INIT;
    struct span in = span_str("AN UPPER CASE TEXT THAT IS LONGER THAN THE ARENA");
    struct span out;

    (void)unused;
    assert_false(waf_transform_run(WAF_T_LOWERCASE, in, NULL, arena, &out));
    assert_true(span_eq(in, out));
    assert_int_equal(arena_check(arena, "x", &err), -1);
}

/* ------------------------------------------------------------------ the unicode map */

static const char map_text[] = "1 (one)\n0041:61 0042:62\n\n20127 (US-ASCII)\n00a1:21 ff1c:3c\n"
                               "20261 (T.61)\n00a1:22\n";

static void a_map_has_one_code_page(void **unused)
{
    CLEANUP(buf_free) struct buf map = BUF_INIT(1 << 16);
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);
    struct err err = ERR_INIT;
    struct span out;

    (void)unused;
    assert_int_equal(waf_unicode_map_parse(span_str(map_text), 20127, "map", &map, &err), 0);
    assert_true(waf_unicode_map_valid(buf_span(&map)));
    assert_false(waf_unicode_map_valid(span_of(map.data, map.len - 1)));
    waf_transform_run(WAF_T_URL_DECODE_UNI, span_str("%u00a1%uff1c%u3002%u0141%uff41"),
                      (const struct waf_unicode_map *)(const void *)map.data, arena, &out);
    assert_true(span_eq_str(out, "!<.Aa"));
}

static void a_bad_map_is_refused(void **unused)
{
    CLEANUP(buf_free) struct buf map = BUF_INIT(1 << 16);
    struct err err = ERR_INIT;

    (void)unused;
    assert_int_equal(waf_unicode_map_parse(span_str(map_text), 7, "map", &map, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(waf_unicode_map_parse(span_str("5\n00zz:1"), 5, "map", &map, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.msg, "00zz:1"));
    assert_int_equal(waf_unicode_map_parse(span_str("5\n0041:100"), 5, "map", &map, &err), -1);
}

/* Some code points through the map that Debian ships. */
static void compare_codes(struct transform_oracle *oracle, const struct buf *map, unsigned from,
                          unsigned to)
{
    CLEANUP(buf_free) struct buf in = BUF_INIT(1 << 16);
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ARENA_MAX);
    struct span wanted[WAF_T_COUNT];
    struct span out;

    for (unsigned code = from; code < to; code++)
        buf_printf(&in, "%%u%04x", code);
    transform_oracle_run(oracle, buf_span(&in), wanted);
    waf_transform_run(WAF_T_URL_DECODE_UNI, buf_span(&in),
                      (const struct waf_unicode_map *)(const void *)map->data, arena, &out);
    assert_true(span_eq(out, wanted[WAF_T_URL_DECODE_UNI]));
}

static void the_whole_map_is_modsecurity_s(void **unused)
{
    enum { STEP = 512, ALL = 0x10000 };
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);
    CLEANUP(buf_free) struct buf map = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    (void)unused;
    if (access(unicode_map_file, R_OK) != 0)
        skip();
    assert_int_equal(fd_read_file(AT_FDCWD, unicode_map_file, &text, &err), 0);
    assert_int_equal(waf_unicode_map_parse(buf_span(&text), 20127, "map", &map, &err), 0);
    struct transform_oracle *oracle = transform_oracle_new(unicode_map_file);
    for (unsigned code = 0; code < ALL; code += STEP)
        compare_codes(oracle, &map, code, code + STEP);
    transform_oracle_free(oracle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case),
        cmocka_unit_test(position_does_not_matter),
        cmocka_unit_test(modsecurity_does_the_same),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(a_full_arena_changes_nothing),
        cmocka_unit_test(a_map_has_one_code_page),
        cmocka_unit_test(a_bad_map_is_refused),
        cmocka_unit_test(the_whole_map_is_modsecurity_s),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
