/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vault.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "keys/keys.h"
#include "log/log.h"
#include "oci/oci.h"
#include "store/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char collection[] = "agent/blobs";

enum { PIECE = 4 << 20, MARGIN_BYTES = 16 << 20 };

struct vault {
    struct role *role;
    int data_fd;
    int blobs_fd;
    struct secret *key;
    struct blob_store *blobs;
    char *clear_dir;
    struct job *job;
    /* What the job works on. */
    int fd; /* import: from; unseal: to */
    uint64_t size;
    bool has_expected;
    uint8_t digest[MODEL_DIGEST_LEN];
    uint64_t done_bytes;
    uint64_t began_ns;
    EVP_MD_CTX *hash;
    vault_done_fn *done;
    void *done_ctx;
};

/* ------------------------------------------------------------------ opening */

static int make_key(struct vault *vault, struct err *err)
{
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);

    TRY(keys_data_new(role_peer(vault->role, ROLE_KMS), collection, &vault->key, &wrapped, err));
    return fd_replace_file(vault->data_fd, "key", 0600, buf_span(&wrapped), true, err);
}

static int open_key(struct vault *vault, struct err *err)
{
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);

    if (fd_read_file(vault->data_fd, "key", &wrapped, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return make_key(vault, err);
    }
    return keys_data_open(role_peer(vault->role, ROLE_KMS), collection, buf_span(&wrapped),
                          &vault->key, err);
}

/* A killed agent may have left clear files. */
static int open_clear(struct vault *vault, struct err *err)
{
    vault->clear_dir = mem_printf("%s/models", role_own_run_dir(vault->role));
    TRY(oci_remove_tree(vault->clear_dir, err));
    return fd_make_dirs(vault->clear_dir, 0700, err);
}

int vault_open(struct role *role, struct vault **out, struct err *err)
{
    struct vault *vault = mem_new(sizeof(*vault));

    *vault = (struct vault){.role = role, .data_fd = -1, .blobs_fd = -1, .fd = -1};
    *out = vault;
    vault->data_fd = fd_open_dir(AT_FDCWD, role_data_dir(role), err);
    TRY(vault->data_fd);
    if (mkdirat(vault->data_fd, "blobs", 0700) < 0 && errno != EEXIST)
        return err_sys(err, "cannot make the folder of the sealed models");
    vault->blobs_fd = fd_open_dir(vault->data_fd, "blobs", err);
    TRY(vault->blobs_fd);
    TRY(open_key(vault, err));
    TRY(open_clear(vault, err));
    return blob_store_open(vault->blobs_fd, vault->key, 0, &vault->blobs, err);
}

static void end_work(struct vault *vault)
{
    fd_close(&vault->fd);
    EVP_MD_CTX_free(vault->hash);
    vault->hash = NULL;
    vault->job = NULL;
}

void vault_free(struct vault *vault)
{
    struct err err = ERR_INIT;

    if (vault == NULL)
        return;
    job_cancel(vault->job);
    end_work(vault);
    if (vault->clear_dir != NULL && oci_remove_tree(vault->clear_dir, &err) < 0)
        log_error("agent.models", &err);
    blob_store_free(vault->blobs);
    secret_free(vault->key);
    fd_close(&vault->blobs_fd);
    fd_close(&vault->data_fd);
    free(vault->clear_dir);
    free(vault);
}

bool vault_busy(const struct vault *vault)
{
    return vault->job != NULL;
}

unsigned vault_percent(const struct vault *vault)
{
    return vault->job != NULL ? job_percent(vault->job) : 100;
}

/* ------------------------------------------------------------------ import */

static void progress(struct vault *vault, struct job *job, size_t len)
{
    vault->done_bytes += len;
    job_set_percent(job, vault->size == 0 ? 0 : (unsigned)(vault->done_bytes * 100 / vault->size));
}

static int copy_in(struct vault *vault, struct job *job, struct blob_writer *writer,
                   struct err *err)
{
    CLEANUP_FREE uint8_t *piece = mem_new(PIECE);

