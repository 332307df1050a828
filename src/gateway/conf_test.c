/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/conf_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct gateway_conf good(void)
{
    struct gateway_conf conf = GATEWAY_CONF_DEFAULTS;

    conf.listen[0] = "127.0.0.1:8443";
    conf.listen[1] = "[::1]:8443";
    conf.module = "/usr/lib/drun/ngx_http_drun_module.so";
    conf.run_dir = "/run/drun/gateway";
    conf.snapshot_dir = "/run/drun";
    conf.certificate = "/run/drun/gateway/cert.pem";
    conf.certificate_key = "/run/drun/gateway/key.pem";
    conf.console_root = "/usr/share/drun/console";
    conf.socket[GATEWAY_API] = "/run/drun/api.sock";
    return conf;
}

static void refused(const struct gateway_conf *conf, const char *why)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(GATEWAY_CONF_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(gateway_conf_put(conf, &out, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    if (strstr(err.msg, why) == NULL)
        fail_msg("%s", err.msg);
    assert_int_equal(out.len, 0);
}

static void a_good_configuration_is_written(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(GATEWAY_CONF_MAX);
    struct gateway_conf conf = good();
    struct err err = ERR_INIT;

    assert_int_equal(gateway_conf_put(&conf, &out, &err), 0);
    const char *text = buf_text(&out);
    assert_non_null(strstr(text, "listen 127.0.0.1:8443 ssl http2;"));
    assert_non_null(strstr(text, "listen [::1]:8443 ssl http2;"));
    assert_non_null(strstr(text, "ssl_protocols TLSv1.3;"));
    assert_non_null(strstr(text, "drun_waf off;"));
    assert_non_null(strstr(text, "drun_cache_size 67108864;"));
    assert_null(strstr(text, "drun_gateways"));
    assert_non_null(strstr(text, "server \"unix:/run/drun/api.sock\""));
    /* An owner without a socket answers for itself. */
    assert_null(strstr(text, "upstream drun_idp"));
}

static void several_gateways_share_what_they_count(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(GATEWAY_CONF_MAX);
    struct gateway_conf conf = good();
    struct err err = ERR_INIT;

    conf.gateways = 2;
    conf.lease_bell = 17;
    assert_int_equal(gateway_conf_put(&conf, &out, &err), 0);
    assert_non_null(strstr(buf_text(&out), "drun_gateways 2 17;"));
}

static void certificates_are_asked_for_at_their_own_listener(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf without = BUF_INIT(GATEWAY_CONF_MAX);
    CLEANUP(buf_free) struct buf with = BUF_INIT(GATEWAY_CONF_MAX);
    struct gateway_conf conf = good();
    struct err err = ERR_INIT;

    assert_int_equal(gateway_conf_put(&conf, &without, &err), 0);
    assert_null(strstr(buf_text(&without), "ssl_verify_client"));
    /* The header is there either way: what a client sends by that name never passes. */
    assert_non_null(strstr(buf_text(&without),
                           "proxy_set_header X-Client-Certificate $ssl_client_escaped_cert;"));
    conf.listen_mtls = "127.0.0.1:8444";
    assert_int_equal(gateway_conf_put(&conf, &with, &err), 0);
    const char *second = strstr(buf_text(&with), "listen 127.0.0.1:8444 ssl http2;");
    assert_non_null(second);
    assert_non_null(strstr(second, "ssl_verify_client optional_no_ca;"));
    conf.listen_mtls = "127.0.0.1";
    refused(&conf, "ADDRESS:PORT");
}

static void a_value_cannot_end_a_directive(void **state UNUSED)
{
    static const char *const bad[] = {"/a\";x", "/a\nb", "/a$b",     "/a\\", "/a;b",
                                      "/a{b",   "/a#b",  "/a:b",     "/a'b", "/a/../b",
                                      "a",      "",      "/\xC3\xBC"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct gateway_conf conf = good();
        conf.run_dir = bad[i];
        refused(&conf, "the run directory");
        conf = good();
        conf.data_dir = bad[i];
        refused(&conf, "the data directory");
        conf = good();
        conf.console_root = bad[i];
        refused(&conf, "the console's directory");
        conf = good();
        conf.socket[GATEWAY_IDP] = bad[i];
        refused(&conf, "a role's socket");
    }
}

static void addresses_are_addresses(void **state UNUSED)
{
    static const char *const bad[] = {
        "8443", "localhost:80",  "127.0.0.1:0", "127.0.0.1:99999", "::1:80",        "[::1]",
        "*:80", "127.0.0.1:80;", "127.0.0.1:",  "127.0.0.1: 80",   "[127.0.0.1]:80"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct gateway_conf conf = good();
        conf.listen[0] = bad[i];
        refused(&conf, "");
    }
    struct gateway_conf conf = good();
    conf.listen[0] = NULL;
    refused(&conf, "no address");
}

static void numbers_have_bounds(void **state UNUSED)
{
    struct gateway_conf conf = good();

    conf.workers = 0;
    refused(&conf, "workers");
    conf = good();
    conf.workers = 2;
    conf.ring_count = 1;
    refused(&conf, "2 workers need 2 audit rings");
    conf.ring_count = 2;
    conf.rings[1].bell_fd = -1;
    refused(&conf, "audit ring 1");
}

static void proxies_are_believed_by_their_ranges(void **state UNUSED)
{
    char *proxies[] = {(char[]){"10.1.0.0/16"}, (char[]){"2001:db8::7"}};
    CLEANUP(buf_free) struct buf out = BUF_INIT(GATEWAY_CONF_MAX);
    struct gateway_conf conf = good();
    struct err err = ERR_INIT;

    conf.edge.trusted_proxies = (struct gateway_list){.items = proxies, .count = 2};
    conf.edge.forwarded_header = "CF-Connecting-IP";
    conf.edge.listen_proxy = "192.0.2.1:8444";
    assert_int_equal(gateway_conf_put(&conf, &out, &err), 0);
    const char *text = buf_text(&out);
    assert_non_null(strstr(text, "set_real_ip_from 10.1.0.0/16;"));
    assert_non_null(strstr(text, "real_ip_header CF-Connecting-IP;"));
    assert_non_null(strstr(text, "listen 192.0.2.1:8444 ssl http2 proxy_protocol;"));
    assert_non_null(strstr(text, "drun_free 10.1.0.0/16 2001:db8::7;"));
    conf.edge.trusted_proxies.count = 0;
    refused(&conf, "listen-proxy needs trusted-proxies");
}

static void what_is_no_range_origin_or_header_is_refused(void **state UNUSED)
{
    static const char *const ranges[] = {"",          "x",    "10.0.0.0/33", "10.0.0.0/8;",
                                         "0.0.0.0/0", "::/0", "10.0.0.1 1",  "unix:"};
    static const char *const origins[] = {
        "",        "*",           "null",        "app.example.com", "https://",
        "ftp://x", "https://a;b", "https://a b", "https://a\"b"};
    static const char *const headers[] = {"", "X Y", "X;", "X\n", "proxy_protocol"};
    struct gateway_conf conf = good();
    char *item;

    conf.edge.trusted_proxies = (struct gateway_list){.items = &item, .count = 1};
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        item = (char *)(uintptr_t)ranges[i];
        refused(&conf, "trusted-proxies");
    }
    conf = good();
    conf.edge.cors_origins = (struct gateway_list){.items = &item, .count = 1};
    for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
        item = (char *)(uintptr_t)origins[i];
        refused(&conf, "cors-origins");
    }
    conf = good();
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        conf.edge.forwarded_header = headers[i];
        refused(&conf, "forwarded-header");
    }
}

