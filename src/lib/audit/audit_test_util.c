/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_test_util.h"

#include "base/fd.h"
#include "base/mem.h"
#include "crypto/crypto.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

static int make_key(void *ctx, struct secret **out, struct buf *wrapped, struct err *err)
{
    struct test_keys *keys = ctx;

    if (keys->away)
        return err_set(err, ERR_UNAVAILABLE, "kms is sealed");
    TRY(secret_random(CRYPTO_KEY_LEN, out, err));
    return crypto_seal(keys->wrapper, span_str("wrap"), secret_span(*out), wrapped, err);
}

static int open_key(void *ctx, struct span wrapped, struct secret **out, struct err *err)
{
    struct test_keys *keys = ctx;
    CLEANUP(buf_free_wiped) struct buf plain = BUF_INIT(CRYPTO_KEY_LEN);

    if (keys->away)
        return err_set(err, ERR_UNAVAILABLE, "kms is sealed");
    TRY(crypto_open(keys->wrapper, span_str("wrap"), wrapped, &plain, err));
    *out = secret_copy(buf_span(&plain));
    return 0;
}

static int sign_note(void *ctx, struct span text, uint8_t public[NOTE_PUBLIC_LEN],
                     uint8_t sig[NOTE_SIG_LEN], struct err *err)
{
    struct test_keys *keys = ctx;
    CLEANUP(buf_free) struct buf out = BUF_INIT(NOTE_SIG_LEN);

    if (keys->away)
        return err_set(err, ERR_UNAVAILABLE, "kms is sealed");
    TRY(sign_data(keys->signer, text, &out, err));
    memcpy(sig, out.data, NOTE_SIG_LEN);
    memcpy(public, keys->public, NOTE_PUBLIC_LEN);
    return 0;
}

void test_keys_init(struct test_keys *keys)
{
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct err err = ERR_INIT;

    *keys = (struct test_keys){0};
    INVARIANT(sign_key_generate(SIGN_EDDSA, &keys->signer, &err) == 0);
    INVARIANT(sign_key_to_spki(keys->signer, &spki, &err) == 0);
    memcpy(keys->public, spki.data + spki.len - NOTE_PUBLIC_LEN, NOTE_PUBLIC_LEN);
    INVARIANT(secret_random(CRYPTO_KEY_LEN, &keys->wrapper, &err) == 0);
    INVARIANT(note_key_init(&keys->signers.key[0], TEST_ORIGIN, keys->public, &err) == 0);
    keys->signers.count = 1;
}

void test_keys_free(struct test_keys *keys)
{
    sign_key_free(keys->signer);
    secret_free(keys->wrapper);
}

struct audit_log_config test_config(struct test_keys *keys)
{
    return (struct audit_log_config){
        .origin = TEST_ORIGIN,
        .signers = &keys->signers,
        .keys = {.ctx = keys, .make = make_key, .open = open_key, .sign = sign_note},
    };
}

void test_dir_make(char path[64])
{
    const char *base = getenv("DRUN_TEST_DIR");

    snprintf(path, 64, "%.40s/drun-audit-XXXXXX", base != NULL ? base : "/tmp");
    INVARIANT(mkdtemp(path) != NULL);
}

int test_dir_fd(const char *path)
{
    struct err err = ERR_INIT;
    int fd = fd_open_dir(AT_FDCWD, path, &err);

    INVARIANT(fd >= 0);
    return fd;
}

typedef void each_fn(int dir_fd, const char *name, int to_fd);

static void each_file(const char *path, each_fn *fn, int to_fd)
{
    DIR *dir = opendir(path);

    INVARIANT(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            fn(dirfd(dir), entry->d_name, to_fd);
    closedir(dir);
}

static void remove_one(int dir_fd, const char *name, int to_fd UNUSED)
{
    INVARIANT(unlinkat(dir_fd, name, 0) == 0);
}

void test_dir_remove(const char *path)
{
    each_file(path, remove_one, -1);
    INVARIANT(rmdir(path) == 0);
}

static void copy_one(int dir_fd, const char *name, int to_fd)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(1 << 28);
    struct err err = ERR_INIT;

    INVARIANT(fd_read_file(dir_fd, name, &bytes, &err) == 0);
    INVARIANT(fd_replace_file(to_fd, name, 0600, buf_span(&bytes), false, &err) == 0);
}

void test_dir_copy(const char *from, const char *to)
{
    CLEANUP_FD int to_fd = test_dir_fd(to);

    each_file(from, copy_one, to_fd);
}

struct audit_event test_event(uint64_t number, char room[32])
{
    snprintf(room, 32, "pod-%llu", (unsigned long long)number);
    return (struct audit_event){
        .time_ns = 1795343924000000000ULL + number * 1000000,
        .event = span_str(number % 3 == 0 ? AUDIT_LOGIN : AUDIT_API_REQUEST),
        .role = span_str("api"),
        .outcome = number % 5 == 0 ? AUDIT_DENIED : AUDIT_SUCCESS,
        .status = number % 5 == 0 ? 403 : 200,
        .actor = {.name = span_str(number % 2 == 0 ? "alice" : "bob"),
                  .uid = span_str("5b0c1c1e-8a0e-4c52-9c6f-6a9ad5ab7a10"),
                  .source = AUDIT_SOURCE_APIKEY,
                  .key_id = span_str("k-7f3a9c")},
        .action = {.verb = span_str("create"),
                   .resource = span_str("pods"),
                   .namespace = span_str("tenant-a"),
                   .name = span_str(room)},
        .address = span_str("192.0.2.7"),
        .user_agent = span_str("kubectl/v1.30.0 (linux/amd64)"),
        .request_id = span_str("0b9e2c0b4d6f4a7f"),
        .duration_ns = 1234567,
    };
}

struct audit_log *test_log(const char *path, const struct audit_log_config *config)
{
    CLEANUP_FD int fd = test_dir_fd(path);
    struct audit_log *log = NULL;
    struct err err = ERR_INIT;

    if (audit_log_open(&fd, config, &log, &err) < 0)
        err_bug(__FILE__, __LINE__, err.msg);
    return log;
}

void test_append(struct audit_log *log, uint64_t from, size_t count)
{
    CLEANUP_FREE struct audit_event *events = mem_new_array(count, sizeof(*events));
    CLEANUP_FREE char(*rooms)[32] = mem_new_array(count, 32);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < count; i++)
        events[i] = test_event(from + i, rooms[i]);
    if (audit_log_append(log, events, count, NULL, &err) < 0)
        err_bug(__FILE__, __LINE__, err.msg);
}
