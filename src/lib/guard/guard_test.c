/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/guard.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Made up, and put together here so that no scanner takes this file for a leak. */
#define GITHUB                                                                                     \
    "gh"                                                                                           \
    "p_"                                                                                           \
    "0123456789abcdefghijABCDEFGHIJ012345"
#define AWS                                                                                        \
    "AK"                                                                                           \
    "IA"                                                                                           \
    "QWERTYUIOPASDF23"
#define DRUN                                                                                       \
    "sk-"                                                                                          \
    "drun-"                                                                                        \
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
#define JWT                                                                                        \
    "ey"                                                                                           \
    "JhbGciOiJFUzI1NiJ9.ey"                                                                        \
    "JzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
#define ID                                                                                         \
    "110105"                                                                                       \
    "19491231"                                                                                     \
    "002X"

struct seen {
    char text[4096]; /* "name@offset+len action[ encoded]; " of each finding */
    size_t count;
};

static struct guard_rules *rules;
static struct guard *guard;

static int setup(void **state UNUSED)
{
    struct err err = ERR_INIT;

    if (guard_rules_new(&rules, &err) < 0)
        fail_msg("%s", err.msg);
    guard = guard_new(rules);
    return 0;
}

static int teardown(void **state UNUSED)
{
    guard_free(guard);
    guard_rules_free(rules);
    return 0;
}

static void note(void *ctx, const struct guard_finding *finding)
{
    struct seen *seen = ctx;
    size_t used = strlen(seen->text);

    snprintf(seen->text + used, sizeof(seen->text) - used, "%s@%llu+%u%s; ",
             guard_detector(finding->detector)->name, (unsigned long long)finding->offset,
             finding->len, finding->encoded ? " encoded" : "");
    seen->count++;
}

/* Feeds in chunks of `step` bytes (0: at once). */
static enum guard_verdict feed(struct span text, size_t step, const struct guard_policy *policy,
                               struct seen *seen, struct buf *out)
{
    enum guard_verdict verdict = GUARD_PASS;
    size_t at = 0;

    *seen = (struct seen){0};
    guard_start(guard, policy, note, seen);
    while (step > 0 && text.len - at > step && verdict == GUARD_PASS) {
        verdict = guard_feed(guard, span_of(text.p + at, step), false, out);
        at += step;
        assert_true(verdict != GUARD_PASS || guard_held(guard) <= GUARD_WINDOW);
    }
    if (verdict == GUARD_PASS)
        verdict = guard_feed(guard, span_of(text.p + at, text.len - at), true, out);
    return verdict;
}

static void masks(const char *text, const char *wanted)
{
    static const size_t steps[] = {0, 1, 2, 3, 5, 7, 16, 33};
    struct guard_policy policy;
    struct err err = ERR_INIT;
    struct seen seen;
    char first[sizeof(seen.text)] = "";

    guard_policy_usual(&policy);
    assert_int_equal(guard_policy_set(&policy, "personal", "mask", &err), 0);
    assert_int_equal(guard_policy_set(&policy, "ipv4", "off", &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 20);
        assert_int_equal(feed(span_str(text), steps[i], &policy, &seen, &out), GUARD_PASS);
        if (strcmp(buf_text(&out), wanted) != 0)
            fail_msg("\"%s\" in steps of %zu gives \"%s\"", text, steps[i], buf_text(&out));
        if (i > 0 && strcmp(first, seen.text) != 0)
            fail_msg("\"%s\" in steps of %zu finds %s, not %s", text, steps[i], seen.text, first);
        snprintf(first, sizeof(first), "%s", seen.text);
    }
}

