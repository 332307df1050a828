/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_AUDIT_LOG_INTERNAL_H
#define DRUN_AUDIT_LOG_INTERNAL_H

#include "audit/dir.h"
#include "audit/log.h"

enum {
    LOG_SEGMENT_RECORDS = 32768, /* a start reads one segment: a tenth of a second */
    LOG_SEGMENT_BYTES = 32 * 1024 * 1024,
    LOG_ANCHORS_MAX = 32,
    LOG_ROLE_SIZE = 32,
};

struct log_anchor {
    char role[LOG_ROLE_SIZE];
    uint64_t revision;
};

struct audit_log {
    int dir_fd;
    char origin[NOTE_NAME_SIZE];
    struct note_keys signers;
    struct audit_log_keys keys;
    uint64_t segment_records;
    uint64_t segment_bytes;
    uint64_t (*now_ns)(void);

    struct audit_dir dir;
    struct segment_file *live; /* the one that is written */
    struct tree_range tree;    /* of everything durable */
    bool must_roll;            /* a sync failed: go on in another file */
    bool dirty_tail;           /* bytes behind live->end that are not ours */

    struct checkpoint newest;
    bool has_newest;
    struct buf note; /* of the newest checkpoint */

    struct log_anchor anchor[LOG_ANCHORS_MAX];
    size_t anchor_count;
    uint64_t damage_count;

    struct buf batch;
    struct buf json;
    struct tree_hash *leaves; /* of the batch */
    size_t leaves_room;
};

/* log_write.c */
int log_start_segment(struct audit_log *log, struct err *err) MUST_USE;
int log_write(struct audit_log *log, const struct audit_event *events, size_t count,
              uint64_t *out_first, struct err *err) MUST_USE;
int log_sync_dir(const struct audit_log *log, struct err *err) MUST_USE;
void log_note_anchor(struct audit_log *log, const struct audit_event *event);

/* log_recover.c */
int log_recover(struct audit_log *log, struct err *err) MUST_USE;

/* log_query.c */
int log_load_anchors(struct audit_log *log, struct err *err) MUST_USE;

/* An event of the log itself. */
struct audit_event log_own_event(const struct audit_log *log, const char *name,
                                 enum audit_outcome outcome, const char *reason);

#endif
