/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include "base/mem.h"
#include "base/num.h"
#include "crypto/crypto.h"
#include "keyring_internal.h"
#include "keys/wire.h"

enum { AAD_MAX = 256 };

void keyring_free(struct keyring *keyring)
{
    if (keyring == NULL)
        return;
    while (keyring->kek_count > 0)
        keyring_drop_kek(keyring);
    while (keyring->generation_count > 0)
        keyring_drop_generation(keyring, keyring->generation_count - 1);
    free(keyring->keks);
    free(keyring->generations);
    secret_free(keyring->body_key);
    secret_free(keyring->entry_key);
    free(keyring);
}

void keyring_free_ptr(struct keyring **keyring)
{
    keyring_free(*keyring);
}

/* ------------------------------------------------------------------ the lists */

struct keyring_kek *keyring_push_kek(struct keyring *keyring)
{
    INVARIANT(keyring->kek_count < KEYRING_KEKS_MAX);
    keyring->keks = mem_resize_array(keyring->keks, keyring->kek_count + 1, sizeof(*keyring->keks));
    struct keyring_kek *kek = &keyring->keks[keyring->kek_count++];
    *kek = (struct keyring_kek){0};
    return kek;
}

void keyring_drop_kek(struct keyring *keyring)
{
    secret_free(keyring->keks[--keyring->kek_count].key);
}

struct keyring_generation *keyring_push_generation(struct keyring *keyring)
{
    INVARIANT(keyring->generation_count < KEYRING_GENERATIONS_MAX);
    keyring->generations = mem_resize_array(keyring->generations, keyring->generation_count + 1,
                                            sizeof(*keyring->generations));
    struct keyring_generation *made = &keyring->generations[keyring->generation_count++];
    *made = (struct keyring_generation){.cert = BUF_INIT(X509_DER_MAX)};
    return made;
}

void keyring_drop_generation(struct keyring *keyring, size_t i)
{
    struct keyring_generation *ended = &keyring->generations[i];

    sign_key_free(ended->key);
    buf_free(&ended->cert);
    keyring->generation_count--;
    memmove(ended, ended + 1, (keyring->generation_count - i) * sizeof(*ended));
}

struct keyring_kek *keyring_newest_kek(const struct keyring *keyring)
{
    INVARIANT(keyring->kek_count > 0);
    return &keyring->keks[keyring->kek_count - 1];
}

/* ------------------------------------------------------------------ data keys */

/* What a wrapped key is bound to. */
static void put_aad(const struct keyring *keyring, const char *collection, uint32_t version,
                    struct buf *aad)
{
    buf_put_str(aad, "drun data key");
    buf_put_u32(aad, version);
    buf_put_block(aad, span_str(keyring->header.instance));
    buf_put_block(aad, span_str(collection));
}

/* The count on disk runs ahead of the wraps, so that no crash can make it fall behind. */
static int count_wrap(struct keyring *keyring, struct keyring_kek *kek, struct err *err)
{
    if (kek->wraps >= 2ULL * KEYRING_KEK_WRAPS)
        return err_set(err, ERR_LIMITED, "KEK version %u has wrapped %d keys; rotate it",
                       kek->version, 2 * KEYRING_KEK_WRAPS);
    if (kek->wraps == kek->wraps_counted) {
        kek->wraps_counted += KEYRING_WRAPS_AHEAD;
        if (keyring_save(keyring, err) < 0) {
            kek->wraps_counted -= KEYRING_WRAPS_AHEAD;
            return -1;
        }
    }
    kek->wraps++;
    return 0;
}

int keyring_wrap(struct keyring *keyring, const char *collection, const struct secret *key,
                 struct buf *wrapped, struct err *err)
{
    CLEANUP(buf_free) struct buf aad = BUF_INIT(AAD_MAX);
    struct keyring_kek *kek = keyring_newest_kek(keyring);

    put_aad(keyring, collection, kek->version, &aad);
    TRY(buf_check(&aad, "the name of a collection", err));
    TRY(count_wrap(keyring, kek, err));
    buf_put_u8(wrapped, KEYS_WRAPPED_FORMAT);
    buf_put_u32(wrapped, kek->version);
    return crypto_seal(kek->key, buf_span(&aad), secret_span(key), wrapped, err);
}