    for (;;) {
        ssize_t got = read(vault->fd, piece, PIECE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "cannot read the model's file");
        if (got == 0)
            return 0;
        if (job_cancelled(job))
            return err_set(err, ERR_UNAVAILABLE, "the import was given up");
        TRY(blob_writer_put(writer, span_of(piece, (size_t)got), err));
        progress(vault, job, (size_t)got);
    }
}

static int run_import(struct job *job, void *ctx, struct err *err)
{
    struct vault *vault = ctx;
    CLEANUP(blob_writer_free_ptr) struct blob_writer *writer = NULL;
    struct blob_id id;

    TRY(blob_writer_new(vault->blobs, BLOB_SHA256, &writer, err));
    TRY(copy_in(vault, job, writer, err));
    TRY(blob_writer_finish(writer, vault->has_expected ? vault->digest : NULL, true, &id, err));
    memcpy(vault->digest, id.digest, sizeof(vault->digest));
    return 0;
}

static void on_done(void *ctx, const struct err *err)
{
    struct vault *vault = ctx;
    double ms = (double)(clock_mono_ns() - vault->began_ns) / 1e6;
    bool import = vault->hash == NULL;

    end_work(vault);
    if (err == NULL)
        log_say(LOG_INFO, import ? "agent.model.sealed" : "agent.model.unsealed",
                "%.0f MB in %.0f ms, %.0f MB/s", (double)vault->done_bytes / 1e6, ms,
                ms > 0 ? (double)vault->done_bytes / 1e3 / ms : 0);
    vault->done(vault->done_ctx, vault->digest, err);
}

static int begin(struct vault *vault, job_fn *run, vault_done_fn *done, void *ctx, struct err *err)
{
    vault->done = done;
    vault->done_ctx = ctx;
    vault->done_bytes = 0;
    vault->began_ns = clock_mono_ns();
    if (job_start(role_loop(vault->role), run, on_done, vault, &vault->job, err) == 0)
        return 0;
    end_work(vault);
    return -1;
}

int vault_import(struct vault *vault, int *fd, uint64_t size, const uint8_t *expected,
                 vault_done_fn *done, void *ctx, struct err *err)
{
    INVARIANT(!vault_busy(vault));
    vault->fd = fd_take(fd);
    vault->size = size;
    vault->has_expected = expected != NULL;
    if (expected != NULL)
        memcpy(vault->digest, expected, sizeof(vault->digest));
    return begin(vault, run_import, done, ctx, err);
}

/* ------------------------------------------------------------------ unseal */

struct unsealing {
    struct vault *vault;
    struct job *job;
};

static int take_piece(void *ctx, struct span piece, struct err *err)
{
    struct unsealing *unsealing = ctx;
    struct vault *vault = unsealing->vault;

    if (job_cancelled(unsealing->job))
        return err_set(err, ERR_UNAVAILABLE, "the unsealing was given up");
    TRY(fd_write_all(vault->fd, piece, "the model in memory", err));
    INVARIANT(EVP_DigestUpdate(vault->hash, piece.p, piece.len) == 1);
    progress(vault, unsealing->job, piece.len);
    return 0;
}

static int run_unseal(struct job *job, void *ctx, struct err *err)
{
    struct vault *vault = ctx;
    struct unsealing unsealing = {vault, job};
    CLEANUP(blob_free_ptr) struct blob *blob = NULL;
    CLEANUP_FREE char *path = vault_clear_path(vault, vault->digest);
    CLEANUP_FREE char *unfinished = mem_printf("%s.new", path);
    struct blob_id id = {.kind = BLOB_SHA256};
    uint8_t digest[EVP_MAX_MD_SIZE];

    memcpy(id.digest, vault->digest, sizeof(id.digest));
    TRY(blob_open(vault->blobs, &id, &blob, err));
    TRY(blob_read(blob, take_piece, &unsealing, err));
    INVARIANT(EVP_DigestFinal_ex(vault->hash, digest, NULL) == 1);
    if (memcmp(digest, vault->digest, MODEL_DIGEST_LEN) != 0)
        return err_set(err, ERR_CORRUPT, "the sealed model has another digest than its name");
    /* The engine's user, who is nobody on the host, reads it; the folder lets nobody else pass. */
    if (fchmod(vault->fd, 0444) < 0 || rename(unfinished, path) < 0)
        return err_sys(err, "cannot finish %s", path);
    return 0;
}