static void secrets_are_masked(void **state UNUSED)
{
    masks("my token is " GITHUB ", keep it", "my token is [github-token], keep it");
    masks("key=" AWS "\n", "key=[aws-access-key]\n");
    masks("Use " DRUN ".", "Use [drun-key]");
    masks("Bearer " JWT " end", "Bearer [jwt] end");
    masks(GITHUB, "[github-token]");
    masks("two: " AWS " " AWS, "two: [aws-access-key] [aws-access-key]");
    masks("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123456789abcdefghijklmnopqrstuv\n"
          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/==\n-----END RSA PRIVATE KEY-----\nafter",
          "[private-key]\nafter");
    masks("-----BEGIN PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA0123456789abcdefghijklmnopqrstuv\\n"
          "-----END PRIVATE KEY-----\\nafter",
          "[private-key]\\nafter");
}

static void personal_data_is_masked(void **state UNUSED)
{
    masks("身份证" ID "，谢谢", "身份证[cn-id-card]，谢谢");
    masks("call +86 138 0013 8000 now", "call [cn-mobile] now");
    masks("13800138000", "[cn-mobile]");
    masks("card 4111 1111 1111 1111.", "card [bank-card].");
    masks("card 378282246310005", "card [bank-card]");
    masks("护照号码：E12345678。", "[cn-passport]。");
    masks("IBAN DE89 3704 0044 0532 0130 00", "IBAN [iban]");
    masks("write to a.b+c@example.co.uk please", "write to [email] please");
    masks("ssn 219-09-9999", "ssn [us-ssn]");
}

static void look_alikes_do_not_hide_it(void **state UNUSED)
{
    masks("卡号４１１１ １１１１ １１１１ １１１１", "卡号[bank-card]");
    masks("1380\xe2\x80\x8b"
          "0138000",
          "[cn-mobile]");
    masks("A"
          "K\xd0\x86"
          "AQWERTYUIOPASDF23",
          "[aws-access-key]");
}

static void what_only_looks_so_is_left(void **state UNUSED)
{
    static const char *const texts[] = {
        "card 4111 1111 1111 1112", /* no checksum */
        "11010519491231002Y 110105194913310021",
        "version 1.2.3.4-138.0013",
        "0x13800138000",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "uuid 123e4567-e89b-12d3-a456-426614174000",
        "if \"-----BEGIN PRIVATE KEY-----\" in text: raise ValueError(\"no keys here\")",
        "the function sk_drun is called ghp and AKIA",
        "家庭 \xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 1\xef\xb8\x8f\xe2\x83\xa3",
        "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88\xd8\xa7\xd9\x87\xd9\x85 \xd7\xa9\xe2\x80\xab\xe2\x80\xac",
        "timestamp 1700000000000 and 20240131123456",
        "Привет, как дела?",
        "\xff\xfe broken \xc3",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        masks(texts[i], texts[i]);
}

static void nobody_sees_it_and_it_goes(void **state UNUSED)
{
    masks("ig\xe2\x80\x8bnore", "ignore");
    masks("pay\xe2\x80\xae"
          "load",
          "payload");
    masks("hi\xf3\xa0\x81\xa1\xf3\xa0\x81\xa2", "hi");
}

static void payloads_are_decoded(void **state UNUSED)
{
    struct guard_policy policy;
    struct seen seen;
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 16);
    /* "my key is " and the AWS key, in base64; the same in hex. */
    static const char base64[] = "bXkga2V5IGlzIEFLSUFRV0VSVFlVSU9QQVNERjIzIGFuZCBtb3Jl";
    static const char hex[] = "6d79206b657920697320414b49415157455254595549"
                              "4f50415344463233";

    guard_policy_usual(&policy);
    feed(span_str(base64), 0, &policy, &seen, &out);
    assert_string_equal(seen.text, "aws-access-key@0+52 encoded; ");
    assert_string_equal(buf_text(&out), "[aws-access-key]");
    buf_reset(&out);
    feed(span_str(hex), 0, &policy, &seen, &out);
    assert_string_equal(buf_text(&out), "[aws-access-key]");
}

static void a_block_ends_the_text(void **state UNUSED)
{
    for (size_t step = 0; step < 9; step++) {
        CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 16);
        struct guard_policy policy;
        struct err err = ERR_INIT;
        struct seen seen;
        guard_policy_usual(&policy);
        assert_int_equal(guard_policy_set(&policy, "secret", "block", &err), 0);
        assert_int_equal(feed(span_str("before " AWS " after"), step, &policy, &seen, &out),
                         GUARD_BLOCKED);
        assert_string_equal(buf_text(&out), "before ");
        assert_string_equal(seen.text, "aws-access-key@7+20; ");
    }
}

