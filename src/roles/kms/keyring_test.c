/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "kms_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

static void what_was_wrapped_opens_after_a_restart(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *made = fixture_create(fixture, start_sec);
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(secret_random(KEYS_DATA_LEN, &key, &err), 0);
    assert_int_equal(keyring_wrap(made, "api/pods", key, &wrapped, &err), 0);
    assert_int_equal(keys_wrapped_version(buf_span(&wrapped)), 1);
    CLEANUP(keyring_free_ptr) struct keyring *loaded = fixture_load(fixture);
    assert_unwraps(loaded, "api/pods", &wrapped, key);
    assert_int_equal(loaded->generation_count, made->generation_count);
    for (size_t i = 0; i < made->generation_count; i++)
        assert_string_equal(loaded->generations[i].kid, made->generations[i].kid);
}

static void a_wrapped_key_is_bound_to_its_collection_and_instance(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);
    struct secret *opened = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(secret_random(KEYS_DATA_LEN, &key, &err), 0);
    assert_int_equal(keyring_wrap(keyring, "idp/users", key, &wrapped, &err), 0);
    struct span whole = buf_span(&wrapped);
    assert_int_equal(keyring_unwrap(keyring, "idp/user", whole, &opened, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    keyring->header.instance[0] ^= 1;
    assert_int_equal(keyring_unwrap(keyring, "idp/users", whole, &opened, &err), -1);
    keyring->header.instance[0] ^= 1;
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(keyring_unwrap(keyring, "idp/users", span_of(whole.p, len), &opened, &err),
                         -1);
    for (size_t i = 0; i < whole.len; i++) {
        wrapped.data[i] ^= 0x80;
        assert_int_equal(keyring_unwrap(keyring, "idp/users", whole, &opened, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
        wrapped.data[i] ^= 0x80;
    }
    assert_unwraps(keyring, "idp/users", &wrapped, key);
}

static void refuse_load(struct fixture *fixture, const struct keyring_place *place,
                        const struct secret *material, enum err_code code)
{
    struct keyring *keyring = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(keyring_load(place, material, &keyring, &err), -1);
    if (err.code != code)
        fail_msg("%s instead of %s: %s", err_code_name(err.code), err_code_name(code), err.msg);
    (void)fixture;
}

static void a_wrong_key_and_another_instance_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    const struct keyring_place other = {fixture->dir_fd, "instance-2"};
    CLEANUP(secret_free_ptr) struct secret *wrong = NULL;
    struct err err = ERR_INIT;

    refuse_load(fixture, &fixture->place, fixture->material, ERR_NOT_FOUND);
    keyring_free(fixture_create(fixture, start_sec));
    assert_int_equal(secret_random(32, &wrong, &err), 0);
    refuse_load(fixture, &fixture->place, wrong, ERR_DENIED);
    refuse_load(fixture, &other, fixture->material, ERR_INVALID);
}

static void a_passphrase_opens_what_it_sealed(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(secret_free_ptr) struct secret *words = secret_copy(span_str("nine blue whales dance"));
    CLEANUP(secret_free_ptr) struct secret *wrong = secret_copy(span_str("nine blue whales dancf"));
    CLEANUP(secret_free_ptr) struct secret *few = secret_copy(span_str("whale"));
    CLEANUP(keyring_free_ptr) struct keyring *keyring = NULL;
    const struct unseal_provider *provider = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(
        keyring_create(&fixture->place, &unseal_passphrase, few, start_sec, &keyring, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(
        keyring_create(&fixture->place, &unseal_passphrase, words, start_sec, &keyring, &err), 0);
    keyring_free(keyring);
    keyring = NULL;
    assert_int_equal(keyring_provider(&fixture->place, &provider, &err), 0);
    assert_ptr_equal(provider, &unseal_passphrase);
    refuse_load(fixture, &fixture->place, wrong, ERR_DENIED);
    assert_int_equal(keyring_load(&fixture->place, words, &keyring, &err), 0);
}

static void an_existing_keyring_is_never_overwritten(void **state)
{
    struct fixture *fixture = *state;
    struct keyring *keyring = NULL;
    struct err err = ERR_INIT;

    keyring_free(fixture_create(fixture, start_sec));
    assert_int_equal(keyring_create(&fixture->place, &unseal_keyfile, fixture->material, start_sec,
                                    &keyring, &err),
                     -1);
    assert_int_equal(err.code, ERR_EXISTS);
}

static void put_file(struct fixture *fixture, struct span bytes)
{
    struct err err = ERR_INIT;

    assert_int_equal(fd_replace_file(fixture->dir_fd, "keyring", 0600, bytes, false, &err), 0);
}

static void every_damage_is_called_damage(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(buf_free) struct buf file = BUF_INIT(KEYRING_FILE_MAX);
    struct keyring_header header;
    struct span aad;
    struct span body;
    struct err err = ERR_INIT;

    keyring_free(fixture_create(fixture, start_sec));
    assert_int_equal(fd_read_file(fixture->dir_fd, "keyring", &file, &err), 0);
    assert_int_equal(keyring_get_header(buf_span(&file), &header, &aad, &body, &err), 0);
    for (size_t i = 0; i < file.len; i += i < aad.len ? 1 : 37) {
        file.data[i] ^= 0x10;
        put_file(fixture, buf_span(&file));
        refuse_load(fixture, &fixture->place, fixture->material, ERR_CORRUPT);
        file.data[i] ^= 0x10;
    }
    for (size_t len = 0; len < file.len; len += len < aad.len ? 7 : 101) {
        put_file(fixture, span_of(file.data, len));
        refuse_load(fixture, &fixture->place, fixture->material, ERR_CORRUPT);
    }
    buf_put_u8(&file, 0);
    put_file(fixture, buf_span(&file));
    refuse_load(fixture, &fixture->place, fixture->material, ERR_CORRUPT);
    put_file(fixture, span_of(file.data, file.len - 1));
    keyring_free(fixture_load(fixture));
}

static void a_header_that_was_rewritten_breaks_the_seal(void **state)
{
    struct fixture *fixture = *state;
    const struct keyring_place other = {fixture->dir_fd, "instance-2"};
    CLEANUP(buf_free) struct buf file = BUF_INIT(KEYRING_FILE_MAX);
    CLEANUP(buf_free) struct buf forged = BUF_INIT(KEYRING_FILE_MAX);
    struct keyring_header header;
    struct span aad;
    struct span body;
    struct err err = ERR_INIT;

    keyring_free(fixture_create(fixture, start_sec));
    assert_int_equal(fd_read_file(fixture->dir_fd, "keyring", &file, &err), 0);
    assert_int_equal(keyring_get_header(buf_span(&file), &header, &aad, &body, &err), 0);
    memcpy(header.instance, other.instance, strlen(other.instance));
    keyring_put_header(&header, &forged);
    buf_put_span(&forged, body);
    put_file(fixture, buf_span(&forged));
    refuse_load(fixture, &other, fixture->material, ERR_CORRUPT);
}

static void the_file_shows_no_key_and_nobody_else_may_read_it(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(keyring_free_ptr) struct keyring *keyring = fixture_create(fixture, start_sec);
    CLEANUP(buf_free) struct buf file = BUF_INIT(KEYRING_FILE_MAX);
    CLEANUP(buf_free) struct buf body = BUF_INIT(KEYRING_FILE_MAX);
    struct span kek = secret_span(keyring->keks[0].key);
    struct stat st;
    struct err err = ERR_INIT;

    assert_int_equal(fstatat(fixture->dir_fd, "keyring", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fd_read_file(fixture->dir_fd, "keyring", &file, &err), 0);
    keyring_put_body(keyring, &body);
    assert_null(memmem(file.data, file.len, kek.p, kek.len));
    assert_null(memmem(body.data, body.len, kek.p, kek.len));
    assert_non_null(memmem(body.data, body.len, "oidc-rs256", 10));
    assert_null(memmem(file.data, file.len, "oidc-rs256", 10));
}

/* ------------------------------------------------------------------ rotation */

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
        TEST(what_was_wrapped_opens_after_a_restart),
        TEST(a_wrapped_key_is_bound_to_its_collection_and_instance),
        TEST(a_wrong_key_and_another_instance_are_told_apart),
        TEST(a_passphrase_opens_what_it_sealed),
        TEST(an_existing_keyring_is_never_overwritten),
        TEST(every_damage_is_called_damage),
        TEST(a_header_that_was_rewritten_breaks_the_seal),
        TEST(the_file_shows_no_key_and_nobody_else_may_read_it),
        TEST(signing_keys_overlap),
        TEST(after_a_long_sleep_a_key_is_still_published_before_it_signs),
        TEST(audit_keys_verify_for_ever_and_a_ca_for_its_leaves),
        TEST(a_kek_is_replaced_by_age_and_by_count_and_still_opens),
        TEST(the_count_of_wraps_never_falls_behind),
        TEST(rotation_on_demand_has_a_gap_and_one_next),
        TEST(a_key_that_is_not_on_disk_is_not_used),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
