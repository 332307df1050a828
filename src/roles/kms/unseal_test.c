/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "unseal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

struct dirs {
    char top[64];
    char data[96];
    char file[96];
};

static int setup(void **state)
{
    struct dirs *dirs = mem_new(sizeof(*dirs));
    struct err err = ERR_INIT;

    assert_int_equal(secret_heap_init(&err), 0);
    snprintf(dirs->top, sizeof(dirs->top), "/tmp/drun-unseal-XXXXXX");
    assert_non_null(mkdtemp(dirs->top));
    snprintf(dirs->data, sizeof(dirs->data), "%s/data", dirs->top);
    snprintf(dirs->file, sizeof(dirs->file), "%s/key", dirs->top);
    assert_int_equal(mkdir(dirs->data, 0700), 0);
    assert_int_equal(unseal_keyfile_make(dirs->file, &err), 0);
    *state = dirs;
    return 0;
}

static int teardown(void **state)
{
    struct dirs *dirs = *state;
    CLEANUP_FREE char *inside = mem_printf("%s/key", dirs->data);
    CLEANUP_FREE char *link = mem_printf("%s/link", dirs->top);

    unlink(inside);
    unlink(link);
    unlink(dirs->file);
    rmdir(dirs->data);
    rmdir(dirs->top);
    free(dirs);
    return 0;
}

static void refuse(const struct dirs *dirs, const char *path, enum err_code code, const char *why)
{
    struct secret *key = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(unseal_keyfile_read(path, dirs->data, &key, &err), -1);
    if (err.code != code || strstr(err.msg, why) == NULL)
        fail_msg("%s: %s", err_code_name(err.code), err.msg);
}

static void put(const struct dirs *dirs, struct span bytes)
{
    CLEANUP_FD int fd = open(dirs->file, O_WRONLY | O_TRUNC | O_CLOEXEC);
    struct err err = ERR_INIT;

    assert_int_equal(fd_write_all(fd, bytes, dirs->file, &err), 0);
}

static void a_key_file_gives_one_root_key_in_either_form(void **state)
{
    const struct dirs *dirs = *state;
    const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    uint8_t raw[32];
    struct secret *roots[3];
    struct err err = ERR_INIT;

    for (unsigned i = 0; i < sizeof(raw); i++)
        raw[i] = (uint8_t)i;
    struct span forms[] = {span_str(hex), span_of(hex, 64), span_of(raw, sizeof(raw))};
    for (int i = 0; i < 3; i++) {
        CLEANUP(secret_free_ptr) struct secret *key = NULL;
        put(dirs, forms[i]);
        assert_int_equal(unseal_keyfile_read(dirs->file, dirs->data, &key, &err), 0);
        assert_int_equal(unseal_keyfile.derive(key, span_str(""), &roots[i], &err), 0);
        assert_true(secret_equal(roots[0], roots[i]));
    }
    for (int i = 0; i < 3; i++)
        secret_free(roots[i]);
}

static void a_new_key_file_is_good_and_never_overwritten(void **state)
{
    const struct dirs *dirs = *state;
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(unseal_keyfile_read(dirs->file, dirs->data, &key, &err), 0);
    assert_int_equal(unseal_keyfile.check(key, &err), 0);
    assert_int_equal(unseal_keyfile_make(dirs->file, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
}

static void a_key_file_that_others_can_read_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0644, 0666, 0700, 0500, 0620, 04600, 0200};
    const struct dirs *dirs = *state;
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        assert_int_equal(chmod(dirs->file, modes[i]), 0);
        if (access(dirs->file, R_OK) == 0)
            refuse(dirs, dirs->file, ERR_DENIED, "mode");
    }
    assert_int_equal(chmod(dirs->file, 0400), 0);
    assert_int_equal(unseal_keyfile_read(dirs->file, dirs->data, &key, &err), 0);
}

static void a_key_file_in_the_data_or_behind_a_link_is_refused(void **state)
{
    const struct dirs *dirs = *state;
    CLEANUP_FREE char *inside = mem_printf("%s/key", dirs->data);
    CLEANUP_FREE char *link_path = mem_printf("%s/link", dirs->top);
    CLEANUP_FREE char *through = mem_printf("%s/link/key", dirs->top);
    CLEANUP_FREE char *dots = mem_printf("%s/data/../key", dirs->top);
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(symlink(dirs->file, link_path), 0);
    refuse(dirs, link_path, ERR_DENIED, "symbolic link");
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(unseal_keyfile_make(inside, &err), 0);
    refuse(dirs, inside, ERR_DENIED, "data directory");
    assert_int_equal(symlink(dirs->data, link_path), 0);
    refuse(dirs, through, ERR_DENIED, "data directory");
    assert_int_equal(unseal_keyfile_read(dots, dirs->data, &key, &err), 0);
    assert_int_equal(unlink(inside), 0);
    assert_int_equal(link(dirs->file, inside), 0);
    refuse(dirs, dirs->file, ERR_DENIED, "names");
}

static void what_is_no_file_or_no_key_is_refused(void **state)
{
    const struct dirs *dirs = *state;
    CLEANUP_FREE char *fifo = mem_printf("%s/link", dirs->top);
    CLEANUP_FREE char *none = mem_printf("%s/none", dirs->top);

    refuse(dirs, dirs->data, ERR_DENIED, "regular file");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refuse(dirs, fifo, ERR_DENIED, "regular file");
    refuse(dirs, none, ERR_NOT_FOUND, "none");
    put(dirs, span_str(""));
    refuse(dirs, dirs->file, ERR_INVALID, "neither");
    put(dirs, span_str("zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"));
    refuse(dirs, dirs->file, ERR_INVALID, "neither");
    put(dirs, span_str("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\n"));
    refuse(dirs, dirs->file, ERR_INVALID, "too long");
}

static void somebody_elses_key_file_is_refused(void **state)
{
    const struct dirs *dirs = *state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(dirs->file, 12345, 0), 0);
    refuse(dirs, dirs->file, ERR_DENIED, "uid 12345");
}

static void a_passphrase_needs_its_own_parameters(void **state UNUSED)
{
    CLEANUP(secret_free_ptr) struct secret *words = secret_copy(span_str("correct horse battery"));
    CLEANUP(buf_free) struct buf params = BUF_INIT(UNSEAL_PARAMS_MAX);
    struct secret *root = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(unseal_passphrase.put_params(&params, &err), 0);
    for (size_t len = 0; len < params.len; len++) {
        struct span cut = span_of(params.data, len);
        assert_int_equal(unseal_passphrase.derive(words, cut, &root, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    params.data[3] = 0x7f; /* two tebibytes */
    assert_int_equal(unseal_passphrase.derive(words, buf_span(&params), &root, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(unseal_keyfile.derive(words, buf_span(&params), &root, &err), -1);
    assert_ptr_equal(unseal_by_name("keyfile"), &unseal_keyfile);
    assert_ptr_equal(unseal_by_id(unseal_passphrase.id), &unseal_passphrase);
    assert_null(unseal_by_name("moon"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_key_file_gives_one_root_key_in_either_form),
        TEST(a_new_key_file_is_good_and_never_overwritten),
        TEST(a_key_file_that_others_can_read_is_refused),
        TEST(a_key_file_in_the_data_or_behind_a_link_is_refused),
        TEST(what_is_no_file_or_no_key_is_refused),
        TEST(somebody_elses_key_file_is_refused),
        TEST(a_passphrase_needs_its_own_parameters),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("unseal", tests, NULL, NULL);
}
