/* SPDX-License-Identifier: Apache-2.0 */
#include "kms_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { DAY = 24 * 3600 };

static const int64_t start_sec = 1800000000;

static void assert_unwraps(const struct keyring *keyring, const char *collection,
                           const struct buf *wrapped, const struct secret *want)
{
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(keyring_unwrap(keyring, collection, buf_span(wrapped), &key, &err), 0);
    assert_true(secret_equal(key, want));
}

static enum keys_state state_of(const struct keyring *keyring, const char *kid, int64_t now_sec)
{
    enum keys_state state;
    int64_t until_sec;

    for (size_t i = 0; i < keyring->generation_count; i++)
        if (strcmp(keyring->generations[i].kid, kid) == 0 &&
            keyring_generation_state(keyring, i, now_sec, &state, &until_sec))
            return state;
    return KEYS_RETIRED + 1;
}

static int rotate_due(struct keyring *keyring, int64_t now_sec)
{
    CLEANUP(buf_free) struct buf names = BUF_INIT(200);
    struct err err = ERR_INIT;

    int made = keyring_rotate_due(keyring, now_sec, &names, &err);
    assert_true(made >= 0);
    return made;
}

static void signing_keys_overlap(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    char first[SIGN_KID_SIZE];
    char second[SIGN_KID_SIZE];

    memcpy(first, keyring_current(keyring, "oidc", start_sec)->kid, sizeof(first));
    assert_int_equal(rotate_due(keyring, start_sec + 29 * DAY - 1), 0);
    assert_int_equal(rotate_due(keyring, start_sec + 29 * DAY), 3); /* the three oidc keys */
    assert_int_equal(rotate_due(keyring, start_sec + 29 * DAY), 0);
    int64_t change_sec = start_sec + 30 * DAY;
    assert_string_equal(keyring_current(keyring, "oidc", change_sec - 1)->kid, first);
    memcpy(second, keyring_current(keyring, "oidc", change_sec)->kid, sizeof(second));
    assert_string_not_equal(first, second);
    assert_int_equal(state_of(keyring, second, change_sec - 1), KEYS_NEXT);
    assert_int_equal(state_of(keyring, first, change_sec), KEYS_RETIRED);
    /* The last token of the first key was signed just before the change and lives for a day. */
    assert_int_equal(state_of(keyring, first, change_sec + DAY), KEYS_RETIRED);
    assert_int_equal(state_of(keyring, first, change_sec + 2 * DAY), KEYS_RETIRED + 1);
    assert_int_equal(rotate_due(keyring, change_sec + 2 * DAY), 1); /* the KEK's age */
    CLEANUP(keyring_free_ptr) struct keyring *loaded = fixture_load(fixture);
    assert_int_equal(loaded->generation_count, 5);
    assert_string_equal(keyring_current(loaded, "oidc", change_sec)->kid, second);
}

static void after_a_long_sleep_a_key_is_still_published_before_it_signs(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    int64_t late_sec = start_sec + 500 * DAY;
    char first[SIGN_KID_SIZE];

    memcpy(first, keyring_current(keyring, "oidc", start_sec)->kid, sizeof(first));
    assert_int_equal(rotate_due(keyring, late_sec), 6); /* all five, and the KEK */
    assert_string_equal(keyring_current(keyring, "oidc", late_sec + DAY - 1)->kid, first);
    assert_string_not_equal(keyring_current(keyring, "oidc", late_sec + DAY)->kid, first);
}

static void audit_keys_verify_for_ever_and_a_ca_for_its_leaves(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    char audit[SIGN_KID_SIZE];
    char ca[SIGN_KID_SIZE];
    struct keys_status status;

    memcpy(audit, keyring_current(keyring, "audit", start_sec)->kid, sizeof(audit));
    memcpy(ca, keyring_current(keyring, "ca", start_sec)->kid, sizeof(ca));
    assert_true(rotate_due(keyring, start_sec + 365 * DAY) > 0);
    assert_true(rotate_due(keyring, start_sec + 800 * DAY) > 0);
    assert_int_equal(state_of(keyring, audit, start_sec + 5000LL * DAY), KEYS_RETIRED);
    int64_t change_sec = start_sec + 365 * DAY + 7 * DAY;
    assert_int_equal(state_of(keyring, ca, change_sec + 8 * DAY), KEYS_RETIRED + 1);
    keyring_status(keyring, start_sec, &status);
    assert_int_equal(status.kek_version, 3);
}

