/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/bans_internal.h"
#include "wire/bans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_NS UINT64_C(5000000000)

static struct bans make(const char *assignment)
{
    static char table[] = "drun_test";
    struct settings *settings = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(settings_load(span_str("listen: 192.0.2.1:8443\nlisten-proxy: 192.0.2.1:8444\n"
                                            "listen-second: 192.0.2.2:8443\n"),
                                   "a test", &settings, &err),
                     0);
    if (assignment != NULL)
        assert_int_equal(settings_set(settings, assignment, &err), 0);
    return (struct bans){.table = table, .settings = settings, .net_fd = -1};
}

static void drop(struct bans *bans)
{
    struct settings *settings = (struct settings *)(uintptr_t)bans->settings;

    settings_free(settings);
    for (size_t i = 0; i < ROLE_GATEWAYS_MAX; i++)
        free(bans->lists[i].bans);
}

static int take(struct bans *bans, enum role_id gateway, const struct buf *body, struct err *err)
{
    return bans_take(bans, gateway, buf_span(body), NOW_NS, err);
}

/* So many seconds after the lists were taken. */
static void script(const struct bans *bans, unsigned sec, struct buf *out)
{
    struct err err = ERR_INIT;

    buf_reset(out);
    assert_int_equal(bans_put_script(bans, NOW_NS + sec * UINT64_C(1000000000), out, &err), 0);
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
    assert_int_equal(take(&bans, ROLE_GATEWAY, &body, &err), 0);
    script(&bans, 0, &out);
    assert_non_null(strstr(buf_text(&out), "table inet drun_test\ndelete table inet drun_test\n"));
    assert_non_null(strstr(buf_text(&out),
                           "elements = { 198.51.100.7 timeout 60s, 203.0.113.9 timeout 604800s }"));
    assert_non_null(strstr(buf_text(&out), "elements = { 2001:db8:1:: timeout 1s }"));
    /* Two gateways have one port. */
    assert_non_null(strstr(buf_text(&out), "tcp dport { 8443, 8444 } ip saddr @v4 counter drop"));
    drop(&bans);
}

static void an_empty_list_is_an_empty_table(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    CLEANUP(buf_free) struct buf none = BUF_INIT(8);
    struct bans bans = make(NULL);
    struct err err = ERR_INIT;

    script(&bans, 0, &out);
    assert_null(strstr(buf_text(&out), "elements"));
    assert_int_equal(take(&bans, ROLE_GATEWAY2, &none, &err), 0);
    script(&bans, 0, &out);
    assert_null(strstr(buf_text(&out), "elements"));
    drop(&bans);
}

static void each_gateway_replaces_its_own_list(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf first = BUF_INIT(1024);
    CLEANUP(buf_free) struct buf second = BUF_INIT(1024);
    CLEANUP(buf_free) struct buf none = BUF_INIT(8);
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    struct bans bans = make(NULL);
    struct err err = ERR_INIT;

    put_v4(&first, 198, 51, 100, 7, 60);
    put_v4(&first, 198, 51, 100, 8, 90);
    put_v4(&second, 198, 51, 100, 7, 300);
    put_v4(&second, 203, 0, 113, 9, 30);
    assert_int_equal(take(&bans, ROLE_GATEWAY, &first, &err), 0);
    assert_int_equal(take(&bans, ROLE_GATEWAY2, &second, &err), 0);
    script(&bans, 10, &out);
    /* Who is in both lists is there once, as long as the longer says. */
    assert_non_null(strstr(buf_text(&out), "elements = { 198.51.100.7 timeout 290s, "
                                           "198.51.100.8 timeout 80s, 203.0.113.9 timeout 20s }"));
    script(&bans, 40, &out);
    assert_null(strstr(buf_text(&out), "203.0.113.9"));
    assert_int_equal(take(&bans, ROLE_GATEWAY2, &none, &err), 0);
    script(&bans, 0, &out);
    assert_non_null(strstr(buf_text(&out),
                           "elements = { 198.51.100.7 timeout 60s, 198.51.100.8 timeout 90s }"));
    assert_int_equal(take(&bans, ROLE_GATEWAY, &none, &err), 0);
    script(&bans, 0, &out);
    assert_null(strstr(buf_text(&out), "elements"));
    drop(&bans);
}

static void an_address_twice_in_a_list_is_one_element(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(1024);
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    struct bans bans = make(NULL);
    struct err err = ERR_INIT;

    put_v4(&body, 198, 51, 100, 7, 60);
    put_v4(&body, 198, 51, 100, 7, 20);
    assert_int_equal(take(&bans, ROLE_GATEWAY, &body, &err), 0);
    script(&bans, 0, &out);
    assert_non_null(strstr(buf_text(&out), "elements = { 198.51.100.7 timeout 60s }"));
    drop(&bans);
}

static void who_is_trusted_is_never_banned(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(1024);
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    struct bans bans = make("trusted-proxies=198.51.100.0/24");
    struct err err = ERR_INIT;

    put_v4(&body, 203, 0, 113, 9, 60);
    assert_int_equal(take(&bans, ROLE_GATEWAY, &body, &err), 0);
    put_v4(&body, 198, 51, 100, 7, 60);
    assert_int_equal(take(&bans, ROLE_GATEWAY, &body, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    buf_reset(&body);
    put_v4(&body, 127, 0, 0, 1, 60);
    assert_int_equal(take(&bans, ROLE_GATEWAY, &body, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    /* What was said before stays. */
    script(&bans, 0, &out);
    assert_non_null(strstr(buf_text(&out), "elements = { 203.0.113.9 timeout 60s }"));
    drop(&bans);
}

static void what_is_no_list_is_refused(void **state UNUSED)
{
    static const uint8_t zeros[(BANS_MAX + 1) * BANS_ENTRY_LEN];
    static const size_t bad[] = {19, 21, sizeof(zeros)};
    struct bans bans = make(NULL);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(bans_take(&bans, ROLE_GATEWAY, span_of(zeros, bad[i]), NOW_NS, &err), -1);
    drop(&bans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_both_families_are_elements_with_an_end),
        cmocka_unit_test(an_empty_list_is_an_empty_table),
        cmocka_unit_test(each_gateway_replaces_its_own_list),
        cmocka_unit_test(an_address_twice_in_a_list_is_one_element),
        cmocka_unit_test(who_is_trusted_is_never_banned),
        cmocka_unit_test(what_is_no_list_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
