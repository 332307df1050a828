/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/note.h"

#include "base/enc.h"
#include "base/num.h"
#include "crypto/crypto.h"
#include "crypto/sign.h"

#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

enum { KIND_ED25519 = 1 };

/* SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): everything before the key is fixed. */
static const uint8_t spki_prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
enum { SPKI_LEN = sizeof(spki_prefix) + NOTE_PUBLIC_LEN };

static const char signature_mark[] = "\xe2\x80\x94 "; /* an em dash and a blank */

/* What C2SP allows, and no control characters. */
static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] <= ' ' || name.p[i] == '+' || name.p[i] == 0x7f)
            return false;
    return name.len > 0 && name.len < NOTE_NAME_SIZE;
}

static void compute_id(struct note_key *key)
{
    static const uint8_t kind = KIND_ED25519;
    uint8_t hash[CRYPTO_HASH_LEN];
    struct span parts[] = {span_str(key->name), span_of("\n", 1), span_of(&kind, 1),
                           span_of(key->public, NOTE_PUBLIC_LEN)};

    crypto_sha256_parts(parts, ARRAY_LEN(parts), hash);
    memcpy(key->id, hash, NOTE_ID_LEN);
}

static int init_key(struct note_key *key, struct span name, const uint8_t *public, struct err *err)
{
    if (!is_name(name))
        return err_set(err, ERR_INVALID,
                       "a log's name must be 1 to %d characters without blanks and '+'",
                       NOTE_NAME_SIZE - 1);
    *key = (struct note_key){0};
    memcpy(key->name, name.p, name.len);
    memcpy(key->public, public, NOTE_PUBLIC_LEN);
    compute_id(key);
    return 0;
}

int note_key_init(struct note_key *key, const char *name, const uint8_t public[NOTE_PUBLIC_LEN],
                  struct err *err)
{
    return init_key(key, span_str(name), public, err);
}

void note_key_put(const struct note_key *key, struct buf *out)
{
    uint8_t blob[1 + NOTE_PUBLIC_LEN] = {KIND_ED25519};

    memcpy(blob + 1, key->public, NOTE_PUBLIC_LEN);
    buf_put_str(out, key->name);
    buf_put_u8(out, '+');
    enc_hex_put(span_of(key->id, NOTE_ID_LEN), out);
    buf_put_u8(out, '+');
    enc_base64_put(ENC_BASE64, span_of(blob, sizeof(blob)), out);
}

/* Cuts the text at the first `mark`: returns what is before it and leaves the rest. */
static bool take_until(struct span *text, char mark, struct span *out)
{
    const uint8_t *at = text->len > 0 ? memchr(text->p, mark, text->len) : NULL;

    if (at == NULL)
        return false;
    *out = span_of(text->p, (size_t)(at - text->p));
    *text = span_of(at + 1, text->len - out->len - 1);
    return true;
}

int note_key_parse(struct span text, struct note_key *out, struct err *err)
{
    CLEANUP(buf_free) struct buf blob = BUF_INIT(1 + NOTE_PUBLIC_LEN);
    struct span name;
    struct span id_text;
    uint8_t id[NOTE_ID_LEN];

    if (!take_until(&text, '+', &name) || !take_until(&text, '+', &id_text))
        return err_set(err, ERR_INVALID, "a verifier key must look like name+hash+key");
    TRY(enc_unhex(id_text, id, sizeof(id), err));
    TRY(enc_unbase64(ENC_BASE64, text, &blob, err));
    if (blob.len != 1 + NOTE_PUBLIC_LEN || blob.data[0] != KIND_ED25519)
        return err_set(err, ERR_UNSUPPORTED, "a verifier key is not an Ed25519 key");
    TRY(init_key(out, name, blob.data + 1, err));
    if (memcmp(id, out->id, NOTE_ID_LEN) != 0)
        return err_set(err, ERR_INVALID, "the verifier key of %s does not have its own hash",
                       out->name);
    return 0;
}

