/* SPDX-License-Identifier: Apache-2.0 */
#include "role/settings.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void empty_text_gives_the_defaults(void **state UNUSED)
{
    CLEANUP(settings_free_ptr) struct settings *settings = NULL;
    struct err err = ERR_INIT;
    char url[128];

    assert_int_equal(settings_load(span_of(NULL, 0), "settings", &settings, &err), 0);
    assert_string_equal(settings->listen.host, "127.0.0.1");
    assert_string_equal(settings->store, "sqlite");
    assert_null(settings->run_dir);
    settings_public_url(settings, url, sizeof(url));
    assert_string_equal(url, "https://127.0.0.1:8443");
}

static void a_file_and_assignments_are_taken_in_turn(void **state UNUSED)
{
    CLEANUP(settings_free_ptr) struct settings *settings = NULL;
    struct err err = ERR_INIT;
    char url[128];

    assert_int_equal(settings_load(span_str("listen: \"[::1]:9443\"\nworkers: 3\nruntime: runc\n"
                                            "model-dirs: [/a, /b]\ncertificate-ttl: 2h\n"),
                                   "file", &settings, &err),
                     0);
    assert_int_equal(settings->workers, 3);
    assert_int_equal(settings->certificate_ttl_ms, 2 * 3600 * 1000);
    assert_string_equal(settings_runtimes[settings->runtime], "runc");
    assert_int_equal(settings->model_dirs.count, 2);
    settings_public_url(settings, url, sizeof(url));
    assert_string_equal(url, "https://[::1]:9443");
    assert_int_equal(settings_set(settings, "workers=4", &err), 0);
    assert_int_equal(settings_set(settings, "public-url=https://ai.example", &err), 0);
    assert_int_equal(settings->workers, 4);
    settings_public_url(settings, url, sizeof(url));
    assert_string_equal(url, "https://ai.example");
    settings_mtls_url(settings, url, sizeof(url));
    assert_string_equal(url, "");
    assert_int_equal(settings_set(settings, "listen-mtls=[::]:9444", &err), 0);
    settings_mtls_url(settings, url, sizeof(url));
    assert_string_equal(url, "https://ai.example:9444");
    assert_int_equal(settings_set(settings, "public-url=https://[::1]:8443", &err), 0);
    settings_mtls_url(settings, url, sizeof(url));
    assert_string_equal(url, "https://[::1]:9444");
}

