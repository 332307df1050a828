/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/segment_file.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

enum { SEARCH_CHUNK = 1 << 20, TRAILER_MAX = SEGMENT_RECORDS_MAX * (4 + TREE_HASH_LEN) + 8192 };

int segment_pread(int fd, uint64_t offset, size_t len, struct buf *out, struct err *err)
{
    uint8_t *at = buf_reserve(out, len);
    size_t done = 0;

    if (at == NULL)
        return buf_check(out, "a part of a segment", err);
    while (done < len) {
        ssize_t got = pread(fd, at + done, len - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, "cannot read a segment");
        if (got == 0)
            break;
        done += (size_t)got;
    }
    buf_commit(out, done);
    return 0;
}

static int size_of(int fd, uint64_t *out, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at a segment");
    *out = (uint64_t)st.st_size;
    return 0;
}

int segment_file_open(int dir_fd, uint64_t first, int flags, struct segment_file **out,
                      struct err *err)
{
    CLEANUP(segment_file_free_ptr) struct segment_file *file = mem_new(sizeof(*file));
    CLEANUP(buf_free) struct buf head = BUF_INIT(SEGMENT_HEADER_MAX);
    char name[SEGMENT_NAME_SIZE];

    segment_name(first, ".seg", name);
    file->fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);
    if (file->fd < 0)
        return err_sys(err, "cannot open the segment %s", name);
    TRY(segment_pread(file->fd, 0, SEGMENT_HEADER_MAX, &head, err));
    if (segment_parse_header(buf_span(&head), &file->header, &file->header_len, err) < 0)
        return err_wrap(err, "segment %s", name);
    if (file->header.first != first)
        return err_set(err, ERR_CORRUPT, "segment %s: its header says %" PRIu64, name,
                       file->header.first);
    tree_range_init(&file->range, first);
    file->end = file->header_len;
    *out = file;
    file = NULL;
    return 0;
}

void segment_file_free(struct segment_file *file)
{
    if (file == NULL)
        return;
    fd_close(&file->fd);
    secret_free(file->key);
    free(file->offsets);
    free(file->leaves);
    free(file);
}

void segment_file_free_ptr(struct segment_file **file)
{
    segment_file_free(*file);
}

void segment_file_add(struct segment_file *file, uint32_t offset, const struct tree_hash *leaf)
{
    if (file->count == file->room) {
        file->room = NUM_MAX(file->room * 2, (size_t)256);
        file->offsets = mem_resize_array(file->offsets, file->room, sizeof(*file->offsets));
        file->leaves = mem_resize_array(file->leaves, file->room, sizeof(*file->leaves));
    }
    file->offsets[file->count] = offset;
    file->leaves[file->count++] = *leaf;
    tree_range_add(&file->range, leaf);
}

/* ------------------------------------------------------------------ trailer */

static int find_trailer(int fd, uint64_t *out_at, uint32_t *out_len, struct err *err)
{
    CLEANUP(buf_free) struct buf footer = BUF_INIT(SEGMENT_FOOTER_LEN);
    uint64_t size = 0;

    TRY(size_of(fd, &size, err));
    if (size < SEGMENT_FOOTER_LEN)
        return 0;
    TRY(segment_pread(fd, size - SEGMENT_FOOTER_LEN, SEGMENT_FOOTER_LEN, &footer, err));
    *out_len = segment_trailer_len(buf_span(&footer));
    if (*out_len < SEGMENT_FOOTER_LEN || *out_len > size || *out_len > TRAILER_MAX)
        return 0;
    *out_at = size - *out_len;
    return 1;
}

int segment_file_load_trailer(struct segment_file *file, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(TRAILER_MAX);
    struct segment_trailer trailer;
    uint64_t at;
    uint32_t len;
    uint32_t offset;

    int found = find_trailer(file->fd, &at, &len, err);
    if (found <= 0)
        return found;
    TRY(segment_pread(file->fd, at, len, &bytes, err));
    TRY(segment_parse_trailer(&file->header, buf_span(&bytes), &trailer, err));
    file->count = 0;
    tree_range_init(&file->range, file->header.first);
    for (uint64_t i = 0; i < trailer.count; i++) {
        struct tree_hash leaf;
        memcpy(&offset, trailer.offsets + 4 * i, sizeof(offset));
        memcpy(leaf.bytes, trailer.leaves + TREE_HASH_LEN * i, TREE_HASH_LEN);
        segment_file_add(file, le32toh(offset), &leaf);
    }
    file->min_ns = trailer.min_ns;
    file->max_ns = trailer.max_ns;
    file->end = at;
    file->sealed = true;
    return 1;
}

