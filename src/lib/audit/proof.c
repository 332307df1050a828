/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/report.h"

#include "audit/segment.h"
#include "base/enc.h"
#include "base/num.h"

#include <inttypes.h>

static const char title[] = "c2sp.org/tlog-proof@v1";

void audit_proof_put(const struct audit_proof *proof, struct buf *out)
{
    uint8_t leaf[2 * TREE_HASH_LEN];

    memcpy(leaf, proof->commitment.bytes, TREE_HASH_LEN);
    memcpy(leaf + TREE_HASH_LEN, proof->seal.bytes, TREE_HASH_LEN);
    buf_printf(out, "%s\nextra ", title);
    enc_base64_put(ENC_BASE64, span_of(leaf, sizeof(leaf)), out);
    buf_printf(out, "\nindex %" PRIu64 "\n", proof->index);
    for (size_t i = 0; i < proof->path.count; i++) {
        enc_base64_put(ENC_BASE64, span_of(proof->path.node[i].bytes, TREE_HASH_LEN), out);
        buf_put_u8(out, '\n');
    }
    buf_put_u8(out, '\n');
    buf_put_span(out, proof->note);
}

/* The next line without its end; false when there is none. */
static bool take_line(struct span *text, struct span *out)
{
    const uint8_t *end = text->len > 0 ? memchr(text->p, '\n', text->len) : NULL;

    if (end == NULL)
        return false;
    *out = span_of(text->p, (size_t)(end - text->p));
    *text = span_of(end + 1, text->len - out->len - 1);
    return true;
}

static bool take_word(struct span *text, const char *word, struct span *out)
{
    struct span line;
    size_t len = strlen(word);

    if (!take_line(text, &line) || !span_has_prefix(line, word))
        return false;
    *out = span_of(line.p + len, line.len - len);
    return true;
}

static int take_hashes(struct span base64, struct tree_hash *out, size_t count, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(2 * TREE_HASH_LEN);

    TRY(enc_unbase64(ENC_BASE64, base64, &bytes, err));
    if (bytes.len != count * TREE_HASH_LEN)
        return err_set(err, ERR_INVALID, "a hash in the proof has %zu bytes", bytes.len);
    memcpy(out, bytes.data, bytes.len);
    return 0;
}

int audit_proof_parse(struct span text, struct audit_proof *out, struct err *err)
{
    struct span rest;
    struct span extra;
    struct span index;
    struct span line;
    struct tree_hash leaf[2];

    *out = (struct audit_proof){0};
    if (!take_word(&text, title, &rest) || rest.len > 0 || !take_word(&text, "extra ", &extra) ||
        !take_word(&text, "index ", &index))
        return err_set(err, ERR_INVALID, "it is no proof: it does not begin with %s", title);
    TRY(take_hashes(extra, leaf, 2, err));
    out->commitment = leaf[0];
    out->seal = leaf[1];
    TRY(num_parse_u64(index, 0, UINT64_MAX - 1, "the index of the proof", &out->index, err));
    for (;;) {
        if (!take_line(&text, &line))
            return err_set(err, ERR_INVALID, "the proof has no checkpoint");
        if (line.len == 0)
            break;
        if (out->path.count == TREE_PROOF_MAX)
            return err_set(err, ERR_TOO_LARGE, "the proof has more than %d hashes", TREE_PROOF_MAX);
        TRY(take_hashes(line, &out->path.node[out->path.count++], 1, err));
    }
    out->note = text;
    return 0;
}

int audit_proof_verify(const struct audit_proof *proof, const struct note_keys *keys,
                       const char *origin, struct err *err)
{
    struct checkpoint checkpoint;
    struct tree_hash leaf;

    TRY(checkpoint_open(proof->note, keys, origin, &checkpoint, err));
    segment_leaf_of(&proof->commitment, &proof->seal, &leaf);
    return tree_verify_inclusion(&leaf, proof->index, checkpoint.size, &proof->path,
                                 &checkpoint.root, err);
}

int audit_proof_opens(const struct audit_proof *proof, struct span salt, struct span json,
                      struct err *err)
{
    struct tree_hash commitment;

    segment_commit(salt, json, &commitment);
    if (salt.len != SEGMENT_SALT_LEN || !tree_hash_eq(&commitment, &proof->commitment))
        return err_set(err, ERR_CORRUPT, "this is not the record that the proof is about");
    return 0;
}
