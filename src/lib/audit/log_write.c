/* SPDX-License-Identifier: Apache-2.0 */
/* Segments are started, written and sealed here. */
#include "audit/log_internal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "log/log.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int log_sync_dir(const struct audit_log *log, struct err *err)
{
    if (fsync(log->dir_fd) < 0)
        return err_sys(err, "cannot make the audit log's directory durable");
    return 0;
}

static int write_at(int fd, struct span bytes, uint64_t at, struct err *err)
{
    while (bytes.len > 0) {
        ssize_t put = pwrite(fd, bytes.p, bytes.len, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_sys(err, "cannot write the audit log");
        bytes = span_of(bytes.p + put, bytes.len - (size_t)put);
        at += (uint64_t)put;
    }
    return 0;
}

/* Behind live->end. What did not become durable is taken away again. */
static int write_durably(struct audit_log *log, struct span bytes, struct err *err)
{
    struct segment_file *live = log->live;

    if (log->dirty_tail && ftruncate(live->fd, (off_t)live->end) < 0)
        return err_sys(err, "cannot cut off a failed write of the audit log");
    log->dirty_tail = false;
    int done = write_at(live->fd, bytes, live->end, err);
    if (done == 0 && fdatasync(live->fd) < 0) {
        done = err_sys(err, "cannot make the audit log durable");
        /* The kernel reports such a failure once and forgets it; this file is not trusted again. */
        log->must_roll = true;
    }
    if (done < 0)
        log->dirty_tail = ftruncate(live->fd, (off_t)live->end) < 0;
    return done;
}

/* ------------------------------------------------------------------ segments */

/* A log that root opens before it becomes another user stays that user's, who owns the directory.
 */
static int give_to_owner(const struct audit_log *log, int fd, struct err *err)
{
    struct stat st;

    if (geteuid() != 0)
        return 0;
    if (fstat(log->dir_fd, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0)
        return err_sys(err, "cannot give a segment to the owner of the audit log");
    return 0;
}

static int create_file(struct audit_log *log, struct segment_file *file, struct span header,
                       struct err *err)
{
    char name[SEGMENT_NAME_SIZE];

    segment_name(file->header.first, ".seg", name);
    file->fd = openat(log->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->fd < 0)
        return err_sys(err, "cannot create the segment %s", name);
    int done = give_to_owner(log, file->fd, err);
    if (done == 0)
        done = write_at(file->fd, header, 0, err);
    if (done == 0 && fdatasync(file->fd) < 0)
        done = err_sys(err, "cannot make the segment %s durable", name);
    if (done == 0)
        done = log_sync_dir(log, err);
    if (done < 0)
        unlinkat(log->dir_fd, name, 0);
    return done;
}

static int create_segment(struct audit_log *log, struct segment_file **out, struct err *err)
{
    CLEANUP(segment_file_free_ptr) struct segment_file *file = mem_new(sizeof(*file));
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(SEGMENT_WRAPPED_MAX);
    CLEANUP(buf_free) struct buf header = BUF_INIT(SEGMENT_HEADER_MAX);

    file->fd = -1;
    TRY(log->keys.make(log->keys.ctx, &file->key, &wrapped, err));
    file->header.first = log->tree.end;
    file->header.created_ns = log->now_ns();
    file->header.before = log->tree;
    memcpy(file->header.origin, log->origin, sizeof(file->header.origin));
    if (wrapped.len > 0)
        memcpy(file->header.wrapped, wrapped.data, wrapped.len);
    file->header.wrapped_len = wrapped.len;
    segment_put_header(&file->header, &header);
    TRY(buf_check(&header, "a segment's header", err));
    TRY(create_file(log, file, buf_span(&header), err));
    file->header_len = header.len;
    file->end = header.len;
    tree_range_init(&file->range, file->header.first);
    *out = file;
    file = NULL;
    return 0;
}

int log_start_segment(struct audit_log *log, struct err *err)
{
    struct segment_file *file = NULL;

    INVARIANT(log->live == NULL);
    TRY(create_segment(log, &file, err));
    log->live = file;
    log->must_roll = false;
    log->dirty_tail = false;
    audit_dir_add(&log->dir, file->header.first);
    log->dir.live = file;
    return 0;
}

static int seal(struct audit_log *log, struct err *err)
{
    struct segment_file *live = log->live;
    struct segment_trailer trailer = {.first = live->header.first,
                                      .count = live->count,
                                      .min_ns = live->min_ns,
                                      .max_ns = live->max_ns,
                                      .range = live->range,
                                      .leaves = live->leaves->bytes};
    CLEANUP_FREE uint32_t *offsets = mem_new_array(live->count, sizeof(*offsets));
    struct err ignored = ERR_INIT;

    /* Signed before it is closed, if kms is there; if not, the next checkpoint covers it. */
    if (audit_log_checkpoint(log, &ignored) < 0)
        log_error("audit.checkpoint", &ignored);
    for (uint64_t i = 0; i < live->count; i++)
        offsets[i] = htole32(live->offsets[i]);
    trailer.offsets = (const uint8_t *)offsets;
    buf_reset(&log->batch);
    segment_put_trailer(&live->header, &trailer, &log->batch);
    TRY(buf_check(&log->batch, "a segment's trailer", err));
    return write_durably(log, buf_span(&log->batch), err);
}

static int roll(struct audit_log *log, struct err *err)
{
    if (log->live != NULL && log->live->count > 0)
        TRY(seal(log, err));
    else if (log->live != NULL)
        return 0;
    segment_file_free(log->live);
    log->live = NULL;
    log->dir.live = NULL;
    return log_start_segment(log, err);
}

/* ------------------------------------------------------------------ records */

static int put_records(struct audit_log *log, const struct audit_event *events, size_t count,
                       struct err *err)
{
    struct segment_file *live = log->live;
    CLEANUP_FREE uint8_t *salts = mem_new_array(count, SEGMENT_SALT_LEN);
    CLEANUP(crypto_sealer_free_ptr) struct crypto_sealer *sealer = NULL;

    if (count > log->leaves_room) {
        log->leaves = mem_resize_array(log->leaves, count, sizeof(*log->leaves));
        log->leaves_room = count;
    }
    TRY(crypto_random(salts, count * SEGMENT_SALT_LEN, err));
    TRY(crypto_sealer_new(live->key, &sealer, err));
    buf_reset(&log->batch);
    segment_start_batch(&log->batch);
    for (size_t i = 0; i < count; i++) {
        buf_reset(&log->json);
        audit_event_put_json(&events[i], &log->json);
        TRY(buf_check(&log->json, "an audit record", err));
        TRY(segment_put_record(&live->header, sealer, log->tree.end + i,
                               salts + i * SEGMENT_SALT_LEN, buf_span(&log->json), &log->batch,
                               &log->leaves[i], err));
    }
    segment_finish_batch(&live->header, log->tree.end, (uint32_t)count, &log->batch);
    return 0;
}

/* They are durable: now memory may know of them too. */
static void commit(struct audit_log *log, const struct audit_event *events, size_t count)
{
    struct segment_file *live = log->live;
    struct span records =
        span_of(log->batch.data + SEGMENT_BATCH_HEAD, log->batch.len - SEGMENT_BATCH_HEAD);

    for (size_t i = 0; i < count; i++) {
        struct segment_record record;
        uint64_t at = live->end + (uint64_t)(records.p - log->batch.data);
        INVARIANT(segment_next_record(&records, log->tree.end, &record));
        if (live->count == 0 || events[i].time_ns < live->min_ns)
            live->min_ns = events[i].time_ns;
        live->max_ns = NUM_MAX(live->max_ns, events[i].time_ns);
        segment_file_add(live, (uint32_t)at, &record.leaf);
        tree_range_add(&log->tree, &record.leaf);
        log_note_anchor(log, &events[i]);
    }
    live->end += log->batch.len;
}

int log_write(struct audit_log *log, const struct audit_event *events, size_t count,
              uint64_t *out_first, struct err *err)
{
    uint64_t first = log->tree.end;

    TRY(put_records(log, events, count, err));
    TRY(write_durably(log, buf_span(&log->batch), err));
    commit(log, events, count);
    if (out_first != NULL)
        *out_first = first;
    return 0;
}

/* Every segment begins with the anchors, so that the newest ones are found without reading more. */
static int restate_anchors(struct audit_log *log, struct err *err)
{
    struct audit_event events[LOG_ANCHORS_MAX];

    if (log->anchor_count == 0)
        return 0;
    for (size_t i = 0; i < log->anchor_count; i++) {
        events[i] = log_own_event(log, AUDIT_STORE_ANCHOR, AUDIT_SUCCESS,
                                  "carried over into a new segment");
        events[i].role = span_str(log->anchor[i].role);
        events[i].anchor_revision = log->anchor[i].revision;
    }
    return log_write(log, events, log->anchor_count, NULL, err);
}

static bool is_full(const struct audit_log *log, size_t count)
{
    const struct segment_file *live = log->live;

    return live->count > 0 && (live->count + count > log->segment_records ||
                               live->end >= log->segment_bytes || log->must_roll);
}

int audit_log_append(struct audit_log *log, const struct audit_event *events, size_t count,
                     uint64_t *out_first, struct err *err)
{
    if (count == 0 || count > SEGMENT_RECORDS_MAX)
        return err_set(err, ERR_INVALID, "1 to %d audit events at once", SEGMENT_RECORDS_MAX);
    if (log->live == NULL || is_full(log, count))
        TRY(roll(log, err));
    if (log->live->count == 0)
        TRY(restate_anchors(log, err));
    return log_write(log, events, count, out_first, err);
}
