/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a blob: into a file under another name, which gets its own when all is there. Two chunks
 * are under way: one is filled while the other goes to the file in the second lane. Hashing is the
 * slowest step; with it the sealing goes to the second lane as well.
 */
#include "store/blob_internal.h"
#include "store/blob_lane.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>

struct blob_writer {
    struct blob_store *blobs;
    struct blob_header header;
    int fd;
    char temporary[32];
    struct gcm *gcm;
    EVP_MD_CTX *content; /* SHA-256 of the plaintext; NULL for BLOB_ROOT */
    EVP_MD_CTX *root;    /* SHA-256 of salt and tags */
    struct blob_lane *lane;
    struct part {
        uint8_t *chunk; /* and room for its tag */
        size_t used;
    } parts[2];
    struct part *part; /* the one that is being filled */
    uint64_t number;   /* of the next chunk to be sealed */
};

static EVP_MD_CTX *digest_new(void)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    INVARIANT(md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
    return md;
}

static void digest_put(EVP_MD_CTX *md, const void *data, size_t len)
{
    INVARIANT(EVP_DigestUpdate(md, data, len) == 1);
}

static void digest_end(EVP_MD_CTX *md, uint8_t out[BLOB_DIGEST_LEN])
{
    INVARIANT(EVP_DigestFinal_ex(md, out, NULL) == 1);
}

static void seal_part(struct blob_writer *writer, struct part *part)
{
    bool last = part->used < writer->header.chunk_len;
    uint8_t *tag = part->chunk + part->used;

    blob_chunk_begin(writer->gcm, writer->number++, last);
    gcm_update(writer->gcm, part->chunk, part->used);
    gcm_seal_end(writer->gcm, tag);
    digest_put(writer->root, tag, CRYPTO_TAG_LEN);
}

static int write_part(void *ctx, size_t job, struct err *err)
{
    struct blob_writer *writer = ctx;
    struct part *part = &writer->parts[job];

    if (writer->content != NULL)
        seal_part(writer, part);
    return fd_write_all(writer->fd, span_of(part->chunk, part->used + CRYPTO_TAG_LEN), "a blob",
                        err);
}

static int hand_over(struct blob_writer *writer, struct err *err)
{
    size_t job = (size_t)(writer->part - writer->parts);

    if (writer->content == NULL)
        seal_part(writer, writer->part);
    /* The other part is free once this one is on its way. */
    TRY(blob_lane_run(writer->lane, job, err));
    writer->part = &writer->parts[1 - job];
    writer->part->used = 0;
    return 0;
}

