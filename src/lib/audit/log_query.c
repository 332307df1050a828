/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/log_internal.h"

#include "base/num.h"
#include "log/log.h"

#include <inttypes.h>

/* Buffers for one record, used again for the next. */
struct opened {
    struct buf room;
    struct buf plain;
    struct buf texts;
    struct audit_event event;
};

#define OPENED_INIT                                                                                \
    {                                                                                              \
        .room = BUF_INIT(SEGMENT_RECORD_HEAD + SEGMENT_SEALED_MAX),                                \
        .plain = BUF_INIT(SEGMENT_SEALED_MAX), .texts = BUF_INIT(AUDIT_JSON_MAX)                   \
    }

static void free_opened(struct opened *opened)
{
    buf_free(&opened->room);
    buf_free_wiped(&opened->plain);
    buf_free_wiped(&opened->texts);
}

static int open_plain(struct audit_log *log, struct segment_file *file, uint64_t index,
                      struct opened *opened, struct err *err)
{
    struct segment_record record;
    struct span wrapped = span_of(file->header.wrapped, file->header.wrapped_len);

    if (file->key == NULL)
        TRY(log->keys.open(log->keys.ctx, wrapped, &file->key, err));
    TRY(segment_file_read(file, index, &opened->room, &record, err));
    buf_reset(&opened->plain);
    return segment_open_record(&file->header, file->key, &record, &opened->plain, err);
}

static struct span json_of(const struct opened *opened)
{
    return span_of(opened->plain.data + SEGMENT_SALT_LEN, opened->plain.len - SEGMENT_SALT_LEN);
}

static int open_record(struct audit_log *log, struct segment_file *file, uint64_t index,
                       struct opened *opened, struct audit_found *found, struct err *err)
{
    TRY(open_plain(log, file, index, opened, err));
    buf_reset(&opened->texts);
    TRY(audit_event_parse_json(json_of(opened), &opened->texts, &opened->event, err));
    *found = (struct audit_found){.index = index,
                                  .event = &opened->event,
                                  .json = json_of(opened),
                                  .salt = span_of(opened->plain.data, SEGMENT_SALT_LEN)};
    return 0;
}

/* ------------------------------------------------------------------ matching */

static bool text_matches(struct span want, struct span have)
{
    if (want.len > 0 && want.p[want.len - 1] == '*')
        return have.len >= want.len - 1 && memcmp(have.p, want.p, want.len - 1) == 0;
    return want.len == 0 || span_eq(want, have);
}

static bool actor_matches(struct span want, const struct audit_event *event)
{
    bool others = span_has_prefix(want, "!");
    struct span name = others ? span_of(want.p + 1, want.len - 1) : want;

    if (want.len == 0)
        return true;
    return others != (span_eq(name, event->actor.name) || span_eq(name, event->actor.uid));
}

static bool matches(const struct audit_query *query, const struct audit_event *event)
{
    if (event->time_ns < query->since_ns ||
        (query->until_ns != 0 && event->time_ns >= query->until_ns))
        return false;
    if (query->outcome >= 0 && (int)event->outcome != query->outcome)
        return false;
    return actor_matches(query->actor, event) && text_matches(query->event, event->event) &&
           (query->namespace.len == 0 || span_eq(query->namespace, event->action.namespace)) &&
           (query->role.len == 0 || span_eq(query->role, event->role));
}

/* ------------------------------------------------------------------ walking */

struct walk {
    struct audit_log *log;
    const struct audit_query *query;
    uint64_t at; /* the next index to look at */
    bool done;
    uint64_t scanned;
    uint64_t skipped;
};

/* Leaves everything from `at` to the end of its segment, in the direction of the walk. */
static void leave_segment(struct walk *walk, const struct dir_segment *segment, uint64_t end)
{
    if (walk->query->oldest_first) {
        walk->at = end;
        walk->done = end >= walk->log->tree.end;
    } else {
        walk->done = segment->first == 0;
        walk->at = segment->first - 1;
    }
}

static void step(struct walk *walk)
{
    if (walk->query->oldest_first) {
        walk->at++;
        walk->done = walk->at >= walk->log->tree.end;
    } else {
        walk->done = walk->at == 0;
        walk->at--;
    }
}

/* By the times of a sealed segment. */
static bool out_of_time(struct walk *walk, struct dir_segment *segment)
{
    const struct audit_query *query = walk->query;
    struct segment_file *live = walk->log->live;
    struct err ignored = ERR_INIT;

    if ((query->since_ns == 0 && query->until_ns == 0) || segment->dropped)
        return false;
    if (live != NULL && live->header.first == segment->first)
        return false;
    if (audit_dir_peek(&walk->log->dir, segment, &ignored) < 0)
        return false;
    return segment->max_ns < query->since_ns ||
           (query->until_ns != 0 && segment->min_ns >= query->until_ns);
}

static void skip_to_boundary(struct walk *walk, const struct dir_segment *segment, uint64_t end,
                             bool count)
{
    if (count)
        walk->skipped += walk->query->oldest_first ? end - walk->at : walk->at - segment->first + 1;
    leave_segment(walk, segment, end);
}

/* 1 when fn ended the query. */
static int visit(struct walk *walk, struct opened *opened, audit_found_fn *fn, void *ctx,
                 struct err *err)
{
    struct dir_segment *segment = audit_dir_find(&walk->log->dir, walk->at);
    struct segment_file *file = NULL;
    struct audit_found found;
    struct err bad = ERR_INIT;

