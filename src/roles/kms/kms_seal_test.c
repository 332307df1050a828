/* SPDX-License-Identifier: Apache-2.0 */
/* A kms that is sealed and unsealed, and what it reports to the audit role. */
#include "kms_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void sealed_kms_serves_no_key(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_client *supervisor = fixture->as[ROLE_SUPERVISOR];
    CLEANUP(secret_free_ptr)
    struct secret *wrong = secret_copy(span_str("thirty-two other bytes, so"));
    CLEANUP(secret_free_ptr) struct secret *made = NULL;
    CLEANUP(secret_free_ptr) struct secret *opened = NULL;
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
    struct keys_status status;
    struct err err = ERR_INIT;

    struct ipc_client *api = fixture->as[ROLE_API];
    assert_int_equal(keys_data_new(api, "api/x", &made, &wrapped, &err), 0);
    assert_int_equal(keys_unseal(supervisor, fixture->material, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_int_equal(keys_seal(supervisor, &err), 0);
    assert_int_equal(keys_status(api, &status, &err), 0);
    assert_true(status.sealed);
    assert_int_equal(status.kek_version, 0);
    assert_int_equal(keys_data_open(api, "api/x", buf_span(&wrapped), &opened, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(keys_sign(fixture->as[ROLE_AUDIT], "audit", NULL, span_str("x"), &sig, &err),
                     -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(keys_rotate(supervisor, "kek", &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(keys_unseal(supervisor, wrong, &err), -1);
    secret_data(fixture->material)[0] ^= 1;
    assert_int_equal(keys_unseal(supervisor, fixture->material, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    secret_data(fixture->material)[0] ^= 1;
    assert_int_equal(keys_unseal(supervisor, fixture->material, &err), 0);
    assert_int_equal(keys_data_open(api, "api/x", buf_span(&wrapped), &opened, &err), 0);
    assert_true(secret_equal(made, opened));
}

static void kms_may_start_sealed(void **state)
{
    struct fixture *fixture = *state;
    struct keys_status status;
    struct err err = ERR_INIT;

    assert_int_equal(keys_status(fixture->as[ROLE_POSTURE], &status, &err), 0);
    fixture_kill(fixture);
    fixture_start(fixture, true);
    assert_int_equal(keys_status(fixture->as[ROLE_POSTURE], &status, &err), 0);
    assert_true(status.sealed);
    assert_string_equal(status.provider, "keyfile");
    assert_int_equal(keys_unseal(fixture->as[ROLE_SUPERVISOR], fixture->material, &err), 0);
    assert_int_equal(keys_status(fixture->as[ROLE_POSTURE], &status, &err), 0);
    assert_false(status.sealed);
}

static void a_resealed_keyring_opens_only_with_the_new_material(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(secret_free_ptr) struct secret *words = secret_copy(span_str("four calm red kites"));
    CLEANUP(secret_free_ptr) struct secret *few = secret_copy(span_str("kite"));
    CLEANUP(secret_free_ptr) struct secret *made = NULL;
    CLEANUP(secret_free_ptr) struct secret *opened = NULL;
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    struct ipc_client *supervisor = fixture->as[ROLE_SUPERVISOR];
    struct ipc_client *api = fixture->as[ROLE_API];
    struct keys_status status;
    struct err err = ERR_INIT;

    assert_int_equal(keys_data_new(api, "api/x", &made, &wrapped, &err), 0);
    assert_int_equal(keys_reseal(supervisor, "passphrase", few, &err), -1);
    assert_int_equal(keys_reseal(supervisor, "moon", words, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(keys_reseal(supervisor, "passphrase", words, &err), 0);
    assert_int_equal(keys_status(api, &status, &err), 0);
    assert_string_equal(status.provider, "passphrase");
    assert_int_equal(keys_seal(supervisor, &err), 0);
    assert_int_equal(keys_unseal(supervisor, fixture->material, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(keys_unseal(supervisor, words, &err), 0);
    assert_int_equal(keys_data_open(api, "api/x", buf_span(&wrapped), &opened, &err), 0);
    assert_true(secret_equal(made, opened));
    assert_int_equal(keys_withdraw(supervisor, "none", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

/* ------------------------------------------------------------------ events */

static void audit_hears_of_each_refusal_until_it_has_it(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_client *audit = fixture->as[ROLE_AUDIT];
    struct keys_event events[KEYS_EVENTS_MAX];
    struct keys_mark mark = {0};
    struct keys_mark unread = {0};
    struct secret *key = NULL;
    struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    size_t count;
    struct err err = ERR_INIT;

    for (int i = 0; i < 3; i++)
        assert_int_equal(keys_data_new(fixture->as[ROLE_API], "idp/users", &key, &wrapped, &err),
                         -1);
    assert_int_equal(keys_seal(fixture->as[ROLE_GATEWAY], &err), -1);
    assert_int_equal(keys_events(audit, &mark, events, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_int_equal(events[0].kind, KEYS_EVENT_UNSEALED);
    assert_int_equal(events[0].peer, KEYS_EVENT_NOBODY);
    assert_int_equal(events[1].kind, KEYS_EVENT_DENIED);
    assert_int_equal(events[1].peer, ROLE_API);
    assert_int_equal(events[1].times, 3);
    assert_string_equal(events[1].subject, "data_new idp/users");
    assert_int_equal(events[2].peer, ROLE_GATEWAY);
    assert_string_equal(events[2].subject, "kms does not take seal from this role");
    /* Not acknowledged: they come again, and what happens now is new. */
    assert_int_equal(keys_data_new(fixture->as[ROLE_API], "idp/users", &key, &wrapped, &err), -1);
    assert_int_equal(keys_events(audit, &unread, events, &count, &err), 0);
    assert_int_equal(count, 4);
    assert_int_equal(events[1].times, 3);
    assert_int_equal(events[3].times, 1);
    assert_int_equal(keys_events(audit, &unread, events, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(keys_events(fixture->as[ROLE_API], &unread, events, &count, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
}

static void a_flood_of_events_keeps_its_beginning(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_client *audit = fixture->as[ROLE_AUDIT];
    struct keys_event events[KEYS_EVENTS_MAX];
    struct keys_mark mark = {0};
    struct keys_status status;
    struct secret *key = NULL;
    struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    size_t count;
    size_t total = 0;
    struct err err = ERR_INIT;

    for (int i = 0; i < 1100; i++) {
        char name[32];
        snprintf(name, sizeof(name), "idp/%d", i);
        assert_int_equal(keys_data_new(fixture->as[ROLE_API], name, &key, &wrapped, &err), -1);
    }
    do {
        assert_int_equal(keys_events(audit, &mark, events, &count, &err), 0);
        if (total == 0)
            assert_string_equal(events[1].subject, "data_new idp/0");
        total += count;
    } while (count > 0);
    assert_int_equal(total, 1024);
    assert_int_equal(keys_status(audit, &status, &err), 0);
    assert_int_equal(status.denied, 1100);
    assert_int_equal(status.events_lost, 1101 - 1024);
    assert_int_equal(keys_data_new(fixture->as[ROLE_API], "idp/9", &key, &wrapped, &err), -1);
    assert_int_equal(keys_events(audit, &mark, events, &count, &err), 0);
    assert_int_equal(count, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_running, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(sealed_kms_serves_no_key),
        TEST(kms_may_start_sealed),
        TEST(a_resealed_keyring_opens_only_with_the_new_material),
        TEST(audit_hears_of_each_refusal_until_it_has_it),
        TEST(a_flood_of_events_keeps_its_beginning),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("kms seal", tests, NULL, NULL);
}
