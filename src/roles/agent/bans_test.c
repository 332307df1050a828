/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/bans_internal.h"
#include "wire/bans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct bans make(const char *assignment)
{
    static char table[] = "drun_test";
    struct settings *settings = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(
        settings_load(span_str("listen: 192.0.2.1:8443\nlisten-proxy: 192.0.2.1:8444\n"), "a test",
                      &settings, &err),
        0);
    if (assignment != NULL)
        assert_int_equal(settings_set(settings, assignment, &err), 0);
    return (struct bans){.table = table, .settings = settings, .net_fd = -1};
}

static void drop(struct bans *bans)
{
    struct settings *settings = (struct settings *)(uintptr_t)bans->settings;

    settings_free(settings);
}

static void put_v4(struct buf *out, uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint32_t sec)
{
    const uint8_t address[16] = {[10] = 0xFF, [11] = 0xFF, a, b, c, d};

    buf_put(out, address, sizeof(address));
    buf_put_u32(out, sec);
}

static void addresses_of_both_families_are_elements_with_an_end(void **state UNUSED)
{
    const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, 0, 1};
    CLEANUP(buf_free) struct buf body = BUF_INIT(1024);
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    struct bans bans = make(NULL);
    struct err err = ERR_INIT;

    put_v4(&body, 198, 51, 100, 7, 60);
    buf_put(&body, v6, sizeof(v6));
    buf_put_u32(&body, 0);
    put_v4(&body, 203, 0, 113, 9, 4000000000);
    assert_int_equal(bans_put_script(&bans, buf_span(&body), &out, &err), 0);
    assert_non_null(strstr(buf_text(&out), "table inet drun_test\ndelete table inet drun_test\n"));
    assert_non_null(strstr(buf_text(&out),
                           "elements = { 198.51.100.7 timeout 60s, 203.0.113.9 timeout 604800s }"));
    assert_non_null(strstr(buf_text(&out), "elements = { 2001:db8:1:: timeout 1s }"));
    assert_non_null(strstr(buf_text(&out), "tcp dport { 8443, 8444 } ip saddr @v4 counter drop"));
    drop(&bans);
}

static void an_empty_list_is_an_empty_table(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    struct bans bans = make(NULL);
    struct err err = ERR_INIT;

    assert_int_equal(bans_put_script(&bans, span_of("", 0), &out, &err), 0);
    assert_null(strstr(buf_text(&out), "elements"));
    drop(&bans);
}

static void who_is_trusted_is_never_banned(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(1024);
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    struct bans bans = make("trusted-proxies=198.51.100.0/24");
    struct err err = ERR_INIT;

    put_v4(&body, 203, 0, 113, 9, 60);
    put_v4(&body, 198, 51, 100, 7, 60);
    assert_int_equal(bans_put_script(&bans, buf_span(&body), &out, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    buf_reset(&body);
    put_v4(&body, 127, 0, 0, 1, 60);
    assert_int_equal(bans_put_script(&bans, buf_span(&body), &out, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    drop(&bans);
}

static void what_is_no_list_is_refused(void **state UNUSED)
{
    static const uint8_t zeros[(BANS_MAX + 1) * BANS_ENTRY_LEN];
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    struct bans bans = make(NULL);
    struct err err = ERR_INIT;

    assert_int_equal(bans_put_script(&bans, span_of(zeros, 19), &out, &err), -1);
    assert_int_equal(bans_put_script(&bans, span_of(zeros, 21), &out, &err), -1);
    assert_int_equal(bans_put_script(&bans, span_of(zeros, sizeof(zeros)), &out, &err), -1);
    drop(&bans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_both_families_are_elements_with_an_end),
        cmocka_unit_test(an_empty_list_is_an_empty_table),
        cmocka_unit_test(who_is_trusted_is_never_banned),
        cmocka_unit_test(what_is_no_list_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