static void a_kek_is_replaced_by_age_and_by_count_and_still_opens(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    struct buf wrapped[3] = {BUF_INIT(KEYS_WRAPPED_MAX), BUF_INIT(KEYS_WRAPPED_MAX),
                             BUF_INIT(KEYS_WRAPPED_MAX)};
    struct err err = ERR_INIT;

    assert_int_equal(secret_random(KEYS_DATA_LEN, &key, &err), 0);
    assert_int_equal(keyring_wrap(keyring, "api/a", key, &wrapped[0], &err), 0);
    assert_int_equal(rotate_due(keyring, start_sec + KEYRING_KEK_AGE_SEC - DAY - 1), 0);
    assert_true(rotate_due(keyring, start_sec + KEYRING_KEK_AGE_SEC) > 0);
    assert_int_equal(keyring_wrap(keyring, "api/a", key, &wrapped[1], &err), 0);
    keyring_newest_kek(keyring)->wraps = KEYRING_KEK_WRAPS;
    assert_true(keyring_kek_spent(keyring));
    assert_int_equal(rotate_due(keyring, start_sec + KEYRING_KEK_AGE_SEC + 1), 1);
    assert_false(keyring_kek_spent(keyring));
    assert_int_equal(keyring_wrap(keyring, "api/a", key, &wrapped[2], &err), 0);
    CLEANUP(keyring_free_ptr) struct keyring *loaded = fixture_load(fixture);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(keys_wrapped_version(buf_span(&wrapped[i])), i + 1);
        assert_unwraps(loaded, "api/a", &wrapped[i], key);
        buf_free(&wrapped[i]);
    }
}

static void the_count_of_wraps_never_falls_behind(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    CLEANUP(secret_free_ptr) struct secret *key = secret_new(KEYS_DATA_LEN);
    struct err err = ERR_INIT;

    for (int i = 0; i < KEYRING_WRAPS_AHEAD + 1; i++) {
        CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
        assert_int_equal(keyring_wrap(keyring, "api/a", key, &wrapped, &err), 0);
    }
    CLEANUP(keyring_free_ptr) struct keyring *loaded = fixture_load(fixture);
    assert_int_equal(loaded->keks[0].wraps, 2 * KEYRING_WRAPS_AHEAD);
    keyring->keks[0].wraps = keyring->keks[0].wraps_counted = 2ULL * KEYRING_KEK_WRAPS;
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    assert_int_equal(keyring_wrap(keyring, "api/a", key, &wrapped, &err), -1);
    assert_int_equal(err.code, ERR_LIMITED);
}