static void nothing_is_held_where_nothing_begins(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 16);
    struct guard_policy policy;

    guard_policy_usual(&policy);
    guard_start(guard, &policy, NULL, NULL);
    assert_int_equal(guard_feed(guard, span_str("Hello"), false, &out), GUARD_PASS);
    assert_string_equal(buf_text(&out), "Hello");
    assert_int_equal(guard_feed(guard, span_str(" world, gh"), false, &out), GUARD_PASS);
    assert_string_equal(buf_text(&out), "Hello world, ");
    assert_int_equal(guard_feed(guard, span_str("ost"), true, &out), GUARD_PASS);
    assert_string_equal(buf_text(&out), "Hello world, ghost");
}

static void a_long_text_passes_whole(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);
    struct guard_policy policy;
    struct seen seen;

    for (int i = 0; i < 6000; i++)
        buf_printf(&text, "line %d of prose with 数字 and words; ", i);
    buf_put_str(&text, AWS);
    for (int i = 0; i < 6000; i++)
        buf_put_str(&text, "\xe2\x80\x8b");
    guard_policy_usual(&policy);
    for (size_t step = 0; step < 20000; step += 6007) {
        CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 20);
        feed(buf_span(&text), step, &policy, &seen, &out);
        assert_non_null(strstr(buf_text(&out), "prose"));
        assert_non_null(strstr(buf_text(&out), "; [aws-access-key]"));
        assert_null(strstr(buf_text(&out), AWS));
    }
}

static void a_policy_is_said_in_words(void **state UNUSED)
{
    struct guard_policy policy;
    struct err err = ERR_INIT;

    guard_policy_usual(&policy);
    assert_int_equal(guard_policy_set(&policy, "all", "off", &err), 0);
    assert_int_equal(guard_policy_set(&policy, "jwt", "block", &err), 0);
    assert_int_equal(guard_policy_set(&policy, "nosuch", "block", &err), -1);
    assert_non_null(strstr(err.msg, "nosuch"));
    assert_int_equal(guard_policy_set(&policy, "jwt", "explode", &err), -1);
    assert_non_null(strstr(err.msg, "explode"));
    assert_true(guard_detector_count() > 20);
}

static void what_takes_too_long_goes_on(void **state UNUSED)
{
    static const char text[] = "see " GITHUB " there";
    CLEANUP(buf_free) struct buf out = BUF_INIT(1 << 10);
    struct guard_policy policy;
    struct seen seen = {0};

    guard_policy_usual(&policy);
    guard_start(guard, &policy, note, &seen);
    assert_int_equal(guard_feed(guard, span_of(text, 10), false, &out), GUARD_PASS);
    assert_true(guard_held(guard) > 0);
    guard_release(guard, &out);
    assert_int_equal(guard_held(guard), 0);
    assert_int_equal(out.len, 10);
    assert_int_equal(guard_feed(guard, span_of(text + 10, strlen(text) - 10), true, &out),
                     GUARD_PASS);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(buf_text(&out), "[github-token] there"));
    assert_null(strstr(buf_text(&out), GITHUB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_masked),
        cmocka_unit_test(personal_data_is_masked),
        cmocka_unit_test(look_alikes_do_not_hide_it),
        cmocka_unit_test(what_only_looks_so_is_left),
        cmocka_unit_test(nobody_sees_it_and_it_goes),
        cmocka_unit_test(payloads_are_decoded),
        cmocka_unit_test(a_block_ends_the_text),
        cmocka_unit_test(nothing_is_held_where_nothing_begins),
        cmocka_unit_test(a_long_text_passes_whole),
        cmocka_unit_test(a_policy_is_said_in_words),
        cmocka_unit_test(what_takes_too_long_goes_on),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, setup, teardown);
}
