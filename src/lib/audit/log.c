/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/log_internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

static int init(struct audit_log *log, const struct audit_log_config *config, struct err *err)
{
    size_t len = strlen(config->origin);

    if (len == 0 || len >= sizeof(log->origin))
        return err_set(err, ERR_INVALID, "the name of an audit log has 1 to %d characters",
                       NOTE_NAME_SIZE - 1);
    memcpy(log->origin, config->origin, len);
    log->signers = *config->signers;
    log->keys = config->keys;
    log->segment_records =
        config->segment_records != 0 ? config->segment_records : LOG_SEGMENT_RECORDS;
    log->segment_bytes = config->segment_bytes != 0 ? config->segment_bytes : LOG_SEGMENT_BYTES;
    log->now_ns = config->now_ns != NULL ? config->now_ns : clock_wall_ns;
    log->batch.max = SEGMENT_BATCH_MAX;
    log->json.max = AUDIT_JSON_MAX;
    log->note.max = NOTE_MAX;
    if (flock(log->dir_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return err_set(err, ERR_CONFLICT, "another process writes this audit log");
    return 0;
}

int audit_log_open(int *dir_fd, const struct audit_log_config *config, struct audit_log **out,
                   struct err *err)
{
    CLEANUP(audit_log_close_ptr) struct audit_log *log = mem_new(sizeof(*log));

    log->dir_fd = fd_take(dir_fd);
    TRY(init(log, config, err));
    TRY(audit_dir_open(log->dir_fd, &log->signers, log->origin, &log->dir, err));
    TRY(log_recover(log, err));
    *out = log;
    log = NULL;
    return 0;
}

void audit_log_close(struct audit_log *log)
{
    if (log == NULL)
        return;
    segment_file_free(log->live);
    audit_dir_close(&log->dir);
    fd_close(&log->dir_fd);
    buf_free(&log->note);
    buf_free(&log->batch);
    buf_free_wiped(&log->json);
    free(log->leaves);
    free(log);
}

void audit_log_close_ptr(struct audit_log **log)
{
    audit_log_close(*log);
}

uint64_t audit_log_size(const struct audit_log *log)
{
    return log->tree.end;
}

struct span audit_log_newest_note(const struct audit_log *log)
{
    return buf_span(&log->note);
}

uint64_t audit_log_newest_size(const struct audit_log *log)
{
    return log->has_newest ? log->newest.size : 0;
}

uint64_t audit_log_damage_count(const struct audit_log *log)
{
    return log->damage_count;
}

uint64_t audit_log_anchor(const struct audit_log *log, struct span role)
{
    for (size_t i = 0; i < log->anchor_count; i++)
        if (span_eq_str(role, log->anchor[i].role))
            return log->anchor[i].revision;
    return 0;
}

/* In the order of the log: the newest counts, also when it is lower. */
void log_note_anchor(struct audit_log *log, const struct audit_event *event)
{
    size_t i = 0;

    if (event->anchor_revision == 0 || event->role.len == 0 || event->role.len >= LOG_ROLE_SIZE)
        return;
    while (i < log->anchor_count && !span_eq_str(event->role, log->anchor[i].role))
        i++;
    if (i == LOG_ANCHORS_MAX)
        return;
    if (i == log->anchor_count) {
        log->anchor_count++;
        log->anchor[i] = (struct log_anchor){0};
        memcpy(log->anchor[i].role, event->role.p, event->role.len);
    }
    log->anchor[i].revision = event->anchor_revision;
}

struct audit_event log_own_event(const struct audit_log *log, const char *name,
                                 enum audit_outcome outcome, const char *reason)
{
    return (struct audit_event){
        .time_ns = log->now_ns(),
        .event = span_str(name),
        .role = span_str("audit"),
        .outcome = outcome,
        .actor = {.name = span_str("system:drun:audit"), .source = AUDIT_SOURCE_ROLE},
        .reason = span_str(reason),
    };
}

/* ------------------------------------------------------------------ checkpoints */

/* Signed text, empty line, signature. The key may be newer than those that were known. */
static int sign_text(struct audit_log *log, struct buf *note, struct err *err)
{
    uint8_t public[NOTE_PUBLIC_LEN];
    uint8_t sig[NOTE_SIG_LEN];
    struct note_key key;
    bool known = false;

    TRY(log->keys.sign(log->keys.ctx, buf_span(note), public, sig, err));
    TRY(note_key_init(&key, log->origin, public, err));
    for (size_t i = 0; i < log->signers.count; i++)
        known = known || memcmp(key.public, log->signers.key[i].public, NOTE_PUBLIC_LEN) == 0;
    if (!known) {
        struct note_keys *signers = &log->signers;
        if (signers->count == NOTE_SIGNERS_MAX)
            memmove(&signers->key[0], &signers->key[1], (--signers->count) * sizeof(key));
        signers->key[signers->count++] = key;
    }
    note_put_signature(&key, sig, true, note);
    return buf_check(note, "a note", err);
}

/* The note, and an empty line so that the next one can be told from it. */
static int append_note(struct audit_log *log, struct buf *note, struct err *err)
{
    char name[SEGMENT_NAME_SIZE];

    segment_name(log->dir.segment[log->dir.count - 1].first, ".ckpt", name);
    CLEANUP_FD int fd =
        openat(log->dir_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, "cannot open %s", name);
    off_t end = lseek(fd, 0, SEEK_END);
    buf_put_u8(note, '\n');
    int written = fd_write_all(fd, buf_span(note), name, err);
    note->data[--note->len] = '\0';
    if (written == 0 && fdatasync(fd) < 0)
        written = err_sys(err, "cannot make %s durable", name);
    if (written < 0 && ftruncate(fd, end) < 0)
        log_say(LOG_ERROR, "audit.checkpoint", "%s has a torn note at its end", name);
    if (written == 0 && end == 0)
        return log_sync_dir(log, err);
    return written;
}

int audit_log_checkpoint(struct audit_log *log, struct err *err)
{
    CLEANUP(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    struct checkpoint checkpoint = {.size = log->tree.end};
    struct err ignored = ERR_INIT;

    if (log->tree.end == 0 || (log->has_newest && log->newest.size >= log->tree.end))
        return 0;
    memcpy(checkpoint.origin, log->origin, sizeof(checkpoint.origin));
    tree_root(&log->tree, &checkpoint.root);
    checkpoint_put(&checkpoint, &note);
    TRY(sign_text(log, &note, err));
    TRY(append_note(log, &note, err));
    log->newest = checkpoint;
    log->has_newest = true;
    buf_reset(&log->note);
    buf_put_span(&log->note, buf_span(&note));
    if (audit_dir_put_tree(log->dir_fd, &log->tree, &ignored) < 0)
        log_error("audit.tree", &ignored);
    return 0;
}

/* ------------------------------------------------------------------ proofs */

int audit_log_prove(struct audit_log *log, uint64_t index, uint64_t size, struct tree_proof *out,
                    struct tree_hash *out_seal, struct err *err)
{
    CLEANUP(buf_free) struct buf room = BUF_INIT(SEGMENT_RECORD_HEAD + SEGMENT_SEALED_MAX);
    struct segment_file *file = NULL;
    struct segment_record record;
    struct tree_hash root;

    if (index >= size || size > log->tree.end)
        return err_set(err, ERR_NOT_FOUND, "the log has no such record in a tree of this size");
    struct dir_segment *segment = audit_dir_find(&log->dir, index);
    INVARIANT(segment != NULL);
    TRY(audit_dir_load(&log->dir, segment, &file, err));
    TRY(segment_file_read(file, index, &room, &record, err));
    segment_seal_hash(&file->header.digest, record.sealed, out_seal);
    TRY(tree_prove_inclusion(audit_dir_node, &log->dir, index, size, out, err));
    if (size == log->tree.end)
        tree_root(&log->tree, &root);
    else
        TRY(tree_root_at(audit_dir_node, &log->dir, size, &root, err));
    return tree_verify_inclusion(&record.leaf, index, size, out, &root, err);
}

int audit_log_prove_consistency(struct audit_log *log, uint64_t old_size, uint64_t size,
                                struct tree_proof *out, struct err *err)
{
    struct tree_hash old_root;
    struct tree_hash root;

    if (size > log->tree.end)
        return err_set(err, ERR_NOT_FOUND, "the log is not that large yet");
    TRY(tree_prove_consistency(audit_dir_node, &log->dir, old_size, size, out, err));
    TRY(tree_root_at(audit_dir_node, &log->dir, old_size, &old_root, err));
    TRY(tree_root_at(audit_dir_node, &log->dir, size, &root, err));
    return tree_verify_consistency(old_size, size, out, &old_root, &root, err);
}

/* ------------------------------------------------------------------ retention */

/* Keeps the newest checkpoint of a dropped segment. */
static int keep_last_note(void *ctx, struct span note, struct err *err UNUSED)
{
    struct buf *last = ctx;

    buf_reset(last);
    buf_put_span(last, note);
    buf_put_u8(last, '\n');
    return 0;
}

static int drop_segment(struct audit_log *log, struct dir_segment *segment, struct err *err)
{
    CLEANUP(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    CLEANUP(buf_free) struct buf last = BUF_INIT(NOTE_MAX);
    struct dir_dropped dropped = {.first = segment->first, .end = segment->end};
    char name[SEGMENT_NAME_SIZE];

    dropped.dropped_sec = (int64_t)(log->now_ns() / 1000000000);
    tree_range_init(&dropped.range, segment->first);
    dropped.range.end = segment->end;
    dropped.range.count = segment->node_count;
    memcpy(dropped.range.node, segment->nodes, segment->node_count * TREE_HASH_LEN);
    audit_dir_put_dropped(log->origin, &dropped, &note);
    TRY(sign_text(log, &note, err));
    segment_name(segment->first, ".dropped", name);
    TRY(fd_replace_file(log->dir_fd, name, 0600, buf_span(&note), true, err));
    segment_name(segment->first, ".seg", name);
    if (unlinkat(log->dir_fd, name, 0) < 0)
        return err_sys(err, "cannot delete %s", name);
    segment->dropped = true;
    audit_dir_forget(&log->dir, segment->first);
    segment_name(segment->first, ".ckpt", name);
    TRY(audit_dir_notes(log->dir_fd, segment->first, keep_last_note, &last, err) < 0 ? -1 : 0);
    if (last.len > 0)
        TRY(fd_replace_file(log->dir_fd, name, 0600, buf_span(&last), true, err));
    return log_sync_dir(log, err);
}

int audit_log_drop_before(struct audit_log *log, uint64_t before_ns, struct err *err)
{
    int count = 0;

    for (size_t i = 0; i + 1 < log->dir.count; i++) {
        struct dir_segment *segment = &log->dir.segment[i];
        if (segment->dropped)
            continue;
        TRY(audit_dir_peek(&log->dir, segment, err));
        if (segment->max_ns >= before_ns)
            break;
        /* First the record, then the deed. */
        CLEANUP_FREE char *reason =
            mem_printf("retention drops the records %llu to %llu",
                       (unsigned long long)segment->first, (unsigned long long)segment->end - 1);
        struct audit_event event = log_own_event(log, AUDIT_SEGMENT_DROPPED, AUDIT_SUCCESS, reason);
        TRY(audit_log_append(log, &event, 1, NULL, err));
        TRY(drop_segment(log, &log->dir.segment[i], err));
        count++;
    }
    return count;
}