static void limits_are_of_windows_and_networks(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(GATEWAY_CONF_MAX);
    struct gateway_conf conf = good();
    struct err err = ERR_INIT;

    conf.edge.requests_per_min = 12000;
    conf.edge.sign_ins_per_min = 1;
    conf.edge.connections = 512;
    conf.edge.network_times = 4;
    conf.edge.ban_sec = 60;
    assert_int_equal(gateway_conf_put(&conf, &out, &err), 0);
    const char *text = buf_text(&out);
    assert_non_null(strstr(text, "drun_rate requests 2000 8000 10000;"));
    assert_non_null(strstr(text, "drun_rate sign-ins 1 4 10000;"));
    assert_non_null(strstr(text, "drun_rate bytes 0 0 10000;"));
    assert_non_null(strstr(text, "drun_connections 512 2048;"));
    assert_non_null(strstr(text, "drun_ban 60 600;"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_configuration_is_written),
        cmocka_unit_test(several_gateways_share_what_they_count),
        cmocka_unit_test(certificates_are_asked_for_at_their_own_listener),
        cmocka_unit_test(a_value_cannot_end_a_directive),
        cmocka_unit_test(addresses_are_addresses),
        cmocka_unit_test(numbers_have_bounds),
        cmocka_unit_test(proxies_are_believed_by_their_ranges),
        cmocka_unit_test(what_is_no_range_origin_or_header_is_refused),
        cmocka_unit_test(limits_are_of_windows_and_networks),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