static void what_is_put_is_loaded_back_to_the_same(void **state UNUSED)
{
    static const char *const assignments[] = {
        "listen=[::1]:9443",
        "listen-second=192.0.2.7:443",
        "public-url=https://a: \"b\" #c",
        "workers=7",
        "certificate-ttl=90s",
        "unseal-key-file=/etc/drun/k",
        "store=host=/run user=\\'x",
        "run-dir=/run/x",
        "runtime=runsc",
        "model-dirs=/a,/b c",
        "log-level=debug",
        "uid-base=4000000000",
        "audit-failure=open",
        "answer-cache=1GiB",
    };
    CLEANUP(settings_free_ptr) struct settings *settings = NULL;
    CLEANUP(settings_free_ptr) struct settings *again = NULL;
    CLEANUP(buf_free) struct buf first = BUF_INIT(64 * 1024);
    CLEANUP(buf_free) struct buf second = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;

    assert_int_equal(settings_load(span_of(NULL, 0), "settings", &settings, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(assignments); i++)
        assert_int_equal(settings_set(settings, assignments[i], &err), 0);
    settings_put(settings, &first);
    assert_int_equal(settings_load(buf_span(&first), "again", &again, &err), 0);
    settings_put(again, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    assert_string_equal(again->public_url, settings->public_url);
    assert_string_equal(again->store, settings->store);
    assert_int_equal(again->uid_base, 4000000000);
    assert_int_equal(again->audit_failure, SETTINGS_AUDIT_OPEN);
    assert_int_equal(again->answer_cache, 1 << 30);
    assert_string_equal(again->listen_second.host, "192.0.2.7");
    assert_int_equal(again->listen_second.port, 443);
}

static void an_unknown_name_is_refused_with_its_place(void **state UNUSED)
{
    CLEANUP(settings_free_ptr) struct settings *settings = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(settings_load(span_str("workers: 1\nlissten: x\n"), "f", &settings, &err), -1);
    assert_null(settings);
    assert_non_null(strstr(err.msg, "2:1"));
    assert_non_null(strstr(err.msg, "listen"));
}

static void values_out_of_their_range_are_refused(void **state UNUSED)
{
    static const char *const bad[] = {"workers=257",    "workers=-1",
                                      "uid-base=999",   "runtime=docker",
                                      "run-dir=here",   "listen=example.org:1",
                                      "listen=1.2.3.4", "certificate-ttl=1s",
                                      "nothing",        "nobody=1"};
    CLEANUP(settings_free_ptr) struct settings *settings = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(settings_load(span_of(NULL, 0), "settings", &settings, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(settings_set(settings, bad[i], &err), -1);
}

static void the_sample_loads_to_the_defaults(void **state UNUSED)
{
    CLEANUP(settings_free_ptr) struct settings *sample = NULL;
    CLEANUP(settings_free_ptr) struct settings *defaults = NULL;
    CLEANUP(buf_free) struct buf text = BUF_INIT(256 * 1024);
    CLEANUP(buf_free) struct buf first = BUF_INIT(64 * 1024);
    CLEANUP(buf_free) struct buf second = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;

    settings_put_sample(&text);
    assert_int_equal(settings_load(buf_span(&text), "sample", &sample, &err), 0);
    assert_int_equal(settings_load(span_of(NULL, 0), "none", &defaults, &err), 0);
    settings_put(sample, &first);
    settings_put(defaults, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
}

static void each_gateway_has_its_own_listener(void **state UNUSED)
{
    CLEANUP(settings_free_ptr) struct settings *settings = NULL;
    struct err err = ERR_INIT;
    char text[64];

    assert_int_equal(settings_load(span_of(NULL, 0), "settings", &settings, &err), 0);
    assert_int_equal(settings_gateways(settings), 1);
    assert_int_equal(settings_check_listeners(settings, &err), 0);
    assert_int_equal(settings_set(settings, "listen-second=[::]:9443", &err), 0);
    assert_int_equal(settings_gateways(settings), 2);
    settings_listener_text(settings, settings_listener_of(ROLE_GATEWAY), text, sizeof(text));
    assert_string_equal(text, "127.0.0.1:8443");
    settings_listener_text(settings, settings_listener_of(ROLE_GATEWAY2), text, sizeof(text));
    assert_string_equal(text, "[::]:9443");
    struct opt_listen here = settings_listener_here(settings, SETTINGS_LISTEN_SECOND);
    settings_address_text(&here, text, sizeof(text));
    assert_string_equal(text, "[::1]:9443");
    /* What the platform is called stays the first one's. */
    settings_public_url(settings, text, sizeof(text));
    assert_string_equal(text, "https://127.0.0.1:8443");
    assert_int_equal(settings_set(settings, "listen-second=127.0.0.1:0", &err), -1);
}

static void an_address_is_one_listeners_alone(void **state UNUSED)
{
    static const char *const same[] = {"listen-second=127.0.0.1:8443", "listen-mtls=[::]:1",
                                       "listen-proxy=[::]:1"};
    CLEANUP(settings_free_ptr) struct settings *settings = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(settings_load(span_str(""), "settings", &settings, &err), 0);
    assert_int_equal(settings_set(settings, same[0], &err), 0);
    assert_int_equal(settings_check_listeners(settings, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.msg, "listen and listen-second are both 127.0.0.1 port 8443"));
    assert_int_equal(settings_set(settings, "listen-second=127.0.0.2:8443", &err), 0);
    err_clear(&err);
    assert_int_equal(settings_check_listeners(settings, &err), 0);
    assert_int_equal(settings_set(settings, same[1], &err), 0);
    assert_int_equal(settings_set(settings, same[2], &err), 0);
    assert_int_equal(settings_check_listeners(settings, &err), -1);
    assert_non_null(strstr(err.msg, "listen-mtls and listen-proxy"));
}

static void a_role_gets_its_own_login_and_no_other(void **state UNUSED)
{
    static const struct {
        enum role_id role;
        const char *store;
    } wanted[] = {
        {ROLE_KMS, "postgresql"},
        {ROLE_AUDIT, "postgresql"},
        {ROLE_API, "postgresql://api:pw-api@db/drun"},
        {ROLE_IDP, "postgresql://idp:pw-idp@db/drun"},
        {ROLE_SECRETS, "postgresql://all:pw-all@db/drun"},
        {ROLE_AGENT, "postgresql"},
        {ROLE_POSTURE, "postgresql"},
        {ROLE_GATEWAY, "postgresql"},
        {ROLE_GATEWAY2, "postgresql"},
    };
    CLEANUP(settings_free_ptr) struct settings *settings = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(settings_load(span_str("store: postgresql://all:pw-all@db/drun\n"
                                            "store-api: postgresql://api:pw-api@db/drun\n"
                                            "store-idp: postgresql://idp:pw-idp@db/drun\n"
                                            "workers: 3\n"),
                                   "file", &settings, &err),
                     0);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        CLEANUP(buf_free) struct buf text = BUF_INIT(65536);
        CLEANUP(settings_free_ptr) struct settings *got = NULL;
        settings_put_for(settings, wanted[i].role, &text);
        assert_int_equal(settings_load(buf_span(&text), "put", &got, &err), 0);
        assert_string_equal(got->store, wanted[i].store);
        assert_null(got->store_api);
        assert_null(got->store_idp);
        assert_int_equal(got->workers, 3);
        if (strcmp(wanted[i].store, "postgresql") == 0)
            assert_null(strstr(buf_text(&text), "pw-"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_text_gives_the_defaults),
        cmocka_unit_test(a_file_and_assignments_are_taken_in_turn),
        cmocka_unit_test(a_role_gets_its_own_login_and_no_other),
        cmocka_unit_test(each_gateway_has_its_own_listener),
        cmocka_unit_test(an_address_is_one_listeners_alone),
        cmocka_unit_test(what_is_put_is_loaded_back_to_the_same),
        cmocka_unit_test(an_unknown_name_is_refused_with_its_place),
        cmocka_unit_test(values_out_of_their_range_are_refused),
        cmocka_unit_test(the_sample_loads_to_the_defaults),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
