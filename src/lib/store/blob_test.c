/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blob_internal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "store/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { CHUNK = BLOB_CHUNK_MIN };

struct blobs {
    struct fixture fixture;
    struct secret *key;
    int dir_fd;
    struct blob_store *blobs;
    struct buf content;
};

static int start(void **state)
{
    static struct blobs blobs;
    struct err err = ERR_INIT;

    fixture_start(&blobs.fixture);
    assert_int_equal(secret_random(CRYPTO_KEY_LEN, &blobs.key, &err), 0);
    blobs.dir_fd = fd_open_dir(AT_FDCWD, blobs.fixture.dir, &err);
    assert_int_equal(blob_store_open(blobs.dir_fd, blobs.key, CHUNK, &blobs.blobs, &err), 0);
    blobs.content = (struct buf)BUF_INIT(10 * 1024 * 1024);
    for (unsigned i = 0; blobs.content.len < 10 * CHUNK; i++)
        buf_printf(&blobs.content, "line %u of a large file\n", i);
    *state = &blobs;
    return 0;
}

static int stop(void **state)
{
    struct blobs *blobs = *state;

    blob_store_free(blobs->blobs);
    secret_free(blobs->key);
    fd_close(&blobs->dir_fd);
    buf_free(&blobs->content);
    fixture_stop(&blobs->fixture);
    return 0;
}

static struct span content(const struct blobs *blobs, size_t len)
{
    return span_of(blobs->content.data, len);
}

static int write_len(struct blobs *blobs, size_t len, enum blob_kind kind, struct blob_id *id,
                     struct err *err)
{
    CLEANUP(blob_writer_free_ptr) struct blob_writer *writer = NULL;

    TRY(blob_writer_new(blobs->blobs, kind, &writer, err));
    TRY(blob_writer_put(writer, content(blobs, len / 3), err));
    TRY(blob_writer_put(writer, span_of(blobs->content.data + len / 3, len - len / 3), err));
    return blob_writer_finish(writer, NULL, true, id, err);
}

static int put_piece(void *ctx, struct span piece, struct err *err UNUSED)
{
    buf_put_span(ctx, piece);
    return 0;
}

static int read_back(struct blobs *blobs, const struct blob_id *id, struct buf *out,
                     struct err *err)
{
    CLEANUP(blob_free_ptr) struct blob *blob = NULL;

    buf_reset(out);
    TRY(blob_open(blobs->blobs, id, &blob, err));
    return blob_read(blob, put_piece, out, err);
}

static void every_length_comes_back(void **state)
{
    static const size_t lens[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 9 * CHUNK + 77};
    struct blobs *blobs = *state;
    CLEANUP(buf_free) struct buf back = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct blob_id id;
    uint8_t sha256[BLOB_DIGEST_LEN];

    for (size_t i = 0; i < 2 * ARRAY_LEN(lens); i++) {
        size_t len = lens[i / 2];
        enum blob_kind kind = i % 2 == 0 ? BLOB_SHA256 : BLOB_ROOT;
        assert_int_equal(write_len(blobs, len, kind, &id, &err), 0);
        assert_int_equal(id.kind, kind);
        assert_int_equal(read_back(blobs, &id, &back, &err), 0);
        assert_true(span_eq(buf_span(&back), content(blobs, len)));
        crypto_sha256(content(blobs, len), sha256);
        assert_int_equal(memcmp(sha256, id.digest, sizeof(sha256)) == 0, kind == BLOB_SHA256);
    }
}

