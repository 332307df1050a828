/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start makes of the files. Three cases: the newest segment is whole; a crash left bytes at
 * its end that were never acknowledged (they are cut off); it is damaged (it stays as it is, and
 * the log goes on in a new segment behind what can be trusted).
 */
#include "audit/log_internal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

struct recovery {
    struct audit_log *log;
    struct dir_segment *last;
    struct segment_file *file; /* NULL when its header cannot be read */
    char what[400];            /* the damage; "" when there is none */
};

static void damaged(struct recovery *recovery, const char *what)
{
    if (recovery->what[0] == '\0')
        snprintf(recovery->what, sizeof(recovery->what), "%s", what);
}

/* ------------------------------------------------------------------ the tree so far */

/* The compact range of the first `size` leaves: the segment's own beginning and its leaf hashes. */
static bool range_of_file(const struct segment_file *file, uint64_t size, struct tree_range *out)
{
    if (file == NULL || size < file->header.first || size - file->header.first > file->count)
        return false;
    *out = file->header.before;
    for (uint64_t i = 0; i < size - file->header.first; i++)
        tree_range_add(out, &file->leaves[i]);
    return true;
}

static bool range_of_older(struct audit_log *log, uint64_t size, struct tree_range *out)
{
    struct err ignored = ERR_INIT;

    tree_range_init(out, 0);
    for (size_t i = 0; i < log->dir.count && out->end < size; i++) {
        struct dir_segment *segment = &log->dir.segment[i];
        struct tree_range range = {.begin = segment->first};
        if (segment->first != out->end || audit_dir_peek(&log->dir, segment, &ignored) < 0)
            return false;
        range.count = segment->node_count;
        range.end = segment->end;
        memcpy(range.node, segment->nodes, range.count * sizeof(*range.node));
        tree_range_join(out, &range);
    }
    return out->end == size;
}

static bool is_signed_root(const struct audit_log *log, const struct tree_range *range)
{
    struct tree_hash root;

    if (!log->has_newest || range->end != log->newest.size)
        return false;
    tree_root(range, &root);
    return tree_hash_eq(&root, &log->newest.root);
}

/* Where a damaged log goes on: as far as its leaf hashes agree with the newest checkpoint, else at
 * that checkpoint, else at the beginning of the damaged segment. */
static int choose_base(struct recovery *recovery, struct tree_range *out, struct err *err)
{
    struct audit_log *log = recovery->log;
    struct segment_file *file = recovery->file;
    struct err ignored = ERR_INIT;
    uint64_t first = recovery->last->first;

    if (file != NULL &&
        (!log->has_newest || log->newest.size <= first ||
         (range_of_file(file, log->newest.size, out) && is_signed_root(log, out)))) {
        INVARIANT(range_of_file(file, first + file->count, out));
        return 0;
    }
    if (audit_dir_get_tree(log->dir_fd, out, &ignored) == 0 && out->end >= first &&
        is_signed_root(log, out))
        return 0;
    if (range_of_file(file, first, out) || range_of_older(log, first, out))
        return 0;
    return err_set(err, ERR_CORRUPT,
                   "the audit log cannot go on: segment %" PRIu64
                   " and what is before it are damaged; restore them from a backup",
                   first);
}

/* ------------------------------------------------------------------ putting aside */

static int put_aside(struct audit_log *log, uint64_t first, struct err *err)
{
    char name[SEGMENT_NAME_SIZE];
    char aside[SEGMENT_NAME_SIZE];

    segment_name(first, ".seg", name);
    segment_name(first, ".damaged", aside);
    if (renameat2(log->dir_fd, name, log->dir_fd, aside, RENAME_NOREPLACE) < 0)
        return err_sys(err, "cannot put the damaged segment %s aside", name);
    log->dir.count--;
    return log_sync_dir(log, err);
}

