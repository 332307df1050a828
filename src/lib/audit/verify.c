/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/verify.h"

#include "audit/dir.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

/* A root that the tree must have at a size. */
struct claim {
    uint64_t size;
    struct tree_hash root;
    char file[SEGMENT_NAME_SIZE];
};

struct verifier {
    const struct audit_verify_options *options;
    struct audit_verdict *verdict;
    struct audit_dir dir;
    struct tree_range tree;
    struct claim *claim; /* by size */
    size_t claim_count;
    size_t claim_next;
    struct segment_file *file; /* the one that is read */
    uint64_t min_ns;
    uint64_t max_ns;
    char name[SEGMENT_NAME_SIZE]; /* what is looked at */
};

/* Once; ends the verification. */
static int bad(struct verifier *verifier, uint64_t index, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* What a callback returns, as an error, after bad(). */
enum { FOUND_BAD = -1 };

static int bad(struct verifier *verifier, uint64_t index, const char *fmt, ...)
{
    struct audit_verdict *verdict = verifier->verdict;
    va_list args;

    if (!verdict->good)
        return FOUND_BAD;
    verdict->good = false;
    verdict->index = index;
    snprintf(verdict->file, sizeof(verdict->file), "%s", verifier->name);
    va_start(args, fmt);
    vsnprintf(verdict->what, sizeof(verdict->what), fmt, args);
    va_end(args);
    return FOUND_BAD;
}

/* ------------------------------------------------------------------ checkpoints */

static void add_claim(struct verifier *verifier, const char *file, uint64_t size,
                      const struct tree_hash *root)
{
    size_t at = verifier->claim_count++;

    if ((at & (at + 1)) == 0) /* doubles */
        verifier->claim = mem_resize_array(verifier->claim, 2 * at + 2, sizeof(struct claim));
    for (; at > 0 && verifier->claim[at - 1].size > size; at--)
        verifier->claim[at] = verifier->claim[at - 1];
    verifier->claim[at] = (struct claim){.size = size, .root = *root};
    snprintf(verifier->claim[at].file, sizeof(verifier->claim[at].file), "%s", file);
}

static int take_checkpoint(void *ctx, struct span note, struct err *err UNUSED)
{
    struct verifier *verifier = ctx;
    struct checkpoint checkpoint;
    struct err why = ERR_INIT;

    if (checkpoint_open(note, verifier->options->keys, verifier->options->origin, &checkpoint,
                        &why) < 0)
        return bad(verifier, AUDIT_FROM_END, "checkpoint %" PRIu64 ": %s",
                   verifier->verdict->checkpoints + 1, why.msg);
    if (checkpoint.size < verifier->verdict->signed_size)
        return bad(verifier, AUDIT_FROM_END, "the checkpoints are not in their order");
    verifier->verdict->checkpoints++;
    verifier->verdict->signed_size = checkpoint.size;
    add_claim(verifier, verifier->name, checkpoint.size, &checkpoint.root);
    return 0;
}

static int read_checkpoints(struct verifier *verifier, struct err *err)
{
    for (size_t i = 0; i < verifier->dir.count; i++) {
        uint64_t first = verifier->dir.segment[i].first;
        segment_name(first, ".ckpt", verifier->name);
        int64_t torn = audit_dir_notes(verifier->dir.fd, first, take_checkpoint, verifier, err);
        if (torn < 0)
            return -1;
        if (torn > 0 && !(verifier->options->live && i + 1 == verifier->dir.count))
            return bad(verifier, AUDIT_FROM_END, "%" PRId64 " bytes at its end are no checkpoint",
                       torn);
    }
    return 0;
}

static int read_other_claims(struct verifier *verifier, struct err *err UNUSED)
{
    struct checkpoint kept;
    struct tree_range tree;
    struct tree_hash root;
    struct err why = ERR_INIT;

    snprintf(verifier->name, sizeof(verifier->name), "tree");
    if (audit_dir_get_tree(verifier->dir.fd, &tree, &why) == 0) {
        tree_root(&tree, &root);
        add_claim(verifier, "tree", tree.end, &root);
    } else if (why.code != ERR_NOT_FOUND) {
        return bad(verifier, AUDIT_FROM_END, "%s", why.msg);
    }
    if (verifier->options->kept.len == 0)
        return 0;
    snprintf(verifier->name, sizeof(verifier->name), "the kept checkpoint");
    err_clear(&why);
    if (checkpoint_open(verifier->options->kept, verifier->options->keys, verifier->options->origin,
                        &kept, &why) < 0)
        return bad(verifier, AUDIT_FROM_END, "%s", why.msg);
    add_claim(verifier, verifier->name, kept.size, &kept.root);
    return 0;
}

/* Every claim about the size that the tree has reached. Sizes inside a dropped segment cannot be
 * computed any more; their signatures were checked. */
static int check_claims(struct verifier *verifier, bool after_drop)
{
    struct tree_hash root;
    bool known = false;

    while (verifier->claim_next < verifier->claim_count) {
        const struct claim *claim = &verifier->claim[verifier->claim_next];
        if (claim->size > verifier->tree.end)
            break;
        if (claim->size == verifier->tree.end) {
            if (!known)
                tree_root(&verifier->tree, &root);
            known = true;
            if (!tree_hash_eq(&root, &claim->root)) {
                snprintf(verifier->name, sizeof(verifier->name), "%s", claim->file);
                return bad(
                    verifier, claim->size - (claim->size > 0),
                    "the records up to here do not have the root that was signed for %" PRIu64
                    " of them: they were changed, reordered or computed anew",
                    claim->size);
            }
        } else if (!after_drop) {
            return bad(verifier, claim->size, "a claim about a size that was passed");
        }
        verifier->claim_next++;
    }
    return 0;
}

/* ------------------------------------------------------------------ segments */

static int open_and_check(struct verifier *verifier, const struct segment_record *record)
{
    const struct audit_log_keys *keys = verifier->options->decrypt;
    struct segment_file *file = verifier->file;
    CLEANUP(buf_free_wiped) struct buf plain = BUF_INIT(SEGMENT_SEALED_MAX);
    CLEANUP(buf_free_wiped) struct buf texts = BUF_INIT(AUDIT_JSON_MAX);
    struct audit_event event;
    struct err why = ERR_INIT;

    if (file->key == NULL &&
        keys->open(keys->ctx, span_of(file->header.wrapped, file->header.wrapped_len), &file->key,
                   &why) < 0)
        return bad(verifier, record->index, "its data key does not open: %s", why.msg);
    if (segment_open_record(&file->header, file->key, record, &plain, &why) < 0)
        return bad(verifier, record->index, "%s", why.msg);
    struct span json = span_of(plain.data + SEGMENT_SALT_LEN, plain.len - SEGMENT_SALT_LEN);
    if (audit_event_parse_json(json, &texts, &event, &why) < 0)
        return bad(verifier, record->index, "%s", why.msg);
    verifier->min_ns = NUM_MIN(verifier->min_ns, event.time_ns);
    verifier->max_ns = NUM_MAX(verifier->max_ns, event.time_ns);
    verifier->verdict->opened++;
    return 0;
}

static int take_record(void *ctx, const struct segment_record *record, bool body,
                       struct err *err UNUSED)
{
    struct verifier *verifier = ctx;

    if (!body)
        return bad(verifier, record->index,
                   "the record was changed: its bytes do not match its "
                   "leaf hash");
    tree_range_add(&verifier->tree, &record->leaf);
    verifier->verdict->records++;
    if (check_claims(verifier, false) < 0)
        return FOUND_BAD;
    return verifier->options->decrypt != NULL ? open_and_check(verifier, record) : 0;
}

/* The trailer says what the records say. */
static int check_trailer(struct verifier *verifier, const struct segment_file *scanned,
                         struct err *err)
{
    CLEANUP(segment_file_free_ptr) struct segment_file *file = NULL;
    struct err why = ERR_INIT;

    TRY(segment_file_open(verifier->dir.fd, scanned->header.first, O_RDONLY, &file, err));
    if (segment_file_load_trailer(file, &why) <= 0)
        return bad(verifier, AUDIT_FROM_END, "its trailer is damaged");
    bool same =
        file->count == scanned->count && file->end == scanned->end &&
        memcmp(file->offsets, scanned->offsets, file->count * sizeof(*file->offsets)) == 0 &&
        memcmp(file->leaves, scanned->leaves, file->count * sizeof(*file->leaves)) == 0;
    struct segment_trailer peeked;
    same = same && segment_file_peek_trailer(file->fd, file->header.first, &peeked, &why) == 1 &&
           memcmp(peeked.range.node, scanned->range.node,
                  scanned->range.count * sizeof(*scanned->range.node)) == 0;
    if (same && verifier->options->decrypt != NULL)
        same = file->min_ns == verifier->min_ns && file->max_ns == verifier->max_ns;
    return same ? 0 : bad(verifier, AUDIT_FROM_END, "its trailer does not fit its records");
}

static int check_header(struct verifier *verifier, const struct segment_file *file)
{
    const struct tree_range *before = &file->header.before;

    if (strcmp(file->header.origin, verifier->options->origin) != 0)
        return bad(verifier, AUDIT_FROM_END, "it belongs to the log %s", file->header.origin);
    if (before->count != verifier->tree.count ||
        memcmp(before->node, verifier->tree.node, before->count * sizeof(*before->node)) != 0)
        return bad(verifier, AUDIT_FROM_END, "it does not continue the segment before it");
    return 0;
}

static int check_end(struct verifier *verifier, const struct segment_scan *scan, bool last,
                     struct err *err)
{
    struct segment_file *file = verifier->file;
    uint64_t next = file->header.first + file->count;

    if (scan->damaged)
        return bad(verifier, scan->bad_index, "%s", scan->what);
    if (scan->torn && !(last && verifier->options->live))
        return bad(verifier, next, "the bytes behind record %" PRId64 " are no whole batch",
                   (int64_t)next - 1);
    if (scan->trailer) {
        TRY(check_trailer(verifier, file, err));
        if (verifier->verdict->signed_size < next)
            return bad(verifier, verifier->verdict->signed_size,
                       "it is sealed, but no checkpoint covers it");
        return 0;
    }
    return last ? 0 : bad(verifier, next, "it was never sealed, but a newer segment follows");
}

static int verify_segment(struct verifier *verifier, const struct dir_segment *segment, bool last,
                          struct err *err)
{
    CLEANUP(segment_file_free_ptr) struct segment_file *file = NULL;
    struct segment_scan scan;
    struct err why = ERR_INIT;

    segment_name(segment->first, ".seg", verifier->name);
    if (segment_file_open(verifier->dir.fd, segment->first, O_RDONLY, &file, &why) < 0) {
        if (why.code == ERR_CORRUPT)
            return bad(verifier, AUDIT_FROM_END, "%s", why.msg);
        *err = why;
        return -1;
    }
    TRY(check_header(verifier, file));
    verifier->file = file;
    verifier->min_ns = UINT64_MAX;
    verifier->max_ns = 0;
    TRY(segment_file_scan(file, take_record, verifier, &scan, err));
    TRY(check_end(verifier, &scan, last, err));
    verifier->verdict->segments++;
    return 0;
}

static int verify_dropped(struct verifier *verifier, const struct dir_segment *segment)
{
    struct dir_dropped dropped;
    struct err why = ERR_INIT;

    segment_name(segment->first, ".dropped", verifier->name);
    if (audit_dir_get_dropped(&verifier->dir, segment->first, &dropped, &why) < 0)
        return bad(verifier, AUDIT_FROM_END, "%s", why.msg);
    tree_range_join(&verifier->tree, &dropped.range);
    verifier->verdict->dropped_segments++;
    return check_claims(verifier, true);
}

static int verify_segments(struct verifier *verifier, struct err *err)
{
    struct audit_dir *dir = &verifier->dir;

    for (size_t i = 0; i < dir->count; i++) {
        const struct dir_segment *segment = &dir->segment[i];
        segment_name(segment->first, ".seg", verifier->name);
        if (segment->first != verifier->tree.end)
            return bad(verifier, verifier->tree.end,
                       segment->first > verifier->tree.end
                           ? "the records before it are missing: a segment was deleted"
                           : "it overlaps the segment before it");
        TRY(segment->dropped ? verify_dropped(verifier, segment)
                             : verify_segment(verifier, segment, i + 1 == dir->count, err));
    }
    return 0;
}

static int check_size(struct verifier *verifier)
{
    struct audit_verdict *verdict = verifier->verdict;

    if (verifier->claim_next < verifier->claim_count) {
        const struct claim *claim = &verifier->claim[verifier->claim_next];
        snprintf(verifier->name, sizeof(verifier->name), "%s", claim->file);
        return bad(verifier, verifier->tree.end,
                   "records are missing at the end: it covers %" PRIu64
                   " of them, the files hold %" PRIu64,
                   claim->size, verifier->tree.end);
    }
    if (verifier->tree.end > 0 && verdict->signed_size == 0)
        return bad(verifier, AUDIT_FROM_END, "there is no checkpoint: nothing here is signed");
    return 0;
}

/* ------------------------------------------------------------------ the directory */

static int check_names(struct verifier *verifier, struct err *err)
{
    int fd = openat(verifier->dir.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    int result = 0;
    uint64_t first;

    if (list == NULL)
        return err_sys(err, "cannot list the audit log");
    for (struct dirent *entry; (entry = readdir(list)) != NULL && result == 0;) {
        snprintf(verifier->name, sizeof(verifier->name), "%.39s", entry->d_name);
        if (segment_parse_name(entry->d_name, ".damaged", &first) == 0)
            result = bad(verifier, first, "this segment could not be read and was put aside");
        if (segment_parse_name(entry->d_name, ".ckpt", &first) == 0) {
            const struct dir_segment *segment = audit_dir_find(&verifier->dir, first);
            if (segment == NULL || segment->first != first)
                result = bad(verifier, first, "its segment is missing");
        }
    }
    closedir(list);
    return result;
}

static int run(struct verifier *verifier, struct err *err)
{
    struct audit_verdict *verdict = verifier->verdict;

    TRY(audit_dir_open(verifier->dir.fd, verifier->options->keys, verifier->options->origin,
                       &verifier->dir, err));
    TRY(check_names(verifier, err));
    TRY(read_checkpoints(verifier, err));
    TRY(read_other_claims(verifier, err));
    TRY(check_claims(verifier, false));
    TRY(verify_segments(verifier, err));
    verdict->size = verifier->tree.end;
    tree_root(&verifier->tree, &verdict->root);
    return check_size(verifier);
}

int audit_verify(int dir_fd, const struct audit_verify_options *options, struct audit_verdict *out,
                 struct err *err)
{
    struct verifier verifier = {.options = options, .verdict = out, .dir = {.fd = dir_fd}};

    *out = (struct audit_verdict){.good = true, .index = AUDIT_FROM_END};
    tree_range_init(&verifier.tree, 0);
    int done = run(&verifier, err);
    audit_dir_close(&verifier.dir);
    free(verifier.claim);
    return done < 0 && out->good ? -1 : 0;
}
