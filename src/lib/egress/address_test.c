/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/address.h"
#include "egress/egress.h"
#include "egress/url.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int check(const char *text, bool private_network, const struct egress_networks *networks)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(443)};
    struct err err = ERR_INIT;
    bool is_v4 = inet_pton(AF_INET, text, &v4.sin_addr) == 1;

    assert_true(is_v4 || inet_pton(AF_INET6, text, &v6.sin6_addr) == 1);
    int result = egress_address_check(is_v4 ? (const void *)&v4 : (const void *)&v6,
                                      private_network, networks, &err);
    if (result < 0)
        assert_int_equal(err.code, ERR_DENIED);
    return result;
}

static void public_addresses_are_always_allowed(void **state UNUSED)
{
    static const char *const all[] = {"1.1.1.1",       "93.184.216.34", "172.32.0.1",
                                      "100.128.0.1",   "2606:4700::1",  "2a00:1450:4001::200e",
                                      "::ffff:8.8.8.8"};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        assert_int_equal(check(all[i], false, NULL), 0);
}

static void private_ones_only_where_an_administrator_said_so(void **state UNUSED)
{
    static const char *const all[] = {
        "127.0.0.1",       "127.255.0.1",    "10.0.0.1",    "172.16.0.1",       "172.31.255.255",
        "192.168.1.1",     "100.64.0.1",     "::1",         "fd00::1",          "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::1", "::127.0.0.1", "64:ff9b::c0a8:101"};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        assert_int_equal(check(all[i], false, NULL), -1);
        assert_int_equal(check(all[i], true, NULL), 0);
    }
}

static void metadata_services_and_what_is_no_host_never(void **state UNUSED)
{
    static const char *const all[] = {
        "169.254.169.254",   "fe80::1", "0.0.0.0",   "::",          "224.0.0.1",
        "255.255.255.255",   "ff02::1", "240.0.0.1", "2001:db8::1", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe"};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        assert_int_equal(check(all[i], true, NULL), -1);
}

static void the_operators_networks_are_allowed(void **state UNUSED)
{
    struct egress_networks networks = {0};
    struct err err = ERR_INIT;

    assert_int_equal(egress_networks_add(&networks, "10.1.0.0/16", &err), 0);
    assert_int_equal(egress_networks_add(&networks, "169.254.7.7", &err), 0);
    assert_int_equal(egress_networks_add(&networks, "10.1.0.1/16", &err), -1);
    err_clear(&err);
    assert_int_equal(check("10.1.2.3", false, &networks), 0);
    assert_int_equal(check("::ffff:10.1.2.3", false, &networks), 0);
    assert_int_equal(check("10.2.2.3", false, &networks), -1);
    assert_int_equal(check("169.254.7.7", false, &networks), 0);
    assert_int_equal(check("169.254.7.8", true, &networks), -1);
}

static void a_url_is_taken_apart(void **state UNUSED)
{
    struct egress_url url;
    struct err err = ERR_INIT;
    char authority[264];

    assert_int_equal(
        egress_url_parse("https://API.example.com/openai/v1/?a=b&c=d", "https://", 443, &url, &err),
        0);
    assert_string_equal(url.host, "api.example.com");
    assert_string_equal(url.path, "/openai/v1");
    assert_string_equal(url.query, "a=b&c=d");
    assert_false(url.is_address || url.has_port);
    assert_int_equal(egress_url_parse("https://[2001:db8::1]:8443", "https://", 443, &url, &err),
                     0);
    egress_url_authority(&url, authority, sizeof(authority));
    assert_string_equal(authority, "[2001:db8::1]:8443");
    assert_true(url.is_address);
}

static void what_is_no_plain_url_is_refused(void **state UNUSED)
{
    static const char *const all[] = {
        "http://x",      "https://",     "https://u@h/",    "https://h:0/",  "https://h:x",
        "https://h/a b", "https://h/\"", "https://h/$x",    "https://h/{x}", "https://h/a#b",
        "https://h\\x/", "https://[h]/", "https://h:65536", "https://h/;\n"};
    struct egress_url url;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(egress_url_parse(all[i], "https://", 443, &url, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void values_cannot_leave_their_place_in_a_filter_or_a_dn(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf filter = BUF_INIT(256);
    CLEANUP(buf_free) struct buf dn = BUF_INIT(256);

    egress_put_filter_value(span_str("a*)(uid=*\\\xc3\xa9"), &filter);
    assert_string_equal(buf_text(&filter), "a\\2a\\29\\28uid=\\2a\\5c\\c3\\a9");
    egress_put_dn_value(span_str(" #a,ou=x+y\" "), &dn);
    assert_string_equal(buf_text(&dn), "\\20#a\\2cou\\3dx\\2by\\22\\20");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_addresses_are_always_allowed),
        cmocka_unit_test(private_ones_only_where_an_administrator_said_so),
        cmocka_unit_test(metadata_services_and_what_is_no_host_never),
        cmocka_unit_test(the_operators_networks_are_allowed),
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(what_is_no_plain_url_is_refused),
        cmocka_unit_test(values_cannot_leave_their_place_in_a_filter_or_a_dn),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("egress address", tests, NULL, NULL);
}