static int go_on_elsewhere(struct recovery *recovery, struct err *err)
{
    struct audit_log *log = recovery->log;
    uint64_t first = recovery->last->first;

    TRY(choose_base(recovery, &log->tree, err));
    /* Then no proof can join what follows to what was signed; the next checkpoint begins anew. */
    bool lost = log->has_newest && log->newest.size > log->tree.end;
    CLEANUP_FREE char *text = mem_printf(
        "segment %" PRIu64 " is damaged: %s; the log goes on in a new segment at record %" PRIu64
        "%s",
        first, recovery->what, log->tree.end, lost ? ", and signed records are lost" : "");
    log->has_newest = log->has_newest && !lost;
    log_say(LOG_ERROR, "audit.damaged", "%s", text);
    log->damage_count++;
    if (log->tree.end == first)
        TRY(put_aside(log, first, err));
    segment_file_free(recovery->file);
    recovery->file = NULL;
    TRY(log_start_segment(log, err));
    TRY(log_load_anchors(log, err));
    struct audit_event event = log_own_event(log, AUDIT_SEGMENT_DAMAGED, AUDIT_FAILURE, text);
    return audit_log_append(log, &event, 1, NULL, err);
}

/* ------------------------------------------------------------------ the newest segment */

static int cut(struct segment_file *file, struct err *err)
{
    struct stat st;

    if (fstat(file->fd, &st) < 0 || ftruncate(file->fd, (off_t)file->end) < 0 ||
        fdatasync(file->fd) < 0)
        return err_sys(err, "cannot cut off the end of an audit segment");
    log_say(LOG_WARN, "audit.recover",
            "cut %" PRIu64 " bytes of a write that a crash interrupted, where record %" PRIu64
            " would be; nothing that was acknowledged is lost",
            (uint64_t)st.st_size - file->end, file->header.first + file->count);
    return 0;
}

static void check_against_checkpoint(struct recovery *recovery)
{
    struct audit_log *log = recovery->log;
    struct segment_file *file = recovery->file;
    struct tree_range range;

    if (!log->has_newest || log->newest.size < file->header.first)
        return;
    if (log->newest.size > file->header.first + file->count)
        damaged(recovery, "records that a checkpoint covers are missing at its end");
    else if (range_of_file(file, log->newest.size, &range) && !is_signed_root(log, &range))
        damaged(recovery, "its records are not those that the newest checkpoint signed");
}

static bool check_beginning(struct audit_log *log, const struct segment_file *file)
{
    struct tree_range range;

    /* Only when it costs little: an older damage has its own error. */
    return log->dir.count < 2 || !range_of_older(log, file->header.first, &range) ||
           memcmp(range.node, file->header.before.node, range.count * sizeof(*range.node)) == 0;
}

static int scan_newest(struct recovery *recovery, struct err *err)
{
    struct segment_file *file = recovery->file;
    struct segment_scan scan;
    CLEANUP_FREE char *what = NULL;
    struct err bad = ERR_INIT;

    if (segment_file_load_trailer(file, &bad) <= 0) {
        TRY(segment_file_scan(file, NULL, NULL, &scan, err));
        if (scan.damaged) {
            what = mem_printf("record %" PRIu64 ": %s", scan.bad_index, scan.what);
            damaged(recovery, what);
        }
        check_against_checkpoint(recovery);
        if ((scan.torn || scan.trailer) && recovery->what[0] == '\0')
            TRY(cut(file, err));
    } else {
        check_against_checkpoint(recovery);
    }
    if (!check_beginning(recovery->log, file))
        damaged(recovery, "its header does not continue the segment before it");
    return 0;
}

/* A segment whose creation was interrupted: no record can have been acknowledged in it. */
static bool is_unborn(struct recovery *recovery)
{
    struct audit_log *log = recovery->log;
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(2 * SEGMENT_HEADER_MAX);
    char name[SEGMENT_NAME_SIZE];
    struct err ignored = ERR_INIT;

    segment_name(recovery->last->first, ".seg", name);
    return fd_read_file(log->dir_fd, name, &bytes, &ignored) == 0 &&
           bytes.len < SEGMENT_HEADER_MAX &&
           (bytes.len == 0 || memmem(bytes.data, bytes.len, "drunbat1", 8) == NULL) &&
           !(log->has_newest && log->newest.size > recovery->last->first);
}

