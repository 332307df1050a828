/* SPDX-License-Identifier: Apache-2.0 */
/* A kms in its own process, asked as the roles ask it. */
#include "base/clock.h"
#include "base/mem.h"
#include "keys/wire.h"
#include "kms_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

static void data_keys_survive_a_kill_and_a_rotation(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(secret_free_ptr) struct secret *made = NULL;
    CLEANUP(secret_free_ptr) struct secret *opened = NULL;
    CLEANUP(secret_free_ptr) struct secret *again = NULL;
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    CLEANUP(buf_free) struct buf newer = BUF_INIT(KEYS_WRAPPED_MAX);
    CLEANUP(buf_free) struct buf same = BUF_INIT(KEYS_WRAPPED_MAX);
    struct err err = ERR_INIT;

    struct ipc_client *idp = fixture->as[ROLE_IDP];
    assert_int_equal(keys_data_new(idp, "idp/users", &made, &wrapped, &err), 0);
    assert_int_equal(keys_data_rewrap(idp, "idp/users", buf_span(&wrapped), &same, &err), 0);
    assert_true(span_eq(buf_span(&wrapped), buf_span(&same)));
    fixture_kill(fixture);
    /* An hour later, as far as the keyring can tell. */
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_load(fixture);
    assert_int_equal(keyring_rotate(keyring, "kek", clock_wall_sec() + 3600, &err), 0);
    fixture_start(fixture, false);
    idp = fixture->as[ROLE_IDP];
    assert_int_equal(keys_data_open(idp, "idp/users", buf_span(&wrapped), &opened, &err), 0);
    assert_true(secret_equal(made, opened));
    assert_int_equal(keys_data_rewrap(idp, "idp/users", buf_span(&wrapped), &newer, &err), 1);
    assert_int_equal(keys_wrapped_version(buf_span(&newer)), 2);
    assert_int_equal(keys_data_open(idp, "idp/users", buf_span(&newer), &again, &err), 0);
    assert_true(secret_equal(made, again));
}

