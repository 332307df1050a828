/* SPDX-License-Identifier: Apache-2.0 */
/* The small files of a log: checkpoints, the newest compact range, notes of dropped segments. */
#include "audit/dir.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

enum { TAIL_MAX = 64 * 1024, TREE_FILE_MAX = 8 + 4 + TREE_RANGE_MAX * TREE_HASH_LEN + 32 };

/* ------------------------------------------------------------------ checkpoints */

/* A note ends with an empty line, like its text does. */
static bool take_note(struct span *rest, struct span *out)
{
    if (rest->len == 0)
        return false;
    const uint8_t *at = rest->p;
    const uint8_t *end = rest->p + rest->len;

    for (int empty_lines = 0; empty_lines < 2; empty_lines++) {
        const uint8_t *hit = end - at < 2 ? NULL : memmem(at, (size_t)(end - at), "\n\n", 2);
        if (hit == NULL)
            return false;
        at = hit + 2;
    }
    *out = span_of(rest->p, (size_t)(at - rest->p) - 1);
    *rest = span_of(at, (size_t)(end - at));
    return true;
}

int64_t audit_dir_notes(int dir_fd, uint64_t first, dir_note_fn *fn, void *ctx, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(DIR_CKPT_MAX);
    char name[SEGMENT_NAME_SIZE];
    struct span note;

    segment_name(first, ".ckpt", name);
    if (fd_read_file(dir_fd, name, &text, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    struct span rest = buf_span(&text);
    while (take_note(&rest, &note))
        TRY(fn(ctx, note, err));
    return (int64_t)rest.len;
}

static int read_tail(int dir_fd, uint64_t first, const char *origin, struct buf *out,
                     struct err *err)
{
    char name[SEGMENT_NAME_SIZE];
    CLEANUP_FREE char *start = mem_printf("\n\n%s\n", origin);
    CLEANUP(buf_free) struct buf tail = BUF_INIT(TAIL_MAX);
    struct stat st;

    segment_name(first, ".ckpt", name);
    CLEANUP_FD int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, "cannot open %s", name);
    uint64_t skip = st.st_size > TAIL_MAX ? (uint64_t)st.st_size - TAIL_MAX : 0;
    TRY(segment_pread(fd, skip, TAIL_MAX, &tail, err));
    struct span rest = buf_span(&tail);
    if (skip > 0) {
        const uint8_t *hit = memmem(rest.p, rest.len, start, strlen(start));
        rest =
            hit == NULL ? span_of("", 0) : span_of(hit + 2, rest.len - (size_t)(hit + 2 - rest.p));
    }
    buf_put_span(out, rest);
    return 0;
}

/* The newest one may be torn or damaged: then the one before it counts. */
static int newest_in(struct audit_dir *dir, uint64_t first, struct checkpoint *out,
                     struct buf *note_out, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(TAIL_MAX);
    struct span note;
    struct span found[8];
    size_t count = 0;

    TRY(read_tail(dir->fd, first, dir->origin, &text, err));
    for (struct span rest = buf_span(&text); take_note(&rest, &note); count++)
        found[count % ARRAY_LEN(found)] = note;
    for (size_t back = 1; back <= NUM_MIN(count, ARRAY_LEN(found)); back++) {
        struct err ignored = ERR_INIT;
        note = found[(count - back) % ARRAY_LEN(found)];
        if (checkpoint_open(note, dir->keys, dir->origin, out, &ignored) < 0)
            continue;
        buf_reset(note_out);
        buf_put_span(note_out, note);
        return 1;
    }
    return 0;
}

int audit_dir_newest(struct audit_dir *dir, struct checkpoint *out, struct buf *note,
                     struct err *err)
{
    for (size_t i = dir->count; i > 0; i--) {
        int found = newest_in(dir, dir->segment[i - 1].first, out, note, err);
        if (found != 0)
            return found;
    }
    return 0;
}

/* ------------------------------------------------------------------ tree */

int audit_dir_put_tree(int dir_fd, const struct tree_range *range, struct err *err)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(TREE_FILE_MAX);
    struct tree_hash digest;

    buf_put_u64(&out, range->end);
    buf_put_u32(&out, (uint32_t)range->count);
    buf_put(&out, range->node, range->count * TREE_HASH_LEN);
    crypto_sha256(buf_span(&out), digest.bytes);
    buf_put(&out, digest.bytes, TREE_HASH_LEN);
    /* Not durable: without it a damaged segment is only harder to mend. */
    return fd_replace_file(dir_fd, "tree", 0600, buf_span(&out), false, err);
}