static int check_room(const struct vault *vault, struct err *err)
{
    struct statvfs fs;

    if (statvfs(vault->clear_dir, &fs) < 0)
        return err_sys(err, "cannot look at %s", vault->clear_dir);
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (free_bytes < vault->size + MARGIN_BYTES)
        return err_set(err, ERR_LIMITED,
                       "the model has %llu MiB and the memory of the run directory has %llu MiB "
                       "left; make that tmpfs larger or choose another run-dir",
                       (unsigned long long)vault->size >> 20, (unsigned long long)free_bytes >> 20);
    return 0;
}

static int open_target(struct vault *vault, struct err *err)
{
    CLEANUP_FREE char *path = vault_clear_path(vault, vault->digest);
    CLEANUP_FREE char *unfinished = mem_printf("%s.new", path);

    (void)unlink(unfinished);
    vault->fd = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (vault->fd < 0)
        return err_sys(err, "cannot make %s", unfinished);
    if (vault->size > 0 && fallocate(vault->fd, 0, 0, (off_t)vault->size) < 0 &&
        errno != EOPNOTSUPP)
        return err_set(err, ERR_LIMITED, "there is no memory for a model of %llu MiB: %s",
                       (unsigned long long)vault->size >> 20, strerror(errno));
    return 0;
}

int vault_unseal(struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN], vault_done_fn *done,
                 void *ctx, struct err *err)
{
    INVARIANT(!vault_busy(vault));
    memcpy(vault->digest, digest, sizeof(vault->digest));
    TRY(vault_has(vault, digest, &vault->size, err));
    TRY(check_room(vault, err));
    if (open_target(vault, err) < 0) {
        vault_clear_remove(vault, digest);
        end_work(vault);
        return -1;
    }
    vault->hash = EVP_MD_CTX_new();
    INVARIANT(vault->hash != NULL && EVP_DigestInit_ex(vault->hash, EVP_sha256(), NULL) == 1);
    return begin(vault, run_unseal, done, ctx, err);
}

/* ------------------------------------------------------------------ keeping */

int vault_has(struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN], uint64_t *out_size,
              struct err *err)
{
    CLEANUP(blob_free_ptr) struct blob *blob = NULL;
    struct blob_id id = {.kind = BLOB_SHA256};

    memcpy(id.digest, digest, sizeof(id.digest));
    TRY(blob_open(vault->blobs, &id, &blob, err));
    *out_size = blob_len(blob);
    return 0;
}

char *vault_clear_path(const struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN])
{
    char hex[2 * MODEL_DIGEST_LEN + 1];

    enc_hex(span_of(digest, MODEL_DIGEST_LEN), hex);
    return mem_printf("%s/%s", vault->clear_dir, hex);
}

void vault_clear_remove(struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN])
{
    CLEANUP_FREE char *path = vault_clear_path(vault, digest);
    CLEANUP_FREE char *unfinished = mem_printf("%s.new", path);

    (void)unlink(path);
    (void)unlink(unfinished);
}

void vault_blob_name(const struct vault *vault, const uint8_t digest[MODEL_DIGEST_LEN], char *text)
{
    struct blob_id id = {.kind = BLOB_SHA256};

    memcpy(id.digest, digest, sizeof(id.digest));
    blob_name(vault->blobs, &id, text);
}

static void dir_close(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

int vault_sweep(struct vault *vault, vault_wanted_fn *wanted, void *ctx, struct err *err)
{
    CLEANUP_FD int fd = openat(vault->blobs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(dir_close) DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    INVARIANT(!vault_busy(vault));
    if (dir == NULL)
        return err_sys(err, "cannot read the folder of the sealed models");
    fd = -1; /* the stream's now */
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || wanted(ctx, entry->d_name))
            continue;
        if (unlinkat(vault->blobs_fd, entry->d_name, 0) < 0)
            return err_sys(err, "cannot remove a sealed model");
    }
    return 0;
}