static void a_kek_that_has_done_its_work_is_replaced_before_the_next_wrap(void **state)
{
    struct fixture *fixture = *state;
    struct keys_event events[KEYS_EVENTS_MAX];
    struct keys_mark mark = {0};
    struct keys_status status;
    size_t count;
    struct err err = ERR_INIT;

    assert_int_equal(keys_status(fixture->as[ROLE_API], &status, &err), 0);
    fixture_kill(fixture);
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_load(fixture);
    keyring->keks[0].wraps_counted = KEYRING_KEK_WRAPS - 10;
    assert_int_equal(keyring_save(keyring, &err), 0);
    fixture_start(fixture, false);
    for (unsigned i = 0; i < 12; i++) {
        CLEANUP(secret_free_ptr) struct secret *key = NULL;
        CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
        assert_int_equal(keys_data_new(fixture->as[ROLE_API], "api/x", &key, &wrapped, &err), 0);
        assert_int_equal(keys_wrapped_version(buf_span(&wrapped)), i < 10 ? 1 : 2);
    }
    assert_int_equal(keys_events(fixture->as[ROLE_AUDIT], &mark, events, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(events[1].kind, KEYS_EVENT_ROTATED);
    assert_string_equal(events[1].subject, "kek");
}

static void no_role_opens_the_key_of_another(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(secret_free_ptr) struct secret *made = NULL;
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    struct secret *opened = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(keys_data_new(fixture->as[ROLE_IDP], "idp/users", &made, &wrapped, &err), 0);
    struct span whole = buf_span(&wrapped);
    struct ipc_client *api = fixture->as[ROLE_API];
    assert_int_equal(keys_data_open(api, "idp/users", whole, &opened, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(keys_data_open(api, "api/users", whole, &opened, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(keys_data_rewrap(api, "api/users", whole, &wrapped, &err), -1);
    assert_int_equal(keys_data_new(api, "idp/users", &opened, &wrapped, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(keys_data_new(fixture->as[ROLE_POSTURE], "posture/x", &opened, &wrapped, &err),
                     -1);
    assert_int_equal(err.code, ERR_DENIED);
}

static void assert_verifies(const struct keys_public *public, struct span data, struct span sig)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    char kid[SIGN_KID_SIZE];
    struct err err = ERR_INIT;

    assert_int_equal(sign_key_from_spki(span_of(public->spki, public->spki_len), &key, &err), 0);
    sign_key_kid(key, kid);
    assert_string_equal(kid, public->kid);
    assert_int_equal(sign_key_alg(key), public->alg);
    assert_int_equal(sign_verify(key, data, sig, &err), 0);
}

static void each_key_signs_what_its_public_half_verifies(void **state)
{
    static const struct {
        enum role_id role;
        const char *name;
        enum sign_alg alg;
    } keys[] = {{ROLE_IDP, "oidc", SIGN_ES256},
                {ROLE_IDP, "oidc-rs256", SIGN_RS256},
                {ROLE_IDP, "oidc-eddsa", SIGN_EDDSA},
                {ROLE_AUDIT, "audit", SIGN_EDDSA}};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
        struct keys_public public;
        struct err err = ERR_INIT;

        struct ipc_client *client = fixture->as[keys[i].role];
        assert_int_equal(keys_public(client, keys[i].name, &public, &err), 0);
        assert_int_equal(public.alg, keys[i].alg);
        assert_int_equal(public.state, KEYS_CURRENT);
        assert_int_equal(keys_sign(client, keys[i].name, public.kid, span_str("hi"), &sig, &err),
                         0);
        assert_verifies(&public, span_str("hi"), buf_span(&sig));
        buf_reset(&sig);
        assert_int_equal(keys_sign(client, keys[i].name, "other", span_str("hi"), &sig, &err), -1);
        assert_int_equal(err.code, ERR_GONE);
        assert_int_equal(keys_sign(client, keys[i].name, NULL, span_str("hi"), &sig, &err), 0);
    }
}

static void a_batch_is_signed_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_client *idp = fixture->as[ROLE_IDP];
    CLEANUP(buf_free) struct buf sigs = BUF_INIT(KEYS_BATCH_MAX * SIGN_SIG_MAX);
    struct span inputs[KEYS_BATCH_MAX + 1];
    char texts[KEYS_BATCH_MAX + 1][8];
    static uint8_t large[KEYS_SIGN_MAX + 1];
    struct keys_public public;
    size_t sig_len;
    struct err err = ERR_INIT;

    for (unsigned i = 0; i <= KEYS_BATCH_MAX; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%u", i);
        inputs[i] = span_str(texts[i]);
    }
    assert_int_equal(keys_public(idp, "oidc", &public, &err), 0);
    assert_int_equal(
        keys_sign_batch(idp, "oidc", NULL, inputs, KEYS_BATCH_MAX, &sigs, &sig_len, &err), 0);
    assert_int_equal(sigs.len, KEYS_BATCH_MAX * sig_len);
    for (size_t i = 0; i < KEYS_BATCH_MAX; i++)
        assert_verifies(&public, inputs[i], span_of(sigs.data + i * sig_len, sig_len));
    assert_int_equal(
        keys_sign_batch(idp, "oidc", NULL, inputs, KEYS_BATCH_MAX + 1, &sigs, &sig_len, &err), -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    buf_reset(&sigs);
    assert_int_equal(keys_sign(idp, "oidc", NULL, span_of(large, KEYS_SIGN_MAX), &sigs, &err), 0);
    assert_int_equal(keys_sign(idp, "oidc", NULL, span_of(large, KEYS_SIGN_MAX + 1), &sigs, &err),
                     -1);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void a_rotated_key_is_published_before_it_signs(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_client *idp = fixture->as[ROLE_IDP];
    struct keys_public_list before;
    struct keys_public_list after;
    struct keys_public public;
    struct err err = ERR_INIT;

    assert_int_equal(keys_list_public(idp, "oidc", &before, &err), 0);
    assert_int_equal(before.count, 3);
    keys_public_list_free(&before);
    assert_int_equal(keys_rotate(idp, "oidc", &err), -1); /* younger than a minute */
    assert_int_equal(err.code, ERR_LIMITED);
    fixture_kill(fixture);
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_load(fixture);
    for (size_t i = 0; i < keyring->generation_count; i++)
        keyring->generations[i].created_sec -= 61;
    assert_int_equal(keyring_save(keyring, &err), 0);
    fixture_start(fixture, false);
    idp = fixture->as[ROLE_IDP];
    assert_int_equal(keys_public(idp, "oidc", &public, &err), 0);
    assert_int_equal(keys_rotate(idp, "oidc", &err), 0);
    assert_int_equal(keys_list_public(idp, "oidc", &after, &err), 0);
    assert_int_equal(after.count, 4);
    for (size_t i = 0; i < after.count; i++) {
        bool is_current = strcmp(after.items[i].kid, public.kid) == 0;
        if (strcmp(after.items[i].name, "oidc") == 0)
            assert_int_equal(after.items[i].state, is_current ? KEYS_CURRENT : KEYS_NEXT);
        if (after.items[i].state == KEYS_NEXT)
            assert_in_range(after.items[i].from_sec, clock_wall_sec() + 86000,
                            clock_wall_sec() + 86400);
    }
    keys_public_list_free(&after);
    assert_int_equal(keys_list_public(idp, "ca", &after, &err), 0);
    assert_int_equal(after.count, 0);
    keys_public_list_free(&after);
    assert_int_equal(keys_public(idp, "ca", &public, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void the_gateway_gets_a_certificate_for_its_own_key(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_client *gateway = fixture->as[ROLE_GATEWAY];
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    CLEANUP(sign_key_free_ptr) struct sign_key *certified = NULL;
    CLEANUP(buf_free) struct buf csr = BUF_INIT(X509_DER_MAX);
    CLEANUP(buf_free) struct buf chain = BUF_INIT(KEYS_PEM_MAX);
    CLEANUP(buf_free) struct buf ca = BUF_INIT(KEYS_PEM_MAX);
    CLEANUP(buf_free) struct buf leaf = BUF_INIT(X509_DER_MAX);
    struct x509_san sans[2];
    char kids[2][SIGN_KID_SIZE];
    int64_t end_sec;
    struct err err = ERR_INIT;

    assert_int_equal(sign_key_generate(SIGN_ES256, &key, &err), 0);
    assert_int_equal(x509_csr_new(key, "gateway", &csr, &err), 0);
    assert_int_equal(x509_san_parse("gpu.example.org", &sans[0], &err), 0);
    assert_int_equal(x509_san_parse("127.0.0.1", &sans[1], &err), 0);
    assert_int_equal(keys_certify(gateway, buf_span(&csr), sans, 2, 86400, &chain, &err), 0);
    assert_int_equal(keys_ca_pem(gateway, &ca, &err), 0);
    assert_non_null(strstr(buf_text(&chain), buf_text(&ca)));
    assert_int_equal(x509_from_pem(buf_span(&chain), &leaf, &err), 0);
    assert_int_equal(x509_not_after(buf_span(&leaf), &end_sec, &err), 0);
    assert_in_range(end_sec, clock_wall_sec() + 86300, clock_wall_sec() + 86400);
    assert_int_equal(x509_public_key(buf_span(&leaf), &certified, &err), 0);
    sign_key_kid(key, kids[0]);
    sign_key_kid(certified, kids[1]);
    assert_string_equal(kids[0], kids[1]);
    assert_int_equal(keys_certify(gateway, buf_span(&csr), sans, 2, 59, &chain, &err), -1);
    assert_int_equal(keys_certify(gateway, buf_span(&csr), sans, 2, 8 * 86400, &chain, &err), -1);
    assert_int_equal(keys_certify(gateway, buf_span(&csr), sans, 0, 86400, &chain, &err), -1);
    assert_int_equal(keys_certify(gateway, span_str("no"), sans, 1, 86400, &chain, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

static void status_tells_what_kms_holds(void **state)
{
    struct fixture *fixture = *state;
    struct keys_status status;
    struct secret *key = NULL;
    struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(keys_data_new(fixture->as[ROLE_API], "idp/x", &key, &wrapped, &err), -1);
    assert_int_equal(keys_data_new(fixture->as[ROLE_API], "api/x", &key, &wrapped, &err), 0);
    assert_int_equal(keys_status(fixture->as[ROLE_POSTURE], &status, &err), 0);
    assert_false(status.sealed);
    assert_string_equal(status.provider, "keyfile");
    assert_int_equal(status.kek_version, 1);
    assert_int_equal(status.kek_count, 1);
    assert_int_equal(status.kek_wraps, 1);
    assert_int_equal(status.signing_count, 5);
    assert_int_equal(status.data_opened, 1);
    assert_int_equal(status.denied, 1);
    assert_in_range(status.kek_created_sec, clock_wall_sec() - 60, clock_wall_sec());
    assert_true(status.ca_until_sec > clock_wall_sec() + 399 * 86400);
    secret_free(key);
    buf_free(&wrapped);
}

/* ------------------------------------------------------------------ peers */

static void two_clients_at_once_get_their_own_answers(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_client *idp = fixture->as[ROLE_IDP];
    struct ipc_client *audit = fixture->as[ROLE_AUDIT];
    struct keys_public publics[2];
    struct err err = ERR_INIT;

    assert_int_equal(keys_public(idp, "oidc", &publics[0], &err), 0);
    assert_int_equal(keys_public(audit, "audit", &publics[1], &err), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    enum role_id role = child == 0 ? ROLE_AUDIT : ROLE_IDP;
    for (int i = 0; i < 300; i++) {
        CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
        CLEANUP_FREE char *text = mem_printf("%d of %d", i, role);
        const struct keys_public *public = &publics[child == 0];
        assert_int_equal(
            keys_sign(fixture->as[role], public->name, public->kid, span_str(text), &sig, &err), 0);
        assert_verifies(public, span_str(text), buf_span(&sig));
    }
    if (child == 0)
        _exit(0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_role_that_reads_no_answers_stops_nobody_else(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(buf_free) struct buf body = BUF_INIT(100);
    struct keys_public public;
    uint32_t id;
    struct err err = ERR_INIT;

    buf_put_block(&body, span_str("oidc"));
    uint64_t start_ns = clock_mono_ns();
    while (ipc_send(fixture->as[ROLE_API], KMS_LIST_PUBLIC, buf_span(&body), &id, &err) == 0)
        assert_true(id < 100000);
    assert_int_equal(err.code, ERR_UNAVAILABLE); /* it lost its channel */
    assert_int_equal(keys_public(fixture->as[ROLE_IDP], "oidc", &public, &err), 0);
    assert_true(clock_mono_ns() - start_ns < 5ULL * 1000 * 1000 * 1000);
}

static void a_body_that_is_not_exact_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_client *idp = fixture->as[ROLE_IDP];
    CLEANUP(buf_free) struct buf body = BUF_INIT(1000);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(1000);
    struct err err = ERR_INIT;

    buf_put_block(&body, span_str("idp/x"));
    assert_int_equal(ipc_call(idp, KMS_DATA_NEW, buf_span(&body), &reply, NULL, &err), 0);
    for (size_t len = 0; len < body.len; len++) {
        struct span cut = span_of(body.data, len);
        assert_int_equal(ipc_call(idp, KMS_DATA_NEW, cut, &reply, NULL, &err), -1);
    }
    buf_put_u8(&body, 0);
    assert_int_equal(ipc_call(idp, KMS_DATA_NEW, buf_span(&body), &reply, NULL, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    buf_reset(&body);
    buf_put_block(&body, span_of("idp/\0", 5));
    assert_int_equal(ipc_call(idp, KMS_DATA_NEW, buf_span(&body), &reply, NULL, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_running, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(data_keys_survive_a_kill_and_a_rotation),
        TEST(a_kek_that_has_done_its_work_is_replaced_before_the_next_wrap),
        TEST(no_role_opens_the_key_of_another),
        TEST(each_key_signs_what_its_public_half_verifies),
        TEST(a_batch_is_signed_in_order),
        TEST(a_rotated_key_is_published_before_it_signs),
        TEST(the_gateway_gets_a_certificate_for_its_own_key),
        TEST(status_tells_what_kms_holds),
        TEST(two_clients_at_once_get_their_own_answers),
        TEST(a_role_that_reads_no_answers_stops_nobody_else),
        TEST(a_body_that_is_not_exact_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("kms", tests, NULL, NULL);
}