int segment_file_peek_trailer(int fd, uint64_t first, struct segment_trailer *out, struct err *err)
{
    enum { FIXED = 8 + 4 * 8 + 4 };
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(FIXED + TREE_RANGE_MAX * TREE_HASH_LEN);
    uint64_t at;
    uint32_t len;

    int found = find_trailer(fd, &at, &len, err);
    if (found <= 0)
        return found;
    TRY(segment_pread(fd, at, bytes.max, &bytes, err));
    struct cursor cursor = cursor_of(buf_span(&bytes));
    (void)cursor_u64(&cursor);
    out->first = cursor_u64(&cursor);
    out->count = cursor_u64(&cursor);
    out->min_ns = cursor_u64(&cursor);
    out->max_ns = cursor_u64(&cursor);
    uint32_t nodes = cursor_u32(&cursor);
    if (out->first != first || out->count == 0 || out->count > SEGMENT_RECORDS_MAX ||
        nodes != tree_range_nodes(first, first + out->count))
        return err_set(err, ERR_CORRUPT, "the trailer of segment %" PRIu64 " is damaged", first);
    struct span hashes = cursor_bytes(&cursor, nodes * (size_t)TREE_HASH_LEN);
    TRY(cursor.failed ? err_set(err, ERR_CORRUPT, "a trailer is cut off") : 0);
    tree_range_init(&out->range, first);
    memcpy(out->range.node, hashes.p, hashes.len);
    out->range.count = nodes;
    out->range.end = first + out->count;
    return 1;
}

/* ------------------------------------------------------------------ scanning */

static void note_damage(struct segment_scan *scan, uint64_t index, const char *what)
{
    scan->damaged = true;
    if (scan->bad_count++ > 0)
        return;
    scan->bad_index = index;
    snprintf(scan->what, sizeof(scan->what), "%s", what);
}

static bool all_bodies_good(const struct segment_header *header, const struct segment_batch *batch,
                            struct span records)
{
    struct segment_record record;

    for (uint32_t i = 0; i < batch->count; i++)
        if (!segment_next_record(&records, batch->first + i, &record) ||
            !segment_check_record(header, &record))
            return false;
    return records.len == 0;
}

/* The batch at `end`, when its leaf hashes can be trusted. 1: `body` holds its records. */
static int read_batch(struct segment_file *file, uint64_t at, uint64_t size,
                      struct segment_batch *batch, struct buf *body, struct err *err)
{
    CLEANUP(buf_free) struct buf head = BUF_INIT(SEGMENT_BATCH_HEAD);

    TRY(segment_pread(file->fd, at, SEGMENT_BATCH_HEAD, &head, err));
    if (!segment_parse_batch(buf_span(&head), batch) || batch->len > size - at - SEGMENT_BATCH_HEAD)
        return 0;
    buf_reset(body);
    TRY(segment_pread(file->fd, at + SEGMENT_BATCH_HEAD, batch->len, body, err));
    return body->len == batch->len;
}

static int take_batch(struct segment_file *file, const struct segment_batch *batch,
                      struct span records, segment_scan_fn *fn, void *ctx,
                      struct segment_scan *scan, struct err *err)
{
    const uint8_t *start = records.p;

    for (uint32_t i = 0; i < batch->count; i++) {
        struct segment_record record;
        uint32_t offset =
            (uint32_t)(file->end + SEGMENT_BATCH_HEAD + (uint64_t)(records.p - start));
        INVARIANT(segment_next_record(&records, batch->first + i, &record));
        bool body = segment_check_record(&file->header, &record);
        if (!body)
            note_damage(scan, record.index, "its bytes do not match its leaf hash");
        segment_file_add(file, offset, &record.leaf);
        if (fn != NULL)
            TRY(fn(ctx, &record, body, err));
    }
    file->end += SEGMENT_BATCH_HEAD + batch->len;
    return 0;
}