static void rotation_on_demand_has_a_gap_and_one_next(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    struct err err = ERR_INIT;

    assert_int_equal(keyring_rotate(keyring, "kek", start_sec + 10, &err), -1);
    assert_int_equal(err.code, ERR_LIMITED);
    assert_int_equal(keyring_rotate(keyring, "kek", start_sec + 60, &err), 0);
    assert_int_equal(keyring_rotate(keyring, "oidc", start_sec + 60, &err), 0);
    assert_int_equal(keyring_rotate(keyring, "oidc", start_sec + 120, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_int_equal(keyring_rotate(keyring, "moon", start_sec + 60, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void nobody_fills_the_keyring_on_demand(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    int64_t now_sec = start_sec;
    struct err err = ERR_INIT;

    for (int i = 1; i < KEYRING_ON_DEMAND_MAX; i++)
        assert_int_equal(keyring_rotate(keyring, "audit", now_sec += 2 * DAY, &err), 0);
    assert_int_equal(keyring_rotate(keyring, "audit", now_sec += 2 * DAY, &err), -1);
    assert_int_equal(err.code, ERR_LIMITED);
    assert_true(rotate_due(keyring, now_sec + 400 * DAY) > 0);
    assert_string_equal(keyring->generations[keyring->generation_count - 1].name, "ca");
    assert_int_equal(rotate_due(keyring, now_sec + 402 * DAY), 0);
}

static void a_withdrawn_key_is_gone_at_once(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    int64_t now_sec = start_sec + DAY;
    char kid[SIGN_KID_SIZE];
    char next[SIGN_KID_SIZE];
    struct err err = ERR_INIT;

    /* With no next one a new key takes over. */
    memcpy(kid, keyring_current(keyring, "oidc", now_sec)->kid, sizeof(kid));
    assert_int_equal(keyring_withdraw(keyring, kid, now_sec, &err), 0);
    assert_int_equal(state_of(keyring, kid, now_sec), KEYS_RETIRED + 1);
    assert_string_not_equal(keyring_current(keyring, "oidc", now_sec)->kid, kid);
    assert_int_equal(keyring_withdraw(keyring, kid, now_sec, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    /* With a next one that does, before its time. */
    memcpy(kid, keyring_current(keyring, "oidc", now_sec)->kid, sizeof(kid));
    now_sec += DAY;
    assert_int_equal(keyring_rotate(keyring, "oidc", now_sec, &err), 0);
    memcpy(next, keyring_current(keyring, "oidc", now_sec + DAY)->kid, sizeof(next));
    assert_int_equal(keyring_withdraw(keyring, kid, now_sec, &err), 0);
    CLEANUP(keyring_free_ptr) struct keyring *loaded = fixture_load(fixture);
    assert_string_equal(keyring_current(loaded, "oidc", now_sec)->kid, next);
    assert_int_equal(state_of(loaded, kid, now_sec), KEYS_RETIRED + 1);
}

static void a_withdrawn_audit_key_still_verifies(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    int64_t now_sec = start_sec + DAY;
    char kid[SIGN_KID_SIZE];
    char next[SIGN_KID_SIZE];
    struct err err = ERR_INIT;

    memcpy(kid, keyring_current(keyring, "audit", now_sec)->kid, sizeof(kid));
    assert_int_equal(keyring_withdraw(keyring, kid, now_sec, &err), 0);
    assert_int_equal(state_of(keyring, kid, now_sec), KEYS_RETIRED);
    assert_int_equal(keyring_withdraw(keyring, kid, now_sec, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_int_equal(keyring_rotate(keyring, "audit", now_sec + DAY, &err), 0);
    memcpy(next, keyring_current(keyring, "audit", now_sec + 2 * DAY)->kid, sizeof(next));
    assert_int_equal(state_of(keyring, next, now_sec + DAY), KEYS_NEXT);
    assert_int_equal(keyring_withdraw(keyring, next, now_sec + DAY, &err), 0);
    assert_int_equal(state_of(keyring, next, now_sec + 2 * DAY), KEYS_RETIRED + 1);
    assert_int_equal(state_of(keyring, kid, now_sec + 3 * DAY), KEYS_RETIRED);
}

static void a_key_that_is_not_on_disk_is_not_used(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    CLEANUP(secret_free_ptr) struct secret *key = secret_new(KEYS_DATA_LEN);
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    size_t generations = keyring->generation_count;
    int dir_fd = keyring->dir_fd;
    struct err err = ERR_INIT;

    keyring->dir_fd = -1; /* nothing can be written */
    assert_int_equal(keyring_rotate(keyring, "kek", start_sec + 60, &err), -1);
    assert_int_equal(keyring_rotate(keyring, "oidc", start_sec + 60, &err), -1);
    assert_int_equal(keyring_wrap(keyring, "api/a", key, &wrapped, &err), -1);
    assert_int_equal(keyring->kek_count, 1);
    assert_int_equal(keyring->generation_count, generations);
    keyring->dir_fd = dir_fd;
    assert_int_equal(keyring_wrap(keyring, "api/a", key, &wrapped, &err), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(signing_keys_overlap),
        TEST(after_a_long_sleep_a_key_is_still_published_before_it_signs),
        TEST(audit_keys_verify_for_ever_and_a_ca_for_its_leaves),
        TEST(a_kek_is_replaced_by_age_and_by_count_and_still_opens),
        TEST(the_count_of_wraps_never_falls_behind),
        TEST(rotation_on_demand_has_a_gap_and_one_next),
        TEST(nobody_fills_the_keyring_on_demand),
        TEST(a_withdrawn_key_is_gone_at_once),
        TEST(a_withdrawn_audit_key_still_verifies),
        TEST(a_key_that_is_not_on_disk_is_not_used),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("keyring rotation", tests, NULL, NULL);
}
