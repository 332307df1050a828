/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of blobs, and reading one. */
#include "store/blob_internal.h"
#include "store/blob_lane.h"

#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

struct blob {
    int fd;
    struct blob_header header;
    struct gcm *gcm;
    uint8_t *chunk; /* room for a chunk and its tag */
    size_t chunk_used;
    uint64_t chunk_number; /* which one is there, verified; UINT64_MAX: none */
    char name[BLOB_NAME_SIZE];
};

/* ------------------------------------------------------------------ the directory */

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

static int remove_unfinished(int dir_fd, struct err *err)
{
    CLEANUP_FD int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL)
        return err_sys(err, "cannot list the directory of blobs");
    (void)!fd_take(&fd);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strncmp(entry->d_name, ".new-", 5) == 0)
            (void)unlinkat(dir_fd, entry->d_name, 0);
    return 0;
}

int blob_store_open(int dir_fd, const struct secret *key, uint32_t chunk_len,
                    struct blob_store **out, struct err *err)
{
    if (secret_len(key) != CRYPTO_KEY_LEN)
        return err_set(err, ERR_INVALID, "a blob key has %zu bytes, not %d", secret_len(key),
                       CRYPTO_KEY_LEN);
    if (chunk_len == 0)
        chunk_len = BLOB_CHUNK_LEN;
    if (chunk_len < BLOB_CHUNK_MIN || chunk_len > BLOB_CHUNK_MAX)
        return err_set(err, ERR_INVALID, "chunks of %u bytes are not between %d and %d", chunk_len,
                       BLOB_CHUNK_MIN, BLOB_CHUNK_MAX);
    TRY(remove_unfinished(dir_fd, err));
    struct secret *names;
    TRY(crypto_derive(key, "drun blob names", CRYPTO_KEY_LEN, &names, err));
    *out = mem_new(sizeof(**out));
    **out =
        (struct blob_store){.dir_fd = dir_fd, .key = key, .names = names, .chunk_len = chunk_len};
    return 0;
}

void blob_store_free(struct blob_store *blobs)
{
    if (blobs == NULL)
        return;
    secret_free(blobs->names);
    free(blobs);
}

void blob_name(const struct blob_store *blobs, const struct blob_id *id, char out[BLOB_NAME_SIZE])
{
    uint8_t input[1 + BLOB_DIGEST_LEN];
    uint8_t hash[CRYPTO_HASH_LEN];

    input[0] = (uint8_t)id->kind;
    memcpy(input + 1, id->digest, BLOB_DIGEST_LEN);
    crypto_hmac_sha256(secret_span(blobs->names), span_of(input, sizeof(input)), hash);
    enc_hex(span_of(hash, sizeof(hash)), out);
}

int blob_remove(struct blob_store *blobs, const struct blob_id *id, struct err *err)
{
    char name[BLOB_NAME_SIZE];

    blob_name(blobs, id, name);
    if (unlinkat(blobs->dir_fd, name, 0) < 0)
        return err_sys(err, "cannot remove the blob %s", name);
    return 0;
}

/* ------------------------------------------------------------------ opening */

static uint64_t chunk_count(const struct blob *blob)
{
    return blob->header.len / blob->header.chunk_len + 1;
}

/* The length says where the file must end: bytes behind it are damage as well. */
static int check_size(const struct blob *blob, struct err *err)
{
    struct stat st;
    uint64_t wanted;

    if (fstat(blob->fd, &st) < 0)
        return err_sys(err, "cannot look at the blob %s", blob->name);
    if (blob->header.len > INT64_MAX / 2)
        return err_set(err, ERR_CORRUPT, "its length is not possible");
    wanted = BLOB_HEADER_LEN + blob->header.len + chunk_count(blob) * CRYPTO_TAG_LEN;
    if ((uint64_t)st.st_size != wanted)
        return err_set(err, ERR_CORRUPT, "it has %lld bytes and should have %llu",
                       (long long)st.st_size, (unsigned long long)wanted);
    return 0;
}

static int read_header(const struct blob_store *blobs, const struct blob_id *id, struct blob *blob,
                       struct err *err)
{
    uint8_t bytes[BLOB_HEADER_LEN];
    ssize_t got = pread(blob->fd, bytes, sizeof(bytes), 0);

    if (got < 0)
        return err_sys(err, "cannot read the blob %s", blob->name);
    TRY(blob_header_open(blobs, span_of(bytes, (size_t)got), &blob->header, err));
    if (blob->header.id.kind != id->kind ||
        !mem_equal_ct(blob->header.id.digest, id->digest, BLOB_DIGEST_LEN))
        return err_set(err, ERR_CORRUPT, "it is another blob");
    return check_size(blob, err);
}

int blob_open(struct blob_store *blobs, const struct blob_id *id, struct blob **out,
              struct err *err)
{
    CLEANUP(blob_free_ptr) struct blob *blob = mem_new(sizeof(*blob));
    CLEANUP(secret_free_ptr) struct secret *key = NULL;

