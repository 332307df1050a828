/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification and proofs: over a directory of the log or a copy of it, with nothing but the files
 * and the public key; or of one record that the platform shows, checked here.
 */
#include "audit/report.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/audit.h"
#include "cli/local.h"
#include "codec/json.h"
#include "crypto/crypto.h"

#include <fcntl.h>
#include <stdlib.h>

enum { REPORT_MAX = 256 * 1024 };

struct subject {
    struct audit_report_options report;
    char *dir;
    struct buf key;
};

static void subject_free(struct subject *subject)
{
    free(subject->dir);
    buf_free(&subject->key);
}

#define SUBJECT_INIT                                                                               \
    {                                                                                              \
        .key = BUF_INIT(NOTE_MAX)                                                                  \
    }

int audit_fetch_text(struct client *client, const char *what, struct buf *out, struct err *err)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", AUDIT_API, what);
    CLEANUP(fetch_answer_free) struct fetch_answer answer = FETCH_ANSWER_INIT;
    struct client_call call = {.method = "GET", .path = path, .accept = "text/plain"};

    TRY(client_call(client, &call, &answer, err));
    buf_put_span(out, buf_span(&answer.body));
    return buf_check(out, what, err);
}

/* The key that was kept; else the platform's own word for it, which only shows that log and
 * platform agree. */
static int find_key(const struct audit_command *command, struct client *client,
                    struct subject *subject, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *opened = NULL;

    subject->report.public_key_file = command->public_key;
    if (command->public_key != NULL)
        return 0;
    if (client == NULL && client_open(&command->options, &opened, err) < 0)
        return err_wrap(err, "no --public-key, and the platform cannot be asked for it");
    TRY(audit_fetch_text(client != NULL ? client : opened, "publickey", &subject->key, err));
    subject->report.public_key = buf_span(&subject->key);
    fprintf(stderr, "note: the key came from the platform itself; an auditor keeps it elsewhere "
                    "(drun audit public-key > FILE) and gives it with --public-key\n");
    return 0;
}

/* The directory that was named, else the log of the platform on this machine. */
static void find_dir(const struct audit_command *command, const char *named,
                     struct subject *subject)
{
    const char *data_dir = local_data_dir(command->options.data_dir);

    subject->dir = named != NULL ? mem_strdup(named) : mem_printf("%s/audit", data_dir);
    subject->report.dir = subject->dir;
    subject->report.origin = command->origin;
    subject->report.checkpoint_file = command->checkpoint;
    subject->report.live = named == NULL && local_supervisor(data_dir) != 0;
}

/* ------------------------------------------------------------------ verify */

/* A verifier key begins with the log's name. */
static char *origin_of_key(const struct subject *subject, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(NOTE_MAX);
    const char *file = subject->report.public_key_file;

    if (file == NULL)
        buf_put_span(&text, subject->report.public_key);
    else if (fd_read_file(AT_FDCWD, file, &text, err) < 0)
        return NULL;
    size_t len = strcspn(buf_text(&text), "+\n");
    return buf_text(&text)[len] == '+' ? mem_strndup(buf_text(&text), len) : NULL;
}

static int verify_proof(const struct audit_command *command, struct subject *subject,
                        struct buf *report, struct err *err)
{
    CLEANUP(buf_free) struct buf proof = BUF_INIT(AUDIT_PROOF_MAX);

    TRY(fd_read_file(AT_FDCWD, command->proof, &proof, err));
    CLEANUP_FREE char *origin =
        command->origin != NULL ? mem_strdup(command->origin) : origin_of_key(subject, err);
    TRY(err->code != ERR_NONE ? -1 : 0);
    if (origin == NULL)
        return err_set(err, ERR_INVALID,
                       "the key does not say whose it is; name the log with --origin");
    subject->report.origin = origin;
    TRY(audit_report_check_proof(&subject->report, buf_span(&proof), report, err));
    return 1;
}

int audit_verify_log(const struct audit_command *command, struct err *err)
{
    CLEANUP(subject_free) struct subject subject = SUBJECT_INIT;
    CLEANUP(buf_free) struct buf report = BUF_INIT(REPORT_MAX);
    int good;

    TRY(find_key(command, NULL, &subject, err));
    if (command->proof != NULL) {
        good = verify_proof(command, &subject, &report, err);
    } else {
        find_dir(command, command->word, &subject);
        good = audit_report_verify(&subject.report, &report, err);
    }
    TRY(good);
    fputs(buf_text(&report), stdout);
    return good;
}

/* ------------------------------------------------------------------ prove */

