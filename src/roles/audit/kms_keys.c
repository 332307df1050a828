/* SPDX-License-Identifier: Apache-2.0 */
#include "kms_keys.h"

static const char collection[] = "audit/log";
static const char signing_key[] = "audit";

static int make(void *ctx, struct secret **out, struct buf *wrapped, struct err *err)
{
    struct kms_keys *keys = ctx;

    return keys_data_new(keys->kms, collection, out, wrapped, err);
}

static int open_key(void *ctx, struct span wrapped, struct secret **out, struct err *err)
{
    struct kms_keys *keys = ctx;

    return keys_data_open(keys->kms, collection, wrapped, out, err);
}

/* The key itself is the end of an Ed25519 SubjectPublicKeyInfo (RFC 8410). */
static int raw_public(const struct keys_public *key, uint8_t out[NOTE_PUBLIC_LEN], struct err *err)
{
    if (key->alg != SIGN_EDDSA || key->spki_len < NOTE_PUBLIC_LEN)
        return err_set(err, ERR_UNSUPPORTED, "the signing key %s is not an Ed25519 key", key->name);
    memcpy(out, key->spki + key->spki_len - NOTE_PUBLIC_LEN, NOTE_PUBLIC_LEN);
    return 0;
}

static int sign_current(struct kms_keys *keys, struct span text, struct buf *sig, struct err *err)
{
    if (keys->current.kid[0] == '\0')
        TRY(keys_public(keys->kms, signing_key, &keys->current, err));
    return keys_sign(keys->kms, signing_key, keys->current.kid, text, sig, err);
}

static int sign(void *ctx, struct span text, uint8_t public[NOTE_PUBLIC_LEN],
                uint8_t sig[NOTE_SIG_LEN], struct err *err)
{
    struct kms_keys *keys = ctx;
    CLEANUP(buf_free) struct buf out = BUF_INIT(SIGN_SIG_MAX);

    if (sign_current(keys, text, &out, err) < 0) {
        keys->current.kid[0] = '\0';
        if (err->code != ERR_GONE)
            return -1;
        /* It was rotated in between. */
        err_clear(err);
        TRY(sign_current(keys, text, &out, err));
    }
    TRY(raw_public(&keys->current, public, err));
    if (out.len != NOTE_SIG_LEN)
        return err_set(err, ERR_INTERNAL, "kms made a signature of %zu bytes", out.len);
    memcpy(sig, out.data, NOTE_SIG_LEN);
    return 0;
}

struct audit_log_keys kms_keys_functions(struct kms_keys *keys)
{
    return (struct audit_log_keys){.ctx = keys, .make = make, .open = open_key, .sign = sign};
}

int kms_keys_signers(void *ctx, struct note_keys *out, struct err *err)
{
    struct kms_keys *keys = ctx;
    CLEANUP(keys_public_list_free) struct keys_public_list list = {0};
    uint8_t public[NOTE_PUBLIC_LEN];

    out->count = 0;
    TRY(keys_list_public(keys->kms, signing_key, &list, err));
    for (size_t i = 0; i < list.count && out->count < NOTE_SIGNERS_MAX; i++) {
        TRY(raw_public(&list.items[i], public, err));
        TRY(note_key_init(&out->key[out->count], keys->origin, public, err));
        out->count++;
    }
    return 0;
}
