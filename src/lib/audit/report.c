/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/report.h"

#include "audit/dir.h"
#include "audit/verify.h"
#include "base/enc.h"
#include "base/fd.h"

#include <fcntl.h>
#include <inttypes.h>

/* What the functions below open. */
struct subject {
    int dir_fd;
    char origin[NOTE_NAME_SIZE];
    struct note_keys keys;
    struct audit_dir dir;
};

static void close_subject(struct subject *subject)
{
    audit_dir_close(&subject->dir);
    fd_close(&subject->dir_fd);
}

int audit_find_origin(int dir_fd, char out[NOTE_NAME_SIZE], struct err *err)
{
    static const struct note_keys none;
    struct audit_dir dir;
    struct segment_file *file = NULL;

    TRY(audit_dir_open(dir_fd, &none, "", &dir, err));
    int done = err_set(err, ERR_NOT_FOUND, "there is no segment of an audit log");
    for (size_t i = 0; i < dir.count && done < 0; i++) {
        if (dir.segment[i].dropped)
            continue;
        err_clear(err);
        done = segment_file_open(dir_fd, dir.segment[i].first, O_RDONLY, &file, err);
    }
    if (done == 0)
        memcpy(out, file->header.origin, NOTE_NAME_SIZE);
    segment_file_free(file);
    audit_dir_close(&dir);
    return done;
}

static int open_keys(const struct audit_report_options *options, struct subject *subject,
                     struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(NOTE_MAX);

    const char *what = options->public_key_file;

    if (what == NULL)
        buf_put_span(&text, options->public_key);
    else
        TRY(fd_read_file(AT_FDCWD, what, &text, err));
    if (note_keys_parse(buf_span(&text), subject->origin, &subject->keys, err) < 0)
        return err_wrap(err, "%s", what == NULL ? "the public key" : what);
    return 0;
}

static int open_subject(const struct audit_report_options *options, struct subject *subject,
                        struct err *err)
{
    subject->dir_fd = fd_open_dir(AT_FDCWD, options->dir, err);
    TRY(subject->dir_fd);
    if (options->origin != NULL)
        snprintf(subject->origin, sizeof(subject->origin), "%s", options->origin);
    else
        TRY(audit_find_origin(subject->dir_fd, subject->origin, err));
    TRY(open_keys(options, subject, err));
    return audit_dir_open(subject->dir_fd, &subject->keys, subject->origin, &subject->dir, err);
}

/* ------------------------------------------------------------------ verify */

static void put_verdict(const struct subject *subject, const struct audit_verdict *verdict,
                        struct buf *out)
{
    buf_printf(out, "log          %s\n", subject->origin);
    buf_printf(out, "segments     %" PRIu64 " read, %" PRIu64 " dropped by retention\n",
               verdict->segments, verdict->dropped_segments);
    buf_printf(out, "records      %" PRIu64 " checked\n", verdict->records);
    buf_printf(out, "checkpoints  %" PRIu64 ", the newest over %" PRIu64 " records\n",
               verdict->checkpoints, verdict->signed_size);
    if (!verdict->good) {
        buf_printf(out, "BAD          %s", verdict->file);
        if (verdict->index != AUDIT_FROM_END)
            buf_printf(out, ", record %" PRIu64, verdict->index);
        buf_printf(out, ": %s\n", verdict->what);
        return;
    }
    buf_put_str(out, "root         ");
    enc_base64_put(ENC_BASE64, span_of(verdict->root.bytes, TREE_HASH_LEN), out);
    buf_printf(out, " over %" PRIu64 " records\n", verdict->size);
    if (verdict->size > verdict->signed_size)
        buf_printf(out, "note         the newest %" PRIu64 " records are not signed yet\n",
                   verdict->size - verdict->signed_size);
    buf_put_str(out, "GOOD         nothing is missing, changed, reordered or forged\n");
}