    INVARIANT(segment != NULL);
    uint64_t end = segment->end != 0 ? segment->end : walk->log->tree.end;
    if (out_of_time(walk, segment)) {
        skip_to_boundary(walk, segment, end, false);
        return 0;
    }
    if (audit_dir_load(&walk->log->dir, segment, &file, &bad) < 0) {
        skip_to_boundary(walk, segment, end, true);
        return 0;
    }
    walk->scanned++;
    uint64_t index = walk->at;
    step(walk);
    if (open_record(walk->log, file, index, opened, &found, &bad) < 0) {
        if (bad.code == ERR_UNAVAILABLE) {
            *err = bad;
            return -1;
        }
        walk->skipped++;
        return 0;
    }
    return matches(walk->query, found.event) ? fn(ctx, &found, err) : 0;
}

int audit_log_query(struct audit_log *log, const struct audit_query *query, audit_found_fn *fn,
                    void *ctx, uint64_t *out_next, uint64_t *out_skipped, struct err *err)
{
    CLEANUP(free_opened) struct opened opened = OPENED_INIT;
    struct walk walk = {.log = log, .query = query, .at = query->start};
    uint64_t size = log->tree.end;
    int result = 0;

    if (query->start == AUDIT_FROM_END)
        walk.at = query->oldest_first || size == 0 ? 0 : size - 1;
    walk.done = walk.at >= size;
    while (!walk.done && result == 0 && (query->scan_max == 0 || walk.scanned < query->scan_max))
        result = visit(&walk, &opened, fn, ctx, err);
    *out_next = walk.done ? AUDIT_FROM_END : walk.at;
    if (out_skipped != NULL)
        *out_skipped = walk.skipped;
    return result < 0 ? -1 : 0;
}

int audit_log_get(struct audit_log *log, uint64_t index, audit_found_fn *fn, void *ctx,
                  struct err *err)
{
    CLEANUP(free_opened) struct opened opened = OPENED_INIT;
    struct segment_file *file = NULL;
    struct audit_found found;

    if (index >= log->tree.end)
        return err_set(err, ERR_NOT_FOUND, "the audit log has no record %" PRIu64, index);
    struct dir_segment *segment = audit_dir_find(&log->dir, index);
    INVARIANT(segment != NULL);
    TRY(audit_dir_load(&log->dir, segment, &file, err));
    TRY(open_record(log, file, index, &opened, &found, err));
    return fn(ctx, &found, err) < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------ anchors */

/* Without parsing the rest. A quote inside a text is escaped, so the mark is found only where the
 * field is. */
static uint64_t time_of(struct span json)
{
    static const char mark[] = "\"time_unix_nano\":\"";
    const uint8_t *at = memmem(json.p, json.len, mark, sizeof(mark) - 1);
    struct err ignored = ERR_INIT;
    uint64_t time_ns = 0;

    if (at == NULL)
        return 0;
    at += sizeof(mark) - 1;
    size_t left = json.len - (size_t)(at - json.p);
    const uint8_t *end = memchr(at, '"', left);
    if (end == NULL || num_parse_u64(span_of(at, (size_t)(end - at)), 0, UINT64_MAX, "time",
                                     &time_ns, &ignored) < 0)
        return 0;
    return time_ns;
}

/* Parses only the records that have an anchor, and learns the times of the segment. Returns how
 * many could not be opened. */
static int load_from(struct audit_log *log, struct dir_segment *segment, struct err *err)
{
    static const char mark[] = "\"drun.anchor.revision\"";
    CLEANUP(free_opened) struct opened opened = OPENED_INIT;
    struct segment_file *file = NULL;
    uint64_t bad_count = 0;

    if (audit_dir_load(&log->dir, segment, &file, err) < 0)
        return -1;
    for (uint64_t i = 0; i < file->count; i++) {
        struct err bad = ERR_INIT;
        if (open_plain(log, file, file->header.first + i, &opened, &bad) < 0) {
            if (bad.code == ERR_UNAVAILABLE) {
                *err = bad;
                return -1;
            }
            bad_count++;
            continue;
        }
        struct span json = json_of(&opened);
        uint64_t time_ns = time_of(json);
        file->min_ns = i == 0 ? time_ns : NUM_MIN(file->min_ns, time_ns);
        file->max_ns = i == 0 ? time_ns : NUM_MAX(file->max_ns, time_ns);
        buf_reset(&opened.texts);
        if (memmem(json.p, json.len, mark, sizeof(mark) - 1) == NULL ||
            audit_event_parse_json(json, &opened.texts, &opened.event, &bad) < 0)
            continue;
        log_note_anchor(log, &opened.event);
    }
    return bad_count > 0;
}

/* A segment that has records begins with the anchors of all roles, so the newest such one is
 * enough; when some of it is unreadable the one before it may know more. */
int log_load_anchors(struct audit_log *log, struct err *err)
{
    size_t from = log->dir.count;
    bool enough = false;

    while (from > 0 && !enough) {
        struct dir_segment *segment = &log->dir.segment[--from];
        struct segment_file *file = NULL;
        struct err ignored = ERR_INIT;
        enough = segment->dropped ||
                 (audit_dir_load(&log->dir, segment, &file, &ignored) == 0 && file->count > 0);
    }
    for (size_t i = from; i < log->dir.count; i++) {
        struct err bad = ERR_INIT;
        int loaded = load_from(log, &log->dir.segment[i], &bad);
        if (loaded < 0 && bad.code == ERR_UNAVAILABLE) {
            *err = bad;
            return -1;
        }
        if (loaded != 0)
            log_say(LOG_WARN, "audit.anchors",
                    "some records from %" PRIu64 " on cannot be read; an anchor may be older",
                    log->dir.segment[i].first);
    }
    return 0;
}