static int parse_pem(struct span text, const char *origin, struct note_key *out, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(text.p, (int)NUM_MIN(text.len, (size_t)NOTE_MAX));
    char *name = NULL;
    char *header = NULL;
    unsigned char *der = NULL;
    long len = 0;
    int result;

    bool good = bio != NULL && PEM_read_bio(bio, &name, &header, &der, &len) == 1 &&
                strcmp(name, PEM_STRING_PUBLIC) == 0 && len == SPKI_LEN &&
                memcmp(der, spki_prefix, sizeof(spki_prefix)) == 0;
    if (good)
        result = note_key_init(out, origin, der + sizeof(spki_prefix), err);
    else
        result = err_set(err, ERR_INVALID, "the public key is not an Ed25519 key in PEM");
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    ERR_clear_error();
    return result;
}

int note_keys_parse(struct span text, const char *origin, struct note_keys *out, struct err *err)
{
    struct span line;

    out->count = 0;
    if (span_has_prefix(text, "-----BEGIN")) {
        out->count = 1;
        return parse_pem(text, origin, &out->key[0], err);
    }
    while (text.len > 0) {
        if (!take_until(&text, '\n', &line)) {
            line = text;
            text.len = 0;
        }
        if (line.len == 0 || line.p[0] == '#')
            continue;
        if (out->count == NOTE_SIGNERS_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %d verifier keys", NOTE_SIGNERS_MAX);
        TRY(note_key_parse(line, &out->key[out->count], err));
        out->count++;
    }
    if (out->count == 0)
        return err_set(err, ERR_INVALID, "there is no verifier key");
    return 0;
}

void checkpoint_put(const struct checkpoint *checkpoint, struct buf *out)
{
    buf_printf(out, "%s\n%" PRIu64 "\n", checkpoint->origin, checkpoint->size);
    enc_base64_put(ENC_BASE64, span_of(checkpoint->root.bytes, TREE_HASH_LEN), out);
    buf_put_u8(out, '\n');
}

void note_put_signature(const struct note_key *key, const uint8_t sig[NOTE_SIG_LEN], bool first,
                        struct buf *out)
{
    uint8_t blob[NOTE_ID_LEN + NOTE_SIG_LEN];

    memcpy(blob, key->id, NOTE_ID_LEN);
    memcpy(blob + NOTE_ID_LEN, sig, NOTE_SIG_LEN);
    buf_printf(out, "%s%s%s ", first ? "\n" : "", signature_mark, key->name);
    enc_base64_put(ENC_BASE64, span_of(blob, sizeof(blob)), out);
    buf_put_u8(out, '\n');
}

static int verify_one(const struct note_key *key, struct span text, struct span sig,
                      struct err *err)
{
    uint8_t spki[SPKI_LEN];
    CLEANUP(sign_key_free_ptr) struct sign_key *public = NULL;

    memcpy(spki, spki_prefix, sizeof(spki_prefix));
    memcpy(spki + sizeof(spki_prefix), key->public, NOTE_PUBLIC_LEN);
    TRY(sign_key_from_spki(span_of(spki, sizeof(spki)), &public, err));
    if (sign_verify(public, text, sig, err) < 0)
        return err_set(err, ERR_CORRUPT, "the signature of %s is not over this text", key->name);
    return 0;
}

/* One line "— name base64". Returns 1 when a known key signed, 0 when the signer is unknown. */
static int check_signature(struct span line, struct span text, const struct note_keys *keys,
                           struct err *err)
{
    CLEANUP(buf_free) struct buf blob = BUF_INIT(NOTE_MAX);
    struct span rest = line;
    struct span name;

    if (!span_has_prefix(line, signature_mark))
        return err_set(err, ERR_INVALID, "a note has a line that is no signature");
    rest = span_of(line.p + strlen(signature_mark), line.len - strlen(signature_mark));
    if (!take_until(&rest, ' ', &name) || !is_name(name))
        return err_set(err, ERR_INVALID, "a signature line has no name");
    TRY(enc_unbase64(ENC_BASE64, rest, &blob, err));
    if (blob.len <= NOTE_ID_LEN)
        return err_set(err, ERR_INVALID, "a signature line is too short");
    for (size_t i = 0; i < keys->count; i++) {
        const struct note_key *key = &keys->key[i];
        if (!span_eq_str(name, key->name) || memcmp(blob.data, key->id, NOTE_ID_LEN) != 0)
            continue;
        if (blob.len != NOTE_ID_LEN + NOTE_SIG_LEN)
            return err_set(err, ERR_CORRUPT, "the signature of %s has %zu bytes", key->name,
                           blob.len);
        TRY(verify_one(key, text, span_of(blob.data + NOTE_ID_LEN, NOTE_SIG_LEN), err));
        return 1;
    }
    return 0;
}

/* The text ends with the last empty line. */
static int split_note(struct span note, struct span *out_text, struct span *out_rest,
                      struct err *err)
{
    if (note.len > NOTE_MAX)
        return err_set(err, ERR_TOO_LARGE, "a note is larger than %d bytes", NOTE_MAX);
    for (size_t at = note.len; at >= 2; at--) {
        if (note.p[at - 1] != '\n' || note.p[at - 2] != '\n')
            continue;
        *out_text = span_of(note.p, at - 1);
        *out_rest = span_of(note.p + at, note.len - at);
        return 0;
    }
    return err_set(err, ERR_INVALID, "a note has no empty line before its signatures");
}

int note_open(struct span note, const struct note_keys *keys, struct span *out_text,
              struct err *err)
{
    struct span rest = {0};
    struct span line;
    size_t lines = 0;
    int known = 0;

    TRY(split_note(note, out_text, &rest, err));
    while (rest.len > 0) {
        if (!take_until(&rest, '\n', &line))
            return err_set(err, ERR_INVALID, "a note does not end in a newline");
        if (++lines > NOTE_SIGNERS_MAX)
            return err_set(err, ERR_TOO_LARGE, "a note has more than %d signatures",
                           NOTE_SIGNERS_MAX);
        int signed_by = check_signature(line, *out_text, keys, err);
        if (signed_by < 0)
            return -1;
        known += signed_by;
    }
    if (known == 0)
        return err_set(err, ERR_UNAUTHENTICATED, "none of the given keys signed the note");
    return 0;
}

static int parse_checkpoint(struct span text, struct checkpoint *out, struct err *err)
{
    CLEANUP(buf_free) struct buf root = BUF_INIT(TREE_HASH_LEN);
    struct span origin;
    struct span size;
    struct span hash;

    *out = (struct checkpoint){0};
    if (!take_until(&text, '\n', &origin) || !take_until(&text, '\n', &size) ||
        !take_until(&text, '\n', &hash) || !is_name(origin))
        return err_set(err, ERR_INVALID, "a checkpoint has fewer than three lines");
    memcpy(out->origin, origin.p, origin.len);
    TRY(num_parse_u64(size, 0, UINT64_MAX, "the size of a checkpoint", &out->size, err));
    TRY(enc_unbase64(ENC_BASE64, hash, &root, err));
    if (root.len != TREE_HASH_LEN)
        return err_set(err, ERR_INVALID, "the root hash of a checkpoint has %zu bytes", root.len);
    memcpy(out->root.bytes, root.data, TREE_HASH_LEN);
    return 0;
}

int checkpoint_open(struct span note, const struct note_keys *keys, const char *origin,
                    struct checkpoint *out, struct err *err)
{
    struct span text;

    TRY(note_open(note, keys, &text, err));
    TRY(parse_checkpoint(text, out, err));
    if (strcmp(out->origin, origin) != 0)
        return err_set(err, ERR_INVALID, "the checkpoint is of the log %s, not of %s", out->origin,
                       origin);
    return 0;
}