static const struct keyring_kek *find_kek(const struct keyring *keyring, uint32_t version)
{
    for (size_t i = keyring->kek_count; i > 0; i--)
        if (keyring->keks[i - 1].version == version)
            return &keyring->keks[i - 1];
    return NULL;
}

int keyring_unwrap(const struct keyring *keyring, const char *collection, struct span wrapped,
                   struct secret **out, struct err *err)
{
    CLEANUP(buf_free) struct buf aad = BUF_INIT(AAD_MAX);
    uint32_t version = keys_wrapped_version(wrapped);

    if (version == 0)
        return err_set(err, ERR_CORRUPT, "the wrapped key of %s is damaged", collection);
    const struct keyring_kek *kek = find_kek(keyring, version);
    if (kek == NULL)
        return err_set(err, ERR_CORRUPT,
                       "the key of %s is wrapped under KEK version %u, which this keyring has not; "
                       "is the keyring older than the data?",
                       collection, version);
    put_aad(keyring, collection, version, &aad);
    TRY(buf_check(&aad, "the name of a collection", err));
    struct span sealed =
        span_of(wrapped.p + KEYS_WRAPPED_HEADER_LEN, wrapped.len - KEYS_WRAPPED_HEADER_LEN);
    if (crypto_open_secret(kek->key, buf_span(&aad), sealed, out, err) < 0)
        return err_wrap(err, "the wrapped key of %s", collection);
    return 0;
}

/* ------------------------------------------------------------------ generations */

size_t keyring_generation_count(const struct keyring *keyring)
{
    return keyring->generation_count;
}

const struct keyring_generation *keyring_generation_at(const struct keyring *keyring, size_t i)
{
    return &keyring->generations[i];
}

const struct keyring_generation *keyring_current(const struct keyring *keyring, const char *name,
                                                 int64_t now_sec)
{
    const struct keyring_generation *current = NULL;

    for (size_t i = 0; i < keyring->generation_count; i++) {
        const struct keyring_generation *one = &keyring->generations[i];
        /* The first one also when the clock is behind its birth: something must sign. */
        if (strcmp(one->name, name) == 0 && (current == NULL || one->from_sec <= now_sec))
            current = one;
    }
    return current;
}

static const struct keyring_generation *successor(const struct keyring *keyring, size_t i)
{
    for (size_t next = i + 1; next < keyring->generation_count; next++)
        if (strcmp(keyring->generations[next].name, keyring->generations[i].name) == 0)
            return &keyring->generations[next];
    return NULL;
}

bool keyring_generation_state(const struct keyring *keyring, size_t i, int64_t now_sec,
                              enum keys_state *out_state, int64_t *out_until_sec)
{
    const struct keyring_generation *one = &keyring->generations[i];
    const struct keyring_generation *current = keyring_current(keyring, one->name, now_sec);
    const struct keyring_policy *policy = keyring_policy(one->name);

    *out_until_sec = 0;
    *out_state = one == current ? KEYS_CURRENT : one > current ? KEYS_NEXT : KEYS_RETIRED;
    if (*out_state != KEYS_RETIRED || policy->keep_sec == KEYRING_KEEP)
        return true;
    *out_until_sec = successor(keyring, i)->from_sec + policy->keep_sec;
    return *out_until_sec > now_sec;
}

void keyring_status(const struct keyring *keyring, int64_t now_sec, struct keys_status *out)
{
    const struct keyring_kek *kek = keyring_newest_kek(keyring);
    const struct keyring_generation *ca = keyring_current(keyring, "ca", now_sec);
    struct err err = ERR_INIT;

    out->kek_version = kek->version;
    out->kek_count = (uint32_t)keyring->kek_count;
    out->kek_created_sec = kek->created_sec;
    out->kek_wraps = kek->wraps;
    out->signing_count = (uint32_t)keyring->generation_count;
    if (ca != NULL)
        INVARIANT(x509_not_after(buf_span(&ca->cert), &out->ca_until_sec, &err) == 0);
}
