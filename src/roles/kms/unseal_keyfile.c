/* SPDX-License-Identifier: Apache-2.0 */
#include "unseal.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_LEN = 32, FILE_MAX = 2 * KEY_LEN + 1 };

/* 32 bytes, or 64 hex digits with or without a line end. */
static int normalize(struct span text, struct secret **out, struct err *err)
{
    uint8_t key[KEY_LEN];

    if (text.len == KEY_LEN) {
        *out = secret_copy(text);
        return 0;
    }
    if (text.len == 2 * KEY_LEN + 1 && text.p[text.len - 1] == '\n')
        text.len--;
    if (enc_unhex(text, key, sizeof(key), err) < 0)
        return err_set(err, ERR_INVALID, "the key file holds neither %d bytes nor %d hex digits",
                       KEY_LEN, 2 * KEY_LEN);
    *out = secret_copy(span_of(key, sizeof(key)));
    mem_wipe(key, sizeof(key));
    return 0;
}

static int keyfile_check(const struct secret *material, struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *key = NULL;

    return normalize(secret_span(material), &key, err);
}

static int keyfile_put_params(struct buf *params UNUSED, struct err *err UNUSED)
{
    return 0;
}

static int keyfile_derive(const struct secret *material, struct span params,
                          struct secret **out_root, struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *key = NULL;

    if (params.len > 0)
        return err_set(err, ERR_CORRUPT, "the keyring's header has parameters for a key file");
    TRY(normalize(secret_span(material), &key, err));
    return crypto_derive(key, "drun keyring root", UNSEAL_ROOT_LEN, out_root, err);
}

const struct unseal_provider unseal_keyfile = {
    .id = 2,
    .name = "keyfile",
    .check = keyfile_check,
    .put_params = keyfile_put_params,
    .derive = keyfile_derive,
};

static int check_file(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at the key file %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_DENIED, "the key file %s is not a regular file", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return err_set(err, ERR_DENIED, "the key file %s belongs to uid %u, not to root or to us",
                       path, st.st_uid);
    if ((st.st_mode & 07777) != 0600 && (st.st_mode & 07777) != 0400)
        return err_set(err, ERR_DENIED, "the key file %s has mode %04o; set 0600 or 0400", path,
                       st.st_mode & 07777U);
    if (st.st_nlink != 1)
        return err_set(err, ERR_DENIED, "the key file %s has %lu names; leave one", path,
                       (unsigned long)st.st_nlink);
    return 0;
}

/* Walks up from the file's directory, so that neither links nor mounts in the path deceive. */
static int check_outside(const char *path, const char *data_dir, struct err *err)
{
    CLEANUP_FREE char *dir = mem_strdup(path);
    struct stat data;
    struct stat here;
    struct stat last = {0};
    char *slash = strrchr(dir, '/');

    if (slash != NULL)
        slash[slash == dir ? 1 : 0] = '\0';
    CLEANUP_FD int fd = open(slash == NULL ? "." : dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || stat(data_dir, &data) < 0)
        return err_sys(err, "cannot compare the places of %s and %s", path, data_dir);
    for (;;) {
        if (fstat(fd, &here) < 0)
            return err_sys(err, "cannot look above %s", path);
        if (here.st_dev == data.st_dev && here.st_ino == data.st_ino)
            return err_set(err, ERR_DENIED,
                           "the key file %s lies in the data directory %s; keep it elsewhere", path,
                           data_dir);
        if (here.st_dev == last.st_dev && here.st_ino == last.st_ino)
            return 0;
        last = here;
        int above = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (above < 0)
            return err_sys(err, "cannot look above %s", path);
        fd_close(&fd);
        fd = above;
    }
}

int unseal_keyfile_read(const char *path, const char *data_dir, struct secret **out,
                        struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(FILE_MAX);
    /* Not to wait for the writer of a FIFO. */
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ELOOP)
        return err_set(err, ERR_DENIED, "the key file %s is a symbolic link", path);
    if (fd < 0)
        return err_sys(err, "cannot open the key file %s", path);
    TRY(check_file(fd, path, err));
    TRY(check_outside(path, data_dir, err));
    if (fd_read_all(fd, path, &text, err) < 0)
        return err->code == ERR_TOO_LARGE
                   ? err_set(err, ERR_INVALID, "the key file %s is too long", path)
                   : -1;
    if (normalize(buf_span(&text), out, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

int unseal_keyfile_make(const char *path, struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(FILE_MAX);

    TRY(secret_random(KEY_LEN, &key, err));
    enc_hex_put(secret_span(key), &text);
    buf_put_u8(&text, '\n');
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, "cannot make the key file %s", path);
    TRY(fd_write_all(fd, buf_span(&text), path, err));
    if (fsync(fd) < 0)
        return err_sys(err, "cannot make the key file %s durable", path);
    return 0;
}
