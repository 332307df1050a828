/* SPDX-License-Identifier: Apache-2.0 */
/* What a pattern needs is in every text that has it. */
#include "waf/compile/needs.h"
#include "waf/compile/phrases.h"

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { TEXTS = 20000, TEXT_MAX = 12 };

static const char *const patterns[] = {
    "a(b|;)",
    "(?i)B;",
    "(?:;|\\||&&)\\s*b",
    "[\"']a",
    "\\ba\\(",
    "a.*?=",
    "(?i:a|b)=\\s*x",
    "(?<=;)a",
    "(?!a)b(?=;)",
    "^a$",
    "",
    "a*",
    "\\x3b\\xe9",
    "(?i)\\xe9",
    "(a)?;\\1",
    "[^a];",
    "(?:\\r?\\n)?\\z",
    "a\\K;",
    "(?|a(;)|b(;))x",
    "\\W=",
    "\\$\\(|`a",
    "(?s).;",
    "[\\s\\S]a;",
    "(?>a;|b)x",
    "(?(?=a)a;|b;)",
};

static bool has_one(const uint32_t needs[IMAGE_NEEDS], struct span text)
{
    bool all = true;

    for (int i = 0; i < IMAGE_NEEDS; i++)
        all &= needs[i] == UINT32_MAX;
    for (size_t i = 0; i < text.len; i++)
        if ((needs[text.p[i] / 32] >> (text.p[i] % 32) & 1) != 0)
            return true;
    return all;
}

static struct span next_text(uint8_t room[TEXT_MAX])
{
    static const char letters[] = "aAbBx;=()\"'&|$`\n \xe9\xc9";
    static uint32_t seed = 4711;
    size_t len;

    seed = seed * 1664525 + 1013904223;
    len = (seed >> 8) % TEXT_MAX;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        room[i] = (uint8_t)letters[(seed >> 8) % (sizeof(letters) - 1)];
    }
    return span_of(room, len);
}

static void try_pattern(const char *pattern)
{
    uint32_t needs[IMAGE_NEEDS];
    uint8_t room[TEXT_MAX];
    int code;
    PCRE2_SIZE where;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern),
                                   PCRE2_DOTALL | PCRE2_MULTILINE, &code, &where, NULL);

    assert_non_null(re);
    pcre2_match_data *found = pcre2_match_data_create_from_pattern(re, NULL);
    needs_of_regex(span_str(pattern), needs);
    for (int i = 0; i < TEXTS; i++) {
        struct span text = next_text(room);
        if (pcre2_match(re, text.p, text.len, 0, 0, found, NULL) >= 0 && !has_one(needs, text))
            fail_msg("%s is in \"%.*s\"", pattern, SPAN_ARG(text));
    }
    pcre2_match_data_free(found);
    pcre2_code_free(re);
}

static void texts_have_what_their_patterns_need(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        try_pattern(patterns[i]);
}

static void texts_have_what_their_phrases_need(void **state UNUSED)
{
    const struct span words[] = {span_str("Ab"), span_str("x;a"), span_str("(b)"),
                                 span_str("\xe9")};
    CLEANUP(buf_free) struct buf trie = BUF_INIT(4096);
    uint32_t needs[IMAGE_NEEDS];
    uint8_t room[TEXT_MAX];
    size_t at;
    size_t len;

    phrases_build(words, ARRAY_LEN(words), &trie);
    needs_of_phrases(buf_span(&trie), needs);
    for (int i = 0; i < TEXTS; i++) {
        struct span text = next_text(room);
        if (phrases_find(buf_span(&trie), text, &at, &len) && !has_one(needs, text))
            fail_msg("a phrase is in \"%.*s\"", SPAN_ARG(text));
    }
}

static bool is_rare(const char *pattern)
{
    uint32_t needs[IMAGE_NEEDS];

    needs_of_regex(span_str(pattern), needs);
    return needs_are_rare(needs);
}

static void marks_are_rare(void **state UNUSED)
{
    assert_true(is_rare("(?:;|\\||&&)\\s*b"));
    assert_true(is_rare("select.*\\("));
    assert_false(is_rare("select"));
    assert_false(is_rare("^.*$"));
    assert_false(is_rare("[.;]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_what_their_patterns_need),
        cmocka_unit_test(texts_have_what_their_phrases_need),
        cmocka_unit_test(marks_are_rare),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