    blob_name(blobs, id, blob->name);
    blob->chunk_number = UINT64_MAX;
    blob->fd = openat(blobs->dir_fd, blob->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (blob->fd < 0)
        return err_sys(err, "cannot open the blob %s", blob->name);
    if (read_header(blobs, id, blob, err) < 0)
        return err_wrap(err, "the blob %s is damaged", blob->name);
    TRY(blob_derive(blobs, blob->header.salt, "chunks", &key, err));
    blob->gcm = gcm_new(key, false);
    blob->chunk = mem_new(blob->header.chunk_len + CRYPTO_TAG_LEN);
    *out = blob;
    blob = NULL;
    return 0;
}

void blob_free(struct blob *blob)
{
    if (blob == NULL)
        return;
    fd_close(&blob->fd);
    gcm_free(blob->gcm);
    if (blob->chunk != NULL)
        mem_wipe(blob->chunk, blob->header.chunk_len);
    free(blob->chunk);
    free(blob);
}

void blob_free_ptr(struct blob **blob)
{
    blob_free(*blob);
}

uint64_t blob_len(const struct blob *blob)
{
    return blob->header.len;
}

/* ------------------------------------------------------------------ chunks */

static int damaged(const struct blob *blob, uint64_t number, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "the blob %s is damaged in chunk %llu", blob->name,
                   (unsigned long long)number);
}

static int read_exactly(const struct blob *blob, uint8_t *out, size_t len, uint64_t offset,
                        uint64_t number, struct err *err)
{
    while (len > 0) {
        ssize_t got = pread(blob->fd, out, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "cannot read the blob %s", blob->name);
        if (got == 0)
            return damaged(blob, number, err);
        out += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return 0;
}

static uint64_t chunk_offset(const struct blob *blob, uint64_t number)
{
    return BLOB_HEADER_LEN + number * ((uint64_t)blob->header.chunk_len + CRYPTO_TAG_LEN);
}

static bool is_last(const struct blob *blob, uint64_t number)
{
    return number == chunk_count(blob) - 1;
}

static size_t chunk_len(const struct blob *blob, uint64_t number)
{
    return is_last(blob, number) ? blob->header.len % blob->header.chunk_len
                                 : blob->header.chunk_len;
}

static int fetch_chunk(const struct blob *blob, uint64_t number, uint8_t *room, struct err *err)
{
    return read_exactly(blob, room, chunk_len(blob, number) + CRYPTO_TAG_LEN,
                        chunk_offset(blob, number), number, err);
}

/* In place; given to nobody before the tag was right. */
static int verify_chunk(struct blob *blob, uint64_t number, uint8_t *room, struct err *err)
{
    size_t len = chunk_len(blob, number);

    blob_chunk_begin(blob->gcm, number, is_last(blob, number));
    gcm_update(blob->gcm, room, len);
    if (gcm_open_end(blob->gcm, room + len))
        return 0;
    mem_wipe(room, len);
    return damaged(blob, number, err);
}

static int open_chunk(struct blob *blob, uint64_t number, struct err *err)
{
    blob->chunk_number = UINT64_MAX;
    TRY(fetch_chunk(blob, number, blob->chunk, err));
    TRY(verify_chunk(blob, number, blob->chunk, err));
    blob->chunk_used = chunk_len(blob, number);
    blob->chunk_number = number;
    return 0;
}

/* One chunk is read in the second lane while the one before is opened and given out. */
struct ahead {
    const struct blob *blob;
    uint64_t number; /* to be fetched into rooms[number % 2] */
    uint8_t *rooms[2];
};

static int fetch_ahead(void *ctx, size_t job, struct err *err)
{
    struct ahead *ahead = ctx;

    return fetch_chunk(ahead->blob, ahead->number, ahead->rooms[job], err);
}

static int read_chunks(struct blob *blob, struct ahead *ahead, struct blob_lane *lane,
                       blob_piece_fn *fn, void *ctx, struct err *err)
{
    TRY(blob_lane_run(lane, 0, err));
    for (uint64_t number = 0; number < chunk_count(blob); number++) {
        uint8_t *room = ahead->rooms[number % 2];
        size_t len = chunk_len(blob, number);
        TRY(blob_lane_wait(lane, err));
        ahead->number = number + 1;
        if (!is_last(blob, number))
            TRY(blob_lane_run(lane, ahead->number % 2, err));
        TRY(verify_chunk(blob, number, room, err));
        if (len > 0)
            TRY(fn(ctx, span_of(room, len), err));
    }
    return 0;
}

int blob_read(struct blob *blob, blob_piece_fn *fn, void *ctx, struct err *err)
{
    size_t room = blob->header.chunk_len + CRYPTO_TAG_LEN;
    struct ahead ahead = {.blob = blob, .rooms = {blob->chunk, mem_new(room)}};
    struct blob_lane *lane = blob_lane_new(fetch_ahead, &ahead);

    blob->chunk_number = UINT64_MAX;
    int result = read_chunks(blob, &ahead, lane, fn, ctx, err);
    blob_lane_free(lane);
    mem_wipe(ahead.rooms[1], room);
    free(ahead.rooms[1]);
    return result;
}

static int write_piece(void *ctx, struct span piece, struct err *err)
{
    return fd_write_all(*(const int *)ctx, piece, "what was read from a blob", err);
}

int blob_read_fd(struct blob *blob, int fd, struct err *err)
{
    return blob_read(blob, write_piece, &fd, err);
}

int blob_read_at(struct blob *blob, uint64_t offset, void *out, size_t len, struct err *err)
{
    uint8_t *to = out;
    uint64_t end;

    if (!num_add(offset, (uint64_t)len, &end) || end > blob->header.len)
        return err_set(err, ERR_INVALID, "%zu bytes at %llu are past the end of the blob %s", len,
                       (unsigned long long)offset, blob->name);
    while (len > 0) {
        uint64_t number = offset / blob->header.chunk_len;
        size_t at = offset % blob->header.chunk_len;
        if (blob->chunk_number != number)
            TRY(open_chunk(blob, number, err));
        size_t part = NUM_MIN(len, blob->chunk_used - at);
        memcpy(to, blob->chunk + at, part);
        to += part;
        offset += part;
        len -= part;
    }
    return 0;
}
