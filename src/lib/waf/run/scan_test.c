/* SPDX-License-Identifier: Apache-2.0 */
/* Many values at once: what the databases leave out is in none of them, whatever is beside it. */
#include "waf/run/rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { REQUESTS = 3000, VALUES_MAX = 90, LETTERS_MAX = 12 };

/* What holds at the ends of a value, patterns with newlines, and what prefilters leave out. */
static const char rules[] =
    "SecRuleEngine DetectionOnly\n"
    "SecRule ARGS|REQUEST_HEADERS \"@rx ^ab\" \"id:1,pass\"\n"
    "SecRule ARGS \"@rx ab$\" \"id:2,pass\"\n"
    "SecRule ARGS \"@rx \\Aab\" \"id:3,pass\"\n"
    "SecRule ARGS \"@rx ab\\z\" \"id:4,pass\"\n"
    "SecRule ARGS \"@rx a\\Z\" \"id:5,pass\"\n"
    "SecRule ARGS \"@rx ^$\" \"id:6,pass\"\n"
    "SecRule ARGS \"@rx (?-m:^x$)\" \"id:7,pass\"\n"
    "SecRule ARGS \"@rx [\\r\\n]a\" \"id:8,pass\"\n"
    "SecRule ARGS \"@rx (?:;|\\n|=)\\s*xx\" \"id:9,pass\"\n"
    "SecRule ARGS \"@rx \\bx\\b\" \"id:10,pass\"\n"
    "SecRule ARGS \"@rx \\Ba\\B\" \"id:11,pass\"\n"
    "SecRule ARGS \"@rx (?<!a)b(?!b)=\" \"id:12,pass\"\n"
    "SecRule ARGS \"@rx ^[^=]*$\" \"id:13,pass\"\n"
    "SecRule ARGS \"@rx a\\s+b\" \"id:14,pass\"\n"
    "SecRule ARGS \"@rx (?:\\n|^)x\\z\" \"id:15,pass\"\n"
    "SecRule ARGS \"@rx (a)=\\1\" \"id:16,pass\"\n"
    "SecRule ARGS|REQUEST_HEADERS:X1 \"@rx xab\" \"id:17,pass,t:removeWhitespace,t:lowercase\"\n"
    "SecRule ARGS \"@rx b{3}\" \"id:18,pass,t:removeWhitespace,multiMatch,t:lowercase\"\n"
    "SecRule ARGS \"@pm =a==b x;x\" \"id:19,pass\"\n"
    "SecRule REQUEST_HEADERS:X2|ARGS:/^x/ \"@rx ^[ab]+$\" \"id:20,pass\"\n"
    "SecRule ARGS \"@rx ^a|b$\" \"id:21,pass,t:base64Decode\"\n";

static uint32_t seed = 20261123;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static void put_value(struct buf *out, bool escaped)
{
    static const char *const plain[] = {"a", "b", "x", "=", ";", " ", "A", "B", "\t", "ab"};
    static const char *const other[] = {"%0a", "%0d", "%01", "%00", "%e9", "%0a%0a", "+", "%09"};
    uint32_t count = next_random(LETTERS_MAX);

    for (uint32_t i = 0; i < count; i++)
        if (escaped && next_random(6) == 0)
            buf_put_str(out, other[next_random(ARRAY_LEN(other))]);
        else
            buf_put_str(out, plain[next_random(ARRAY_LEN(plain))]);
}

static void make_request(struct buf *uri, struct buf *headers)
{
    uint32_t count = next_random(VALUES_MAX);

    buf_reset(uri);
    buf_reset(headers);
    buf_put_str(uri, "/?");
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(uri, "%c%u=", next_random(2) == 0 ? 'x' : 'y', i);
        put_value(uri, true);
        buf_put_str(uri, "&");
    }
    for (uint32_t i = 0; i < 4; i++) {
        buf_printf(headers, "X%u: ", i);
        put_value(headers, false);
        buf_put_str(headers, "\n");
    }
}

static void same_hits(const struct rig *fast, const struct rig *slow, const char *uri)
{
    size_t counts[2];
    const struct waf_hit *some = waf_tx_hits(fast->tx, &counts[0]);
    const struct waf_hit *all = waf_tx_hits(slow->tx, &counts[1]);

    if (counts[0] != counts[1])
        fail_msg("%zu hits, %zu without databases: %s", counts[0], counts[1], uri);
    for (size_t i = 0; i < counts[0]; i++)
        if (some[i].rule != all[i].rule || !span_eq(some[i].variable, all[i].variable))
            fail_msg("rule %u, rule %u without databases: %s", some[i].rule, all[i].rule, uri);
}

static void databases_leave_out_what_is_not_there(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(65536);
    CLEANUP(buf_free) struct buf headers = BUF_INIT(65536);
    struct rig rigs[2];

    for (int i = 0; i < 2; i++)
        rig_open(&rigs[i], rules, i == 1, NULL);
    for (int n = 0; n < REQUESTS; n++) {
        make_request(&uri, &headers);
        for (int i = 0; i < 2; i++)
            (void)rig_request(&rigs[i], "GET", buf_text(&uri), buf_text(&headers), NULL);
        same_hits(&rigs[0], &rigs[1], buf_text(&uri));
    }
    for (int i = 0; i < 2; i++)
        rig_close(&rigs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(databases_leave_out_what_is_not_there)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