static int forget_unborn(struct audit_log *log, uint64_t first, struct err *err)
{
    char name[SEGMENT_NAME_SIZE];

    segment_name(first, ".seg", name);
    if (unlinkat(log->dir_fd, name, 0) < 0)
        return err_sys(err, "cannot delete the unfinished segment %s", name);
    log_say(LOG_WARN, "audit.recover", "removed %s, whose creation a crash interrupted", name);
    log->dir.count--;
    if (log->dir.count > 0)
        log->dir.segment[log->dir.count - 1].end = 0;
    return log_sync_dir(log, err);
}

/* The newest segment is good: write on in it, or behind it when it is sealed. */
static int adopt(struct recovery *recovery, struct err *err)
{
    struct audit_log *log = recovery->log;
    struct segment_file *file = recovery->file;

    INVARIANT(range_of_file(file, file->header.first + file->count, &log->tree));
    if (file->sealed) {
        recovery->last->end = log->tree.end;
        TRY(log_start_segment(log, err));
        return log_load_anchors(log, err);
    }
    TRY(log->keys.open(log->keys.ctx, span_of(file->header.wrapped, file->header.wrapped_len),
                       &file->key, err));
    log->live = file;
    log->dir.live = file;
    recovery->file = NULL;
    return log_load_anchors(log, err);
}

static int cut_torn_note(struct audit_log *log, uint64_t first, struct err *err);

static int recover_newest(struct recovery *recovery, struct err *err)
{
    struct audit_log *log = recovery->log;
    struct err bad = ERR_INIT;

    recovery->last = &log->dir.segment[log->dir.count - 1];
    uint64_t first = recovery->last->first;
    TRY(cut_torn_note(log, first, err));
    if (recovery->last->dropped) {
        damaged(recovery, "it was dropped, but nothing follows it");
        return go_on_elsewhere(recovery, err);
    }
    if (segment_file_open(log->dir_fd, first, O_RDWR, &recovery->file, &bad) < 0) {
        if (bad.code != ERR_CORRUPT) {
            *err = bad;
            return -1;
        }
        if (is_unborn(recovery)) {
            TRY(forget_unborn(log, first, err));
            return log_recover(log, err);
        }
        damaged(recovery, bad.msg);
        return go_on_elsewhere(recovery, err);
    }
    TRY(scan_newest(recovery, err));
    if (recovery->what[0] != '\0')
        return go_on_elsewhere(recovery, err);
    return adopt(recovery, err);
}

static int count_note(void *ctx, struct span note, struct err *err UNUSED)
{
    uint64_t *bytes = ctx;

    *bytes += note.len + 1;
    return 0;
}

static int cut_torn_note(struct audit_log *log, uint64_t first, struct err *err)
{
    char name[SEGMENT_NAME_SIZE];
    uint64_t whole = 0;

    segment_name(first, ".ckpt", name);
    int64_t torn = audit_dir_notes(log->dir_fd, first, count_note, &whole, err);
    if (torn <= 0)
        return (int)torn;
    CLEANUP_FD int fd = openat(log->dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || ftruncate(fd, (off_t)whole) < 0 || fdatasync(fd) < 0)
        return err_sys(err, "cannot cut off a torn checkpoint in %s", name);
    log_say(LOG_WARN, "audit.recover", "cut a checkpoint that a crash interrupted in %s", name);
    return 0;
}

int log_recover(struct audit_log *log, struct err *err)
{
    struct recovery recovery = {.log = log};

    int found = audit_dir_newest(&log->dir, &log->newest, &log->note, err);
    if (found < 0)
        return -1;
    log->has_newest = found > 0;
    if (log->dir.count == 0) {
        tree_range_init(&log->tree, 0);
        return log_start_segment(log, err);
    }
    int done = recover_newest(&recovery, err);
    segment_file_free(recovery.file);
    return done;
}