/* Whether a good batch of this segment begins anywhere behind `from`: then what lies between was
 * durable once, for a batch is only written when the one before it is on the disk. */
static int find_later_batch(struct segment_file *file, uint64_t from, uint64_t size,
                            struct err *err)
{
    CLEANUP(buf_free) struct buf chunk = BUF_INIT(SEARCH_CHUNK);
    CLEANUP(buf_free) struct buf body = BUF_INIT(SEGMENT_BATCH_MAX);
    struct segment_batch batch;

    for (uint64_t at = from; at < size; at += SEARCH_CHUNK - 8) {
        buf_reset(&chunk);
        TRY(segment_pread(file->fd, at, SEARCH_CHUNK, &chunk, err));
        struct span rest = buf_span(&chunk);
        while (rest.len >= 8) {
            const uint8_t *hit = memmem(rest.p, rest.len, "drunbat1", 8);
            if (hit == NULL)
                break;
            int got = read_batch(file, at + (uint64_t)(hit - chunk.data), size, &batch, &body, err);
            if (got < 0)
                return -1;
            if (got > 0 && batch.first >= file->header.first + file->count &&
                segment_check_batch(&file->header, &batch, buf_span(&body)))
                return 1;
            rest = span_of(hit + 1, rest.len - (size_t)(hit + 1 - rest.p));
        }
    }
    return 0;
}

/* Nothing more can be trusted from `end` on. */
static int judge_rest(struct segment_file *file, uint64_t size, struct segment_scan *scan,
                      struct err *err)
{
    CLEANUP(buf_free) struct buf head = BUF_INIT(8);

    TRY(segment_pread(file->fd, file->end, 8, &head, err));
    scan->trailer = head.len == 8 && memcmp(head.data, "drunend1", 8) == 0;
    if (file->end == size || scan->trailer)
        return 0;
    int later = find_later_batch(file, file->end + 1, size, err);
    if (later > 0)
        note_damage(scan, file->header.first + file->count, "a batch of records is damaged");
    scan->torn = true;
    return later < 0 ? -1 : 0;
}

int segment_file_scan(struct segment_file *file, segment_scan_fn *fn, void *ctx,
                      struct segment_scan *out, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SEGMENT_BATCH_MAX);
    struct segment_batch batch;
    uint64_t size = 0;

    *out = (struct segment_scan){0};
    file->count = 0;
    file->end = file->header_len;
    tree_range_init(&file->range, file->header.first);
    TRY(size_of(file->fd, &size, err));
    while (size - file->end >= SEGMENT_BATCH_HEAD) {
        int got = read_batch(file, file->end, size, &batch, &body, err);
        if (got < 0)
            return -1;
        if (got == 0 || batch.first != file->header.first + file->count)
            break;
        if (!segment_check_batch(&file->header, &batch, buf_span(&body))) {
            if (!all_bodies_good(&file->header, &batch, buf_span(&body)))
                break;
            note_damage(out, batch.first, "the head of its batch is damaged");
        }
        TRY(take_batch(file, &batch, buf_span(&body), fn, ctx, out, err));
    }
    return judge_rest(file, size, out, err);
}

int segment_file_read(struct segment_file *file, uint64_t index, struct buf *room,
                      struct segment_record *out, struct err *err)
{
    uint64_t i = index - file->header.first;

    INVARIANT(index >= file->header.first);
    if (i >= file->count)
        return err_set(err, ERR_CORRUPT, "record %" PRIu64 " is in a damaged part of the log",
                       index);
    /* Up to where the next record can begin; a trailer may say anything. */
    uint64_t end = i + 1 < file->count ? file->offsets[i + 1] : file->end;
    uint64_t len = end > file->offsets[i] ? end - file->offsets[i] : 0;
    buf_reset(room);
    TRY(segment_pread(file->fd, file->offsets[i],
                      NUM_MIN(len, (uint64_t)SEGMENT_RECORD_HEAD + SEGMENT_SEALED_MAX), room, err));
    struct span bytes = buf_span(room);
    if (!segment_next_record(&bytes, index, out) || !tree_hash_eq(&out->leaf, &file->leaves[i]) ||
        !segment_check_record(&file->header, out))
        return err_set(err, ERR_CORRUPT, "record %" PRIu64 " is damaged", index);
    return 0;
}
