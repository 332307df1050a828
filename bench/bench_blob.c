/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed blobs against AES-256-GCM alone, both over the same bytes in the same run. OpenSSL seals
 * in messages of 1 MiB: a buffer in memory, and from a file into a file. A blob is written from a
 * file and read from a file. All files are in the page cache, the best of ROUNDS counts, and the
 * last column compares with AES-256-GCM from file to file. Arguments: MiB (256), directory (/tmp).
 */
#include "store/blob.h"
#include "store/gcm.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>

enum { ROUNDS = 15, MIB = 1024 * 1024 };

struct bench {
    size_t bytes;
    char dir[128];
    int dir_fd;
    int plain_fd;
    uint8_t *buffer;
    struct secret *key;
    struct blob_store *blobs;
};

typedef int bench_fn(struct bench *bench, struct err *err);

static int raw(struct bench *bench, struct err *err UNUSED)
{
    const uint8_t nonce[CRYPTO_NONCE_LEN] = {0};
    uint8_t tag[CRYPTO_TAG_LEN];
    struct gcm *gcm = gcm_new(bench->key, true);

    for (size_t at = 0; at < bench->bytes; at += MIB) {
        gcm_begin(gcm, nonce, span_of(nonce, 9));
        gcm_update(gcm, bench->buffer + at, MIB);
        gcm_seal_end(gcm, tag);
    }
    gcm_free(gcm);
    return 0;
}

static int raw_hot(struct bench *bench, struct err *err UNUSED)
{
    const uint8_t nonce[CRYPTO_NONCE_LEN] = {0};
    uint8_t tag[CRYPTO_TAG_LEN];
    struct gcm *gcm = gcm_new(bench->key, true);

    for (size_t at = 0; at < bench->bytes; at += MIB) {
        gcm_begin(gcm, nonce, span_of(nonce, 9));
        gcm_update(gcm, bench->buffer, MIB);
        gcm_seal_end(gcm, tag);
    }
    gcm_free(gcm);
    return 0;
}

