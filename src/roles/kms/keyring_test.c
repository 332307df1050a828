/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "kms_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

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
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