static int make_file(struct blob_writer *writer, struct err *err)
{
    uint8_t random[8];
    char hex[2 * sizeof(random) + 1];

    TRY(crypto_random(random, sizeof(random), err));
    enc_hex(span_of(random, sizeof(random)), hex);
    snprintf(writer->temporary, sizeof(writer->temporary), ".new-%s", hex);
    writer->fd = openat(writer->blobs->dir_fd, writer->temporary,
                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (writer->fd < 0) {
        writer->temporary[0] = '\0';
        return err_sys(err, "cannot make a blob");
    }
    /* The header is written last, when length and digest are known. */
    if (lseek(writer->fd, BLOB_HEADER_LEN, SEEK_SET) < 0)
        return err_sys(err, "cannot make a blob");
    return 0;
}

int blob_writer_new(struct blob_store *blobs, enum blob_kind kind, struct blob_writer **out,
                    struct err *err)
{
    CLEANUP(blob_writer_free_ptr) struct blob_writer *writer = mem_new(sizeof(*writer));
    CLEANUP(secret_free_ptr) struct secret *key = NULL;

    writer->blobs = blobs;
    writer->fd = -1;
    writer->header.chunk_len = blobs->chunk_len;
    writer->header.id.kind = kind;
    TRY(crypto_random(writer->header.salt, BLOB_SALT_LEN, err));
    TRY(blob_derive(blobs, writer->header.salt, "chunks", &key, err));
    writer->gcm = gcm_new(key, true);
    for (size_t i = 0; i < ARRAY_LEN(writer->parts); i++)
        writer->parts[i].chunk = mem_new(blobs->chunk_len + CRYPTO_TAG_LEN);
    writer->part = writer->parts;
    writer->lane = blob_lane_new(write_part, writer);
    writer->content = kind == BLOB_SHA256 ? digest_new() : NULL;
    writer->root = digest_new();
    digest_put(writer->root, writer->header.salt, BLOB_SALT_LEN);
    TRY(make_file(writer, err));
    *out = writer;
    writer = NULL;
    return 0;
}

void blob_writer_free(struct blob_writer *writer)
{
    if (writer == NULL)
        return;
    blob_lane_free(writer->lane);
    fd_close(&writer->fd);
    if (writer->temporary[0] != '\0')
        (void)unlinkat(writer->blobs->dir_fd, writer->temporary, 0);
    gcm_free(writer->gcm);
    EVP_MD_CTX_free(writer->content);
    EVP_MD_CTX_free(writer->root);
    for (size_t i = 0; i < ARRAY_LEN(writer->parts); i++) {
        if (writer->parts[i].chunk != NULL)
            mem_wipe(writer->parts[i].chunk, writer->header.chunk_len);
        free(writer->parts[i].chunk);
    }
    free(writer);
}

void blob_writer_free_ptr(struct blob_writer **writer)
{
    blob_writer_free(*writer);
}

/* Bytes that are in the chunk's room now. */
static int add(struct blob_writer *writer, size_t len, struct err *err)
{
    struct part *part = writer->part;

    if (writer->content != NULL)
        digest_put(writer->content, part->chunk + part->used, len);
    part->used += len;
    writer->header.len += len;
    return part->used == writer->header.chunk_len ? hand_over(writer, err) : 0;
}

int blob_writer_put(struct blob_writer *writer, struct span bytes, struct err *err)
{
    while (bytes.len > 0) {
        struct part *part = writer->part;
        size_t len = NUM_MIN(bytes.len, writer->header.chunk_len - part->used);
        memcpy(part->chunk + part->used, bytes.p, len);
        TRY(add(writer, len, err));
        bytes = span_of(bytes.p + len, bytes.len - len);
    }
    return 0;
}

int blob_writer_put_fd(struct blob_writer *writer, int fd, struct err *err)
{
    for (;;) {
        struct part *part = writer->part;
        size_t room = NUM_MIN(writer->header.chunk_len - part->used, (size_t)BLOB_STEP_LEN);
        ssize_t got = read(fd, part->chunk + part->used, room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "cannot read what is to become a blob");
        if (got == 0)
            return 0;
        TRY(add(writer, (size_t)got, err));
    }
}

static int write_header(struct blob_writer *writer, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(BLOB_HEADER_LEN);

    TRY(blob_header_seal(writer->blobs, &writer->header, &bytes, err));
    INVARIANT(bytes.len == BLOB_HEADER_LEN);
    ssize_t put = pwrite(writer->fd, bytes.data, bytes.len, 0);
    if (put < 0)
        return err_sys(err, "cannot write a blob");
    if (put != BLOB_HEADER_LEN)
        return err_set(err, ERR_IO, "cannot write a blob: the disk is full");
    return 0;
}

/* The same content under the same name is replaced by itself, sealed anew. */
static int publish(struct blob_writer *writer, bool durable, struct err *err)
{
    int dir_fd = writer->blobs->dir_fd;
    char name[BLOB_NAME_SIZE];

    if (durable && fdatasync(writer->fd) < 0)
        return err_sys(err, "cannot make a blob durable");
    blob_name(writer->blobs, &writer->header.id, name);
    if (renameat(dir_fd, writer->temporary, dir_fd, name) < 0)
        return err_sys(err, "cannot name the blob %s", name);
    writer->temporary[0] = '\0';
    if (durable && fsync(dir_fd) < 0)
        return err_sys(err, "cannot make a blob durable");
    return 0;
}

int blob_writer_finish(struct blob_writer *writer, const uint8_t expected[BLOB_DIGEST_LEN],
                       bool durable, struct blob_id *out, struct err *err)
{
    TRY(hand_over(writer, err));
    TRY(blob_lane_wait(writer->lane, err));
    digest_end(writer->content != NULL ? writer->content : writer->root, writer->header.id.digest);
    if (expected != NULL && (writer->content == NULL ||
                             memcmp(expected, writer->header.id.digest, BLOB_DIGEST_LEN) != 0))
        return err_set(err, ERR_CORRUPT, "the bytes do not have the SHA-256 that was demanded");
    TRY(write_header(writer, err));
    TRY(publish(writer, durable, err));
    *out = writer->header.id;
    return 0;
}

int blob_write_fd(struct blob_store *blobs, int fd, enum blob_kind kind,
                  const uint8_t expected[BLOB_DIGEST_LEN], struct blob_id *out, struct err *err)
{
    CLEANUP(blob_writer_free_ptr) struct blob_writer *writer = NULL;

    TRY(blob_writer_new(blobs, kind, &writer, err));
    TRY(blob_writer_put_fd(writer, fd, err));
    return blob_writer_finish(writer, expected, true, out, err);
}