static int copy(struct bench *bench, struct err *err)
{
    CLEANUP_FD int fd = openat(bench->dir_fd, "copy", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t got;

    if (lseek(bench->plain_fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot rewind");
    while ((got = read(bench->plain_fd, bench->buffer, MIB)) > 0)
        TRY(fd_write_all(fd, span_of(bench->buffer, (size_t)got), "a copy", err));
    return 0;
}

/* What a program does that seals a file and no more: read, seal, write. */
static int raw_file(struct bench *bench, struct err *err)
{
    const uint8_t nonce[CRYPTO_NONCE_LEN] = {0};
    uint8_t tag[CRYPTO_TAG_LEN];
    CLEANUP_FD int fd = openat(bench->dir_fd, "copy", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct gcm *gcm = gcm_new(bench->key, true);
    int result = lseek(bench->plain_fd, 0, SEEK_SET) < 0 ? err_sys(err, "cannot rewind") : 0;
    ssize_t got = 0;

    while (result == 0 && (got = read(bench->plain_fd, bench->buffer, MIB)) > 0) {
        gcm_begin(gcm, nonce, span_of(nonce, 9));
        gcm_update(gcm, bench->buffer, (size_t)got);
        gcm_seal_end(gcm, tag);
        result = fd_write_all(fd, span_of(bench->buffer, (size_t)got), "a sealed file", err);
    }
    gcm_free(gcm);
    return result;
}

static int write_blob(struct bench *bench, enum blob_kind kind, struct blob_id *id, struct err *err)
{
    CLEANUP(blob_writer_free_ptr) struct blob_writer *writer = NULL;

    if (lseek(bench->plain_fd, 0, SEEK_SET) < 0)
        return err_sys(err, "cannot rewind");
    TRY(blob_writer_new(bench->blobs, kind, &writer, err));
    TRY(blob_writer_put_fd(writer, bench->plain_fd, err));
    return blob_writer_finish(writer, NULL, false, id, err);
}

static struct blob_id last_id;

static int forget_last(struct bench *bench, struct err *err)
{
    return last_id.kind == 0 ? 0 : blob_remove(bench->blobs, &last_id, err);
}

static int write_root(struct bench *bench, struct err *err)
{
    return write_blob(bench, BLOB_ROOT, &last_id, err);
}

static int write_sha256(struct bench *bench, struct err *err)
{
    return write_blob(bench, BLOB_SHA256, &last_id, err);
}

static int no_piece(void *ctx UNUSED, struct span piece UNUSED, struct err *err UNUSED)
{
    return 0;
}

static int read_callback(struct bench *bench, struct err *err)
{
    CLEANUP(blob_free_ptr) struct blob *blob = NULL;

    TRY(blob_open(bench->blobs, &last_id, &blob, err));
    return blob_read(blob, no_piece, NULL, err);
}

static int read_to_file(struct bench *bench, struct err *err)
{
    CLEANUP(blob_free_ptr) struct blob *blob = NULL;
    CLEANUP_FD int fd = openat(bench->dir_fd, "copy", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    TRY(blob_open(bench->blobs, &last_id, &blob, err));
    return blob_read_fd(blob, fd, err);
}

static int make_last(struct bench *bench, struct err *err)
{
    return last_id.kind == BLOB_ROOT ? 0 : write_root(bench, err);
}

/* The first is what the others are compared with. */
static struct line {
    const char *name;
    bench_fn *before;
    bench_fn *fn;
    uint64_t best_ns;
    uint64_t best_cpu_ns;
} lines[] = {
    {"AES-256-GCM in memory", NULL, raw},
    {"AES-256-GCM, one hot MiB", NULL, raw_hot},
    {"copy of a file, nothing sealed", NULL, copy},
    {"AES-256-GCM, file to file", NULL, raw_file},
    {"blob write with SHA-256", forget_last, write_sha256},
    {"blob write", forget_last, write_root},
    {"blob read, verified", make_last, read_callback},
    {"blob read into a file", make_last, read_to_file},
};

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int run_line(struct bench *bench, struct line *line, struct err *err)
{
    if (line->before != NULL)
        TRY(line->before(bench, err));
    uint64_t cpu = cpu_ns();
    uint64_t start = clock_mono_ns();
    TRY(line->fn(bench, err));
    uint64_t ns = clock_mono_ns() - start;
    cpu = cpu_ns() - cpu;
    line->best_ns = line->best_ns == 0 ? ns : NUM_MIN(line->best_ns, ns);
    line->best_cpu_ns = line->best_cpu_ns == 0 ? cpu : NUM_MIN(line->best_cpu_ns, cpu);
    return 0;
}

static int run_all(struct bench *bench, struct err *err)
{
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < ARRAY_LEN(lines); i++)
            TRY(run_line(bench, &lines[i], err));
    return 0;
}

static void print_all(const struct bench *bench)
{
    uint64_t file_ns = 0;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (lines[i].fn == raw_file)
            file_ns = lines[i].best_ns;
    printf("blob of %5zu MiB                  GB/s  ratio  of CPU time  to file\n",
           bench->bytes / MIB);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        printf("%-32s  %5.2f   %.2f   %.2f         %.2f\n", lines[i].name,
               (double)bench->bytes / (double)lines[i].best_ns,
               (double)lines[0].best_ns / (double)lines[i].best_ns,
               (double)lines[0].best_cpu_ns / (double)lines[i].best_cpu_ns,
               (double)file_ns / (double)lines[i].best_ns);
}

static int setup(struct bench *bench, int argc, char **argv, struct err *err)
{
    uint64_t mib = 256;

    if (argc > 1)
        TRY(num_parse_u64(span_str(argv[1]), 1, 65536, "MiB", &mib, err));
    bench->bytes = mib * MIB;
    snprintf(bench->dir, sizeof(bench->dir), "%s/drun-bench-XXXXXX", argc > 2 ? argv[2] : "/tmp");
    if (mkdtemp(bench->dir) == NULL)
        return err_sys(err, "cannot make %s", bench->dir);
    bench->dir_fd = fd_open_dir(AT_FDCWD, bench->dir, err);
    TRY(bench->dir_fd);
    TRY(secret_heap_init(err));
    TRY(secret_random(CRYPTO_KEY_LEN, &bench->key, err));
    TRY(blob_store_open(bench->dir_fd, bench->key, 0, &bench->blobs, err));
    bench->buffer = mem_new(bench->bytes);
    memset(bench->buffer, 0x5a, bench->bytes);
    bench->plain_fd = openat(bench->dir_fd, "plain", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd_write_all(bench->plain_fd, span_of(bench->buffer, bench->bytes), "the plain file",
                        err);
}

static void cleanup(struct bench *bench)
{
    struct err ignored = ERR_INIT;

    (void)!blob_remove(bench->blobs, &last_id, &ignored);
    unlinkat(bench->dir_fd, "plain", 0);
    unlinkat(bench->dir_fd, "copy", 0);
    rmdir(bench->dir);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    struct err err = ERR_INIT;

    int result = setup(&bench, argc, argv, &err);
    if (result == 0)
        result = run_all(&bench, &err);
    if (result < 0)
        fprintf(stderr, "%s\n", err.msg);
    else
        print_all(&bench);
    cleanup(&bench);
    return result < 0;
}