static int take_base64(const json_t *text, void *out, size_t len, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(256);
    const char *base64 = json_string_value(text);

    TRY(enc_unbase64(ENC_BASE64, span_str(base64 == NULL ? "" : base64), &bytes, err));
    if (bytes.len != len)
        return err_set(err, ERR_INVALID, "the platform's proof is not well formed");
    memcpy(out, bytes.data, len);
    return 0;
}

static int take_path(const json_t *hashes, struct tree_proof *out, struct err *err)
{
    const json_t *hash;
    size_t i;

    if (json_array_size(hashes) > ARRAY_LEN(out->node))
        return err_set(err, ERR_INVALID, "the platform's proof is too long");
    json_array_foreach (hashes, i, hash)
        TRY(take_base64(hash, out->node[i].bytes, TREE_HASH_LEN, err));
    out->count = json_array_size(hashes);
    return 0;
}

/* The commitment is made here, from the event as it is shown: so the proof is of what was read. */
static int commit(const json_t *object, const json_t *salt_text, struct audit_proof *proof,
                  struct err *err)
{
    CLEANUP(buf_free) struct buf salt = BUF_INIT(64);
    CLEANUP(buf_free) struct buf json = BUF_INIT(64 * 1024);
    const char *base64 = json_string_value(salt_text);

    TRY(enc_unbase64(ENC_BASE64, span_str(base64 == NULL ? "" : base64), &salt, err));
    codec_json_put_canonical(json_object_get(object, "event"), &json);
    TRY(buf_check(&json, "the event", err));
    const struct span parts[] = {buf_span(&salt), buf_span(&json)};
    crypto_sha256_parts(parts, ARRAY_LEN(parts), proof->commitment.bytes);
    return audit_proof_opens(proof, buf_span(&salt), buf_span(&json), err);
}

int audit_proof_of_object(const json_t *object, struct buf *out, struct err *err)
{
    CLEANUP(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    const json_t *shown = json_object_get(object, "proof");
    const char *name = codec_json_text(json_object_get(object, "metadata"), "name", "");
    struct audit_proof proof = {0};

    TRY(num_parse_u64(span_str(name), 0, UINT64_MAX - 1, "the index", &proof.index, err));
    TRY(enc_unbase64(ENC_BASE64, span_str(codec_json_text(shown, "checkpoint", "")), &note, err));
    TRY(take_base64(json_object_get(shown, "seal"), proof.seal.bytes, TREE_HASH_LEN, err));
    TRY(take_path(json_object_get(shown, "hashes"), &proof.path, err));
    TRY(commit(object, json_object_get(shown, "salt"), &proof, err));
    proof.note = buf_span(&note);
    audit_proof_put(&proof, out);
    return buf_check(out, "the proof", err);
}

/* Asked for, and checked before it is given out. */
static int prove_online(const struct audit_command *command, struct subject *subject,
                        struct buf *out, struct err *err)
{
    CLEANUP(client_free_ptr) struct client *client = NULL;
    CLEANUP(buf_free) struct buf report = BUF_INIT(REPORT_MAX);
    CLEANUP_FREE char *path = mem_printf("%s/auditevents/%s", AUDIT_API, command->word);
    CLEANUP_JSON json_t *object = NULL;

    TRY(client_open(&command->options, &client, err));
    TRY(find_key(command, client, subject, err));
    TRY(client_json(client, "GET", path, NULL, NULL, &object, err));
    TRY(audit_proof_of_object(object, out, err));
    CLEANUP_FREE char *origin =
        command->origin != NULL ? mem_strdup(command->origin) : origin_of_key(subject, err);
    TRY(err->code != ERR_NONE ? -1 : 0);
    subject->report.origin = origin;
    return audit_report_check_proof(&subject->report, buf_span(out), &report, err);
}

int audit_prove(const struct audit_command *command, struct err *err)
{
    CLEANUP(subject_free) struct subject subject = SUBJECT_INIT;
    CLEANUP(buf_free) struct buf proof = BUF_INIT(AUDIT_PROOF_MAX);
    uint64_t index;

    if (command->word == NULL)
        return err_set(err, ERR_INVALID, "say which record: drun audit prove INDEX [DIR]");
    TRY(num_parse_u64(span_str(command->word), 0, UINT64_MAX - 1, "the index", &index, err));
    if (command->more != NULL) {
        TRY(find_key(command, NULL, &subject, err));
        find_dir(command, command->more, &subject);
        TRY(audit_report_prove(&subject.report, index, &proof, err));
    } else {
        TRY(prove_online(command, &subject, &proof, err));
    }
    fputs(buf_text(&proof), stdout);
    return 0;
}