int audit_dir_get_tree(int dir_fd, struct tree_range *out, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(TREE_FILE_MAX);
    struct tree_hash digest;

    TRY(fd_read_file(dir_fd, "tree", &bytes, err));
    struct cursor cursor = cursor_of(buf_span(&bytes));
    tree_range_init(out, 0);
    out->end = cursor_u64(&cursor);
    uint32_t count = cursor_u32(&cursor);
    if (count != tree_range_nodes(0, out->end))
        return err_set(err, ERR_CORRUPT, "the file tree is damaged");
    struct span nodes = cursor_bytes(&cursor, count * (size_t)TREE_HASH_LEN);
    struct span have = cursor_bytes(&cursor, TREE_HASH_LEN);
    if (!cursor.failed)
        crypto_sha256(span_of(bytes.data, bytes.len - TREE_HASH_LEN), digest.bytes);
    if (cursor.failed || cursor.left > 0 || !span_eq(have, span_of(digest.bytes, TREE_HASH_LEN)))
        return err_set(err, ERR_CORRUPT, "the file tree is damaged");
    memcpy(out->node, nodes.p, nodes.len);
    out->count = count;
    return 0;
}

/* ------------------------------------------------------------------ dropped segments */

static const char dropped_title[] = "drun audit segment dropped\n";

void audit_dir_put_dropped(const char *origin, const struct dir_dropped *dropped, struct buf *out)
{
    char when[CLOCK_TEXT_SIZE];

    clock_format_sec(dropped->dropped_sec, when);
    buf_printf(out, "%s%s\n%" PRIu64 " %" PRIu64 "\n%s\n", dropped_title, origin, dropped->first,
               dropped->end, when);
    for (size_t i = 0; i < dropped->range.count; i++) {
        enc_base64_put(ENC_BASE64, span_of(dropped->range.node[i].bytes, TREE_HASH_LEN), out);
        buf_put_u8(out, '\n');
    }
}

/* The text is exactly what audit_dir_put_dropped() makes of what is read from it. */
static int parse_dropped(const char *origin, struct span text, struct dir_dropped *out,
                         struct err *err)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(NOTE_MAX);
    CLEANUP_FREE char *head = mem_printf("%s%s\n", dropped_title, origin);
    struct span part[3 + TREE_RANGE_MAX];
    size_t parts = 0;

    if (!span_has_prefix(text, head))
        return err_set(err, ERR_CORRUPT, "it is no note of a dropped segment of %s", origin);
    text = span_of(text.p + strlen(head), text.len - strlen(head));
    for (size_t start = 0, i = 0; i < text.len && parts < ARRAY_LEN(part); i++) {
        if (text.p[i] != '\n' && !(text.p[i] == ' ' && parts == 0))
            continue;
        part[parts++] = span_of(text.p + start, i - start);
        start = i + 1;
    }
    if (parts < 3)
        return err_set(err, ERR_CORRUPT, "the note of a dropped segment is too short");
    TRY(num_parse_u64(part[0], 0, UINT64_MAX, "first record", &out->first, err));
    TRY(num_parse_u64(part[1], 0, UINT64_MAX, "end", &out->end, err));
    TRY(clock_parse(part[2], &out->dropped_sec, err));
    tree_range_init(&out->range, out->first);
    if (out->end <= out->first || parts - 3 != tree_range_nodes(out->first, out->end))
        return err_set(err, ERR_CORRUPT, "the note of a dropped segment has the wrong hashes");
    for (size_t i = 3; i < parts; i++) {
        CLEANUP(buf_free) struct buf hash = BUF_INIT(TREE_HASH_LEN);
        TRY(enc_unbase64(ENC_BASE64, part[i], &hash, err));
        if (hash.len == TREE_HASH_LEN)
            memcpy(out->range.node[out->range.count++].bytes, hash.data, TREE_HASH_LEN);
    }
    out->range.end = out->end;
    audit_dir_put_dropped(origin, out, &again);
    if (again.len != strlen(head) + text.len || memcmp(again.data + strlen(head), text.p, text.len))
        return err_set(err, ERR_CORRUPT, "the note of a dropped segment is not in its own form");
    return 0;
}

int audit_dir_get_dropped(struct audit_dir *dir, uint64_t first, struct dir_dropped *out,
                          struct err *err)
{
    CLEANUP(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    char name[SEGMENT_NAME_SIZE];
    struct span text;

    segment_name(first, ".dropped", name);
    TRY(fd_read_file(dir->fd, name, &note, err));
    if (note_open(buf_span(&note), dir->keys, &text, err) < 0 ||
        parse_dropped(dir->origin, text, out, err) < 0)
        return err_wrap(err, "%s", name);
    if (out->first != first)
        return err_set(err, ERR_CORRUPT, "%s is the note of another segment", name);
    return 0;
}