int audit_report_verify(const struct audit_report_options *options, struct buf *out,
                        struct err *err)
{
    CLEANUP(close_subject) struct subject subject = {.dir_fd = -1};
    CLEANUP(buf_free) struct buf kept = BUF_INIT(NOTE_MAX);
    struct audit_verdict verdict;

    TRY(open_subject(options, &subject, err));
    if (options->checkpoint_file != NULL)
        TRY(fd_read_file(AT_FDCWD, options->checkpoint_file, &kept, err));
    struct audit_verify_options verify = {.keys = &subject.keys,
                                          .origin = subject.origin,
                                          .kept = buf_span(&kept),
                                          .live = options->live};
    TRY(audit_verify(subject.dir_fd, &verify, &verdict, err));
    put_verdict(&subject, &verdict, out);
    TRY(buf_check(out, "the report", err));
    return verdict.good;
}

/* ------------------------------------------------------------------ prove */

static int read_leaf(struct subject *subject, struct audit_proof *proof, struct err *err)
{
    CLEANUP(buf_free) struct buf room = BUF_INIT(SEGMENT_RECORD_HEAD + SEGMENT_SEALED_MAX);
    struct dir_segment *segment = audit_dir_find(&subject->dir, proof->index);
    struct segment_file *file = NULL;
    struct segment_record record;

    if (segment == NULL)
        return err_set(err, ERR_NOT_FOUND, "the log has no record %" PRIu64, proof->index);
    TRY(audit_dir_load(&subject->dir, segment, &file, err));
    TRY(segment_file_read(file, proof->index, &room, &record, err));
    proof->commitment = record.commitment;
    segment_seal_hash(&file->header.digest, record.sealed, &proof->seal);
    return 0;
}

int audit_report_prove(const struct audit_report_options *options, uint64_t index, struct buf *out,
                       struct err *err)
{
    CLEANUP(close_subject) struct subject subject = {.dir_fd = -1};
    CLEANUP(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    struct audit_proof proof = {.index = index};
    struct checkpoint checkpoint;

    TRY(open_subject(options, &subject, err));
    int found = audit_dir_newest(&subject.dir, &checkpoint, &note, err);
    if (found <= 0)
        return found < 0 ? -1
                         : err_set(err, ERR_NOT_FOUND,
                                   "no checkpoint of the log is signed by the given keys");
    if (index >= checkpoint.size)
        return err_set(err, ERR_NOT_FOUND,
                       "record %" PRIu64 " is not covered by the newest checkpoint, which is over "
                       "%" PRIu64 " records",
                       index, checkpoint.size);
    TRY(read_leaf(&subject, &proof, err));
    TRY(tree_prove_inclusion(audit_dir_node, &subject.dir, index, checkpoint.size, &proof.path,
                             err));
    proof.note = buf_span(&note);
    TRY(audit_proof_verify(&proof, &subject.keys, subject.origin, err));
    audit_proof_put(&proof, out);
    return buf_check(out, "the proof", err);
}

int audit_report_check_proof(const struct audit_report_options *options, struct span text,
                             struct buf *out, struct err *err)
{
    struct subject subject = {.dir_fd = -1};
    struct audit_proof proof;
    struct checkpoint checkpoint;

    TRY(options->origin == NULL ? err_set(err, ERR_INVALID, "the log's name is needed") : 0);
    snprintf(subject.origin, sizeof(subject.origin), "%s", options->origin);
    TRY(open_keys(options, &subject, err));
    TRY(audit_proof_parse(text, &proof, err));
    TRY(audit_proof_verify(&proof, &subject.keys, subject.origin, err));
    TRY(checkpoint_open(proof.note, &subject.keys, subject.origin, &checkpoint, err));
    buf_printf(out, "GOOD         record %" PRIu64 " is in %s, one of %" PRIu64 " signed records\n",
               proof.index, subject.origin, checkpoint.size);
    return buf_check(out, "the report", err);
}