static void files_are_written_from_and_read_to_descriptors(void **state)
{
    struct blobs *blobs = *state;
    CLEANUP_FD int in = memfd_create("in", MFD_CLOEXEC);
    CLEANUP_FD int out = memfd_create("out", MFD_CLOEXEC);
    CLEANUP(blob_free_ptr) struct blob *blob = NULL;
    CLEANUP(buf_free) struct buf back = BUF_INIT(1 << 20);
    uint8_t sha256[BLOB_DIGEST_LEN];
    struct err err = ERR_INIT;
    struct blob_id id;

    assert_int_equal(fd_write_all(in, buf_span(&blobs->content), "in", &err), 0);
    crypto_sha256(buf_span(&blobs->content), sha256);
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    assert_int_equal(blob_write_fd(blobs->blobs, in, BLOB_SHA256, sha256, &id, &err), 0);
    assert_int_equal(blob_open(blobs->blobs, &id, &blob, &err), 0);
    assert_int_equal(blob_len(blob), blobs->content.len);
    assert_int_equal(blob_read_fd(blob, out, &err), 0);
    assert_int_equal(lseek(out, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(out, "out", &back, &err), 0);
    assert_true(span_eq(buf_span(&back), buf_span(&blobs->content)));
}

static size_t files_in(const struct blobs *blobs)
{
    DIR *dir = opendir(blobs->fixture.dir);
    size_t count = 0;

    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static void a_wrong_digest_leaves_nothing(void **state)
{
    struct blobs *blobs = *state;
    CLEANUP(blob_writer_free_ptr) struct blob_writer *writer = NULL;
    const uint8_t wrong[BLOB_DIGEST_LEN] = {1};
    struct err err = ERR_INIT;
    struct blob_id id;

    assert_int_equal(blob_writer_new(blobs->blobs, BLOB_SHA256, &writer, &err), 0);
    assert_int_equal(blob_writer_put(writer, buf_span(&blobs->content), &err), 0);
    assert_int_equal(blob_writer_finish(writer, wrong, true, &id, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    blob_writer_free(writer);
    writer = NULL;
    assert_int_equal(files_in(blobs), 0);
}

static void the_same_content_is_kept_once(void **state)
{
    struct blobs *blobs = *state;
    CLEANUP(buf_free) struct buf back = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct blob_id a;
    struct blob_id b;

    assert_int_equal(write_len(blobs, 9000, BLOB_SHA256, &a, &err), 0);
    assert_int_equal(write_len(blobs, 9000, BLOB_SHA256, &b, &err), 0);
    assert_memory_equal(a.digest, b.digest, BLOB_DIGEST_LEN);
    assert_int_equal(files_in(blobs), 1);
    assert_int_equal(write_len(blobs, 9000, BLOB_ROOT, &a, &err), 0);
    assert_int_equal(write_len(blobs, 9000, BLOB_ROOT, &b, &err), 0);
    assert_memory_not_equal(a.digest, b.digest, BLOB_DIGEST_LEN);
    assert_int_equal(files_in(blobs), 3);
    assert_int_equal(blob_remove(blobs->blobs, &a, &err), 0);
    assert_int_equal(blob_remove(blobs->blobs, &a, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(read_back(blobs, &a, &back, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(read_back(blobs, &b, &back, &err), 0);
}

static void any_part_is_read(void **state)
{
    struct blobs *blobs = *state;
    CLEANUP(blob_free_ptr) struct blob *blob = NULL;
    struct err err = ERR_INIT;
    uint8_t out[3 * CHUNK];
    struct blob_id id;
    size_t len = 9 * CHUNK + 77;

    assert_int_equal(write_len(blobs, len, BLOB_ROOT, &id, &err), 0);
    assert_int_equal(blob_open(blobs->blobs, &id, &blob, &err), 0);
    for (size_t at = 0; at < len; at += 1111) {
        size_t part = (at * 7) % sizeof(out);
        if (at + part > len) {
            assert_int_equal(blob_read_at(blob, at, out, part, &err), -1);
            assert_int_equal(err.code, ERR_INVALID);
            continue;
        }
        assert_int_equal(blob_read_at(blob, at, out, part, &err), 0);
        assert_memory_equal(out, blobs->content.data + at, part);
    }
    assert_int_equal(blob_read_at(blob, len, out, 0, &err), 0);
    assert_int_equal(blob_read_at(blob, UINT64_MAX, out, 2, &err), -1);
}

static void path_of(const struct blobs *blobs, const struct blob_id *id, char path[160])
{
    char name[BLOB_NAME_SIZE];

    blob_name(blobs->blobs, id, name);
    snprintf(path, 160, "%s/%s", blobs->fixture.dir, name);
}

static void every_flipped_byte_is_noticed(void **state)
{
    struct blobs *blobs = *state;
    CLEANUP(buf_free) struct buf back = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct blob_id id;
    struct stat st;
    char path[160];

    assert_int_equal(write_len(blobs, CHUNK + 50, BLOB_SHA256, &id, &err), 0);
    path_of(blobs, &id, path);
    CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t at = 0; at < st.st_size; at += at < BLOB_HEADER_LEN ? 1 : 37) {
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_int_equal(read_back(blobs, &id, &back, &err), -1);
        assert_true(err.code == ERR_CORRUPT || err.code == ERR_UNSUPPORTED);
        assert_true(back.len <= CHUNK);
        assert_memory_equal(back.data, blobs->content.data, back.len);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_int_equal(read_back(blobs, &id, &back, &err), 0);
}

static void a_file_cut_or_grown_is_noticed(void **state)
{
    struct blobs *blobs = *state;
    CLEANUP(buf_free) struct buf back = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct blob_id id;
    struct stat st;
    char path[160];

    assert_int_equal(write_len(blobs, 3 * CHUNK, BLOB_SHA256, &id, &err), 0);
    path_of(blobs, &id, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size + 1), 0);
    assert_int_equal(read_back(blobs, &id, &back, &err), -1);
    for (off_t len = st.st_size - 1; len >= 0; len -= 997) {
        assert_int_equal(truncate(path, len), 0);
        assert_int_equal(read_back(blobs, &id, &back, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
    }
}

static void swapped_chunks_and_files_are_noticed(void **state)
{
    struct blobs *blobs = *state;
    CLEANUP(buf_free) struct buf back = BUF_INIT(1 << 20);
    uint8_t chunks[2][CHUNK + CRYPTO_TAG_LEN];
    struct err err = ERR_INIT;
    struct blob_id a;
    struct blob_id b;
    char path[160];
    char other[160];

    assert_int_equal(write_len(blobs, 3 * CHUNK, BLOB_SHA256, &a, &err), 0);
    assert_int_equal(write_len(blobs, 4 * CHUNK, BLOB_SHA256, &b, &err), 0);
    path_of(blobs, &a, path);
    path_of(blobs, &b, other);
    CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, chunks, sizeof(chunks), BLOB_HEADER_LEN), sizeof(chunks));
    assert_int_equal(pwrite(fd, chunks[1], sizeof(chunks[1]), BLOB_HEADER_LEN), sizeof(chunks[1]));
    assert_int_equal(pwrite(fd, chunks[0], sizeof(chunks[0]), BLOB_HEADER_LEN + sizeof(chunks[0])),
                     sizeof(chunks[0]));
    assert_int_equal(read_back(blobs, &a, &back, &err), -1);
    assert_int_equal(back.len, 0);
    assert_int_equal(rename(other, path), 0);
    assert_int_equal(read_back(blobs, &a, &back, &err), -1);
    assert_non_null(strstr(err.msg, "another blob"));
}

static void what_was_interrupted_is_swept(void **state)
{
    struct blobs *blobs = *state;
    struct blob_writer *writer = NULL;
    struct blob_store *again = NULL;
    struct err err = ERR_INIT;
    struct blob_id id;

    assert_int_equal(write_len(blobs, 100, BLOB_ROOT, &id, &err), 0);
    assert_int_equal(blob_writer_new(blobs->blobs, BLOB_ROOT, &writer, &err), 0);
    assert_int_equal(files_in(blobs), 2);
    assert_int_equal(blob_store_open(blobs->dir_fd, blobs->key, 0, &again, &err), 0);
    assert_int_equal(files_in(blobs), 1);
    blob_store_free(again);
    blob_writer_free(writer);
}

static void a_full_disk_is_a_clear_error(void **state)
{
    struct blobs *blobs = *state;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct err err = ERR_INIT;
    struct rlimit limit;
    struct blob_id id;

    sigaction(SIGXFSZ, &ignore, NULL);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 5 * CHUNK;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(write_len(blobs, 9 * CHUNK, BLOB_ROOT, &id, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(write_len(blobs, 9 * CHUNK, BLOB_SHA256, &id, &err), -1);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(files_in(blobs), 0);
    assert_int_equal(write_len(blobs, 9 * CHUNK, BLOB_SHA256, &id, &err), 0);
}

static void another_key_opens_nothing(void **state)
{
    struct blobs *blobs = *state;
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    struct blob_store *other = NULL;
    struct blob *blob = NULL;
    struct err err = ERR_INIT;
    struct blob_id id;
    char path[160];
    char as_other[160];
    char name[BLOB_NAME_SIZE];

    assert_int_equal(write_len(blobs, 100, BLOB_SHA256, &id, &err), 0);
    assert_int_equal(secret_random(CRYPTO_KEY_LEN, &key, &err), 0);
    assert_int_equal(blob_store_open(blobs->dir_fd, key, 0, &other, &err), 0);
    assert_int_equal(blob_open(other, &id, &blob, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    path_of(blobs, &id, path);
    blob_name(other, &id, name);
    snprintf(as_other, sizeof(as_other), "%s/%s", blobs->fixture.dir, name);
    assert_int_equal(rename(path, as_other), 0);
    assert_int_equal(blob_open(other, &id, &blob, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    blob_store_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_length_comes_back, start, stop),
        cmocka_unit_test_setup_teardown(files_are_written_from_and_read_to_descriptors, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_wrong_digest_leaves_nothing, start, stop),
        cmocka_unit_test_setup_teardown(the_same_content_is_kept_once, start, stop),
        cmocka_unit_test_setup_teardown(any_part_is_read, start, stop),
        cmocka_unit_test_setup_teardown(every_flipped_byte_is_noticed, start, stop),
        cmocka_unit_test_setup_teardown(a_file_cut_or_grown_is_noticed, start, stop),
        cmocka_unit_test_setup_teardown(swapped_chunks_and_files_are_noticed, start, stop),
        cmocka_unit_test_setup_teardown(what_was_interrupted_is_swept, start, stop),
        cmocka_unit_test_setup_teardown(a_full_disk_is_a_clear_error, start, stop),
        cmocka_unit_test_setup_teardown(another_key_opens_nothing, start, stop),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("blobs", tests, NULL, NULL);
}
