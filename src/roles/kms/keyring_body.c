/* SPDX-License-Identifier: Apache-2.0 */
/* What is inside the seal. Each key is sealed once more, to be opened into locked memory. */
#include "base/mem.h"
#include "keyring_internal.h"

enum { AAD_MAX = 128 };

static void put_kek_aad(const struct keyring_kek *kek, struct buf *aad)
{
    buf_put_str(aad, "kek");
    buf_put_u32(aad, kek->version);
}

static void put_generation_aad(const struct keyring_generation *one, struct buf *aad)
{
    buf_put_str(aad, "sign");
    buf_put_block(aad, span_str(one->name));
    buf_put_u64(aad, (uint64_t)one->from_sec);
}

static void put_sealed(const struct keyring *keyring, const struct buf *aad,
                       const struct secret *key, struct buf *out)
{
    CLEANUP(buf_free) struct buf sealed = BUF_INIT(SECRET_MAX + CRYPTO_SEAL_OVERHEAD);
    struct err err = ERR_INIT;

    INVARIANT(crypto_seal(keyring->entry_key, buf_span(aad), secret_span(key), &sealed, &err) == 0);
    buf_put_block(out, buf_span(&sealed));
}

static void put_kek(const struct keyring *keyring, const struct keyring_kek *kek, struct buf *out)
{
    CLEANUP(buf_free) struct buf aad = BUF_INIT(AAD_MAX);

    put_kek_aad(kek, &aad);
    buf_put_u32(out, kek->version);
    buf_put_u64(out, (uint64_t)kek->created_sec);
    buf_put_u64(out, kek->wraps_counted);
    put_sealed(keyring, &aad, kek->key, out);
}

static void put_generation(const struct keyring *keyring, const struct keyring_generation *one,
                           struct buf *out)
{
    CLEANUP(buf_free) struct buf aad = BUF_INIT(AAD_MAX);
    CLEANUP(secret_free_ptr) struct secret *pkcs8 = NULL;
    struct err err = ERR_INIT;

    put_generation_aad(one, &aad);
    INVARIANT(sign_key_to_pkcs8(one->key, &pkcs8, &err) == 0);
    buf_put_block(out, span_str(one->name));
    buf_put_u64(out, (uint64_t)one->created_sec);
    buf_put_u64(out, (uint64_t)one->from_sec);
    put_sealed(keyring, &aad, pkcs8, out);
    buf_put_block(out, buf_span(&one->cert));
}

void keyring_put_body(const struct keyring *keyring, struct buf *out)
{
    buf_put_u32(out, (uint32_t)keyring->kek_count);
    for (size_t i = 0; i < keyring->kek_count; i++)
        put_kek(keyring, &keyring->keks[i], out);
    buf_put_u32(out, (uint32_t)keyring->generation_count);
    for (size_t i = 0; i < keyring->generation_count; i++)
        put_generation(keyring, &keyring->generations[i], out);
}

static int get_kek(struct keyring *keyring, struct cursor *in, struct err *err)
{
    CLEANUP(buf_free) struct buf aad = BUF_INIT(AAD_MAX);
    uint32_t before = keyring->kek_count == 0 ? 0 : keyring_newest_kek(keyring)->version;
    struct keyring_kek *kek = keyring_push_kek(keyring);

    kek->version = cursor_u32(in);
    kek->created_sec = (int64_t)cursor_u64(in);
    kek->wraps = kek->wraps_counted = cursor_u64(in);
    put_kek_aad(kek, &aad);
    TRY(crypto_open_secret(keyring->entry_key, buf_span(&aad), cursor_block(in), &kek->key, err));
    if (kek->version <= before || secret_len(kek->key) != CRYPTO_KEY_LEN)
        return err_set(err, ERR_CORRUPT, "KEK version %u is out of order or no key", kek->version);
    return 0;
}

static int get_generation(struct keyring *keyring, struct cursor *in, struct err *err)
{
    CLEANUP(buf_free) struct buf aad = BUF_INIT(AAD_MAX);
    CLEANUP(secret_free_ptr) struct secret *pkcs8 = NULL;
    struct keyring_generation *one = keyring_push_generation(keyring);
    int64_t ca_until_sec;

    cursor_text(in, one->name, sizeof(one->name));
    one->created_sec = (int64_t)cursor_u64(in);
    one->from_sec = (int64_t)cursor_u64(in);
    put_generation_aad(one, &aad);
    TRY(crypto_open_secret(keyring->entry_key, buf_span(&aad), cursor_block(in), &pkcs8, err));
    TRY(sign_key_from_pkcs8(secret_span(pkcs8), &one->key, err));
    buf_put_span(&one->cert, cursor_block(in));
    TRY(buf_check(&one->cert, "a certificate", err));
    one->alg = sign_key_alg(one->key);
    sign_key_kid(one->key, one->kid);
    const struct keyring_policy *policy = keyring_policy(one->name);
    if (policy == NULL || policy->alg != one->alg)
        return err_set(err, ERR_CORRUPT, "the signing key \"%s\" is not one of ours", one->name);
    if (strcmp(one->name, "ca") == 0)
        return x509_not_after(buf_span(&one->cert), &ca_until_sec, err);
    return 0;
}

int keyring_get_body(struct keyring *keyring, struct span body, struct err *err)
{
    struct cursor in = cursor_of(body);
    uint32_t kek_count = cursor_u32(&in);

    if (kek_count > KEYRING_KEKS_MAX)
        return err_set(err, ERR_CORRUPT, "the keyring has %u KEKs", kek_count);
    for (uint32_t i = 0; i < kek_count; i++)
        TRY(get_kek(keyring, &in, err));
    uint32_t generation_count = cursor_u32(&in);
    if (generation_count > KEYRING_GENERATIONS_MAX)
        return err_set(err, ERR_CORRUPT, "the keyring has %u signing keys", generation_count);
    for (uint32_t i = 0; i < generation_count; i++)
        TRY(get_generation(keyring, &in, err));
    if (keyring->kek_count == 0)
        return err_set(err, ERR_CORRUPT, "the keyring has no KEK");
    return cursor_done(&in, "the keyring", err);
}
