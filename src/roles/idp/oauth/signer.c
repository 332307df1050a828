/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens are signed by kms; here are their keys' public halves. */
#include "idp/idp_internal.h"

#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "jose/jose.h"
#include "keys/keys.h"

#include <stdlib.h>
#include <sys/queue.h>

/* Access tokens are signed with the first; clients choose for what is theirs. */
static const char *const key_names[SIGN_ALG_COUNT] = {
    [SIGN_ES256] = "oidc", [SIGN_EDDSA] = "oidc-eddsa", [SIGN_RS256] = "oidc-rs256"};
static const enum sign_alg access_alg = SIGN_ES256;

enum { HEADER_MAX = 256, JWKS_MAX = 128 * 1024 };

/* While two messages are under way, what is wanted gathers for the next one: kms always has work,
 * and nobody is woken for a few signatures. */
enum { AT_ONCE = 32, MESSAGES = 2 };

enum { SIGNATURE_TEXT = 1 + 86 }; /* of ES256, with the dot */

struct signer {
    struct idp *idp;
    struct keys_public_list keys;
    char kid[SIGN_ALG_COUNT][SIGN_KID_SIZE]; /* of the current generations */
    struct buf header_access;                /* encoded, with the dot behind it */
    struct buf jwks;
    struct jose_keys *verifiers;
    STAILQ_HEAD(, wanted) wanted;
    LIST_HEAD(, batch) asked; /* at kms */
    size_t asked_count;
};

/* A token that waits for its signature. */
struct wanted {
    struct buf input; /* header and payload, encoded: what is signed */
    size_t header_len;
    bool again; /* its key was rotated once */
    signer_fn *fn;
    void *ctx;
    STAILQ_ENTRY(wanted) entry;
};

/* A message to kms. */
struct batch {
    struct signer *signer;
    struct wanted *items[AT_ONCE];
    size_t count;
    char kid[SIGN_KID_SIZE];
    LIST_ENTRY(batch) entry;
};

static void put_header(const struct signer *signer, enum sign_alg alg, const char *typ,
                       struct buf *out)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(HEADER_MAX);

    buf_printf(&json, "{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}", sign_alg_name(alg), typ,
               signer->kid[alg]);
    enc_base64_put(ENC_BASE64URL, buf_span(&json), out);
    buf_put_u8(out, '.');
}

/* As a JWKS, and as keys. */
static int put_jwks(const struct keys_public_list *keys, struct buf *out,
                    struct jose_keys *verifiers, struct err *err)
{
    CLEANUP_JSON json_t *list = json_array();

    for (size_t i = 0; i < keys->count; i++) {
        const struct keys_public *public = &keys->items[i];
        CLEANUP(jose_key_free_ptr) struct jose_key *key = NULL;
        json_t *jwk = NULL;
        TRY(jose_key_from_spki(public->kid, span_of(public->spki, public->spki_len), &key, err));
        TRY(jose_key_to_jwk(key, &jwk, err));
        json_array_append_new(list, jwk);
        jose_keys_add(verifiers, &key);
    }
    CLEANUP_JSON json_t *set = json_pack("{s:O}", "keys", list);
    codec_json_put(set, out);
    return buf_check(out, "the JWKS", err);
}

static int take_kids(struct signer *signer, const struct keys_public_list *keys, struct err *err)
{
    char kids[SIGN_ALG_COUNT][SIGN_KID_SIZE] = {{0}};

    for (size_t i = 0; i < keys->count; i++) {
        const struct keys_public *key = &keys->items[i];
        if (key->state == KEYS_CURRENT && key->alg < SIGN_ALG_COUNT &&
            strcmp(key->name, key_names[key->alg]) == 0)
            memcpy(kids[key->alg], key->kid, SIGN_KID_SIZE);
    }
    for (enum sign_alg alg = SIGN_ES256; alg < SIGN_ALG_COUNT; alg++)
        if (kids[alg][0] == '\0')
            return err_set(err, ERR_UNAVAILABLE, "kms has no key \"%s\" to sign tokens with",
                           key_names[alg]);
    memcpy(signer->kid, kids, sizeof(kids));
    return 0;
}

int signer_refresh(struct signer *signer, struct err *err)
{
    CLEANUP(keys_public_list_free) struct keys_public_list keys = {0};
    CLEANUP(buf_free) struct buf jwks = BUF_INIT(JWKS_MAX);
    CLEANUP(jose_keys_free_ptr) struct jose_keys *verifiers = jose_keys_new();

    TRY(keys_list_public(role_peer(signer->idp->role, ROLE_KMS), key_names[access_alg], &keys,
                         err));
    TRY(put_jwks(&keys, &jwks, verifiers, err));
    TRY(take_kids(signer, &keys, err));
    bool changed = !span_eq(buf_span(&jwks), buf_span(&signer->jwks));
    buf_reset(&signer->header_access);
    put_header(signer, access_alg, "at+jwt", &signer->header_access);
    buf_reset(&signer->jwks);
    buf_put_span(&signer->jwks, buf_span(&jwks));
    jose_keys_free(signer->verifiers);
    signer->verifiers = verifiers;
    verifiers = NULL;
    keys_public_list_free(&signer->keys);
    signer->keys = keys;
    keys = (struct keys_public_list){0};
    return changed;
}

int signer_new(struct idp *idp, struct signer **out, struct err *err)
{
    struct signer *signer = mem_new(sizeof(*signer));

    *signer = (struct signer){
        .idp = idp, .header_access = BUF_INIT(2 * HEADER_MAX), .jwks = BUF_INIT(JWKS_MAX)};
    STAILQ_INIT(&signer->wanted);
    LIST_INIT(&signer->asked);
    *out = signer;
    TRY(ipc_client_attach(role_peer(idp->role, ROLE_KMS), role_loop(idp->role), err));
    return signer_refresh(signer, err);
}

static void free_wanted(struct wanted *wanted)
{
    buf_free_wiped(&wanted->input);
    free(wanted);
}

static void free_batch(struct signer *signer, struct batch *batch)
{
    LIST_REMOVE(batch, entry);
    signer->asked_count--;
    free(batch);
}

static void forget_wanted(struct signer *signer)
{
    while (!LIST_EMPTY(&signer->asked)) {
        struct batch *batch = LIST_FIRST(&signer->asked);
        for (size_t i = 0; i < batch->count; i++)
            free_wanted(batch->items[i]);
        free_batch(signer, batch);
    }
    while (!STAILQ_EMPTY(&signer->wanted)) {
        struct wanted *wanted = STAILQ_FIRST(&signer->wanted);
        STAILQ_REMOVE_HEAD(&signer->wanted, entry);
        free_wanted(wanted);
    }
}

void signer_free(struct signer *signer)
{
    if (signer == NULL)
        return;
    forget_wanted(signer);
    keys_public_list_free(&signer->keys);
    buf_free(&signer->header_access);
    buf_free(&signer->jwks);
    jose_keys_free(signer->verifiers);
    free(signer);
}

struct span signer_jwks(const struct signer *signer)
{
    return buf_span(&signer->jwks);
}

const struct jose_keys *signer_keys(const struct signer *signer)
{
    return signer->verifiers;
}

int signer_put_keys(const struct signer *signer, struct identity_builder *builder, struct err *err)
{
    for (size_t i = 0; i < signer->keys.count; i++) {
        const struct keys_public *key = &signer->keys.items[i];
        TRY(identity_builder_add_token_key(builder, key->kid, span_of(key->spki, key->spki_len),
                                           err));
    }
    return 0;
}

/* ------------------------------------------------------------------ one token */

static int sign_once(struct signer *signer, enum sign_alg alg, const char *typ, struct span payload,
                     struct buf *out, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP(buf_free) struct buf signature = BUF_INIT(SIGN_SIG_MAX);

    put_header(signer, alg, typ, &token);
    enc_base64_put(ENC_BASE64URL, payload, &token);
    TRY(buf_check(&token, "a token", err));
    TRY(keys_sign(role_peer(signer->idp->role, ROLE_KMS), key_names[alg], signer->kid[alg],
                  buf_span(&token), &signature, err));
    buf_put_u8(&token, '.');
    enc_base64_put(ENC_BASE64URL, buf_span(&signature), &token);
    TRY(buf_check(&token, "a token", err));
    buf_put_span(out, buf_span(&token));
    return buf_check(out, "a token", err);
}

int signer_sign(struct signer *signer, enum sign_alg alg, const char *typ, struct span payload,
                struct buf *out, struct err *err)
{
    if (sign_once(signer, alg, typ, payload, out, err) == 0)
        return 0;
    if (err->code != ERR_GONE)
        return -1;
    /* The key was rotated since we last asked. */
    err_clear(err);
    TRY(signer_refresh(signer, err));
    publish_touch_signers(signer->idp->publish);
    return sign_once(signer, alg, typ, payload, out, err);
}

int signer_sign_access(struct signer *signer, struct span payload, struct buf *out, struct err *err)
{
    return signer_sign(signer, access_alg, "at+jwt", payload, out, err);
}

/* ------------------------------------------------------------------ many tokens */

void signer_sign_later(struct signer *signer, struct span payload, signer_fn *fn, void *ctx)
{
    struct wanted *wanted = mem_new(sizeof(*wanted));

    *wanted = (struct wanted){.input = BUF_INIT(JOSE_TOKEN_MAX),
                              .header_len = signer->header_access.len,
                              .fn = fn,
                              .ctx = ctx};
    buf_expect(&wanted->input, wanted->header_len + 4 * (payload.len / 3 + 1) + SIGNATURE_TEXT);
    buf_put_span(&wanted->input, buf_span(&signer->header_access));
    enc_base64_put(ENC_BASE64URL, payload, &wanted->input);
    STAILQ_INSERT_TAIL(&signer->wanted, wanted, entry);
}

/* As many as go into one message to kms. */
static struct batch *take_batch(struct signer *signer, struct span inputs[AT_ONCE])
{
    struct batch *batch = mem_new(sizeof(*batch));
    size_t bytes = 0;

    batch->signer = signer;
    memcpy(batch->kid, signer->kid[access_alg], sizeof(batch->kid));
    while (!STAILQ_EMPTY(&signer->wanted) && batch->count < AT_ONCE) {
        struct wanted *wanted = STAILQ_FIRST(&signer->wanted);
        bytes += wanted->input.len;
        if (bytes > KEYS_SIGN_MAX && batch->count > 0)
            break;
        STAILQ_REMOVE_HEAD(&signer->wanted, entry);
        inputs[batch->count] = buf_span(&wanted->input);
        batch->items[batch->count++] = wanted;
    }
    LIST_INSERT_HEAD(&signer->asked, batch, entry);
    signer->asked_count++;
    return batch;
}

static void finish(struct wanted *wanted, struct span signature, const struct err *failed)
{
    struct err err = ERR_INIT;

    if (failed == NULL) {
        buf_put_u8(&wanted->input, '.');
        enc_base64_put(ENC_BASE64URL, signature, &wanted->input);
        if (buf_check(&wanted->input, "a token", &err) < 0)
            failed = &err;
    }
    wanted->fn(wanted->ctx, buf_span(&wanted->input), failed);
    free_wanted(wanted);
}

static void fail_batch(const struct batch *batch, const struct err *failed)
{
    for (size_t i = 0; i < batch->count; i++)
        finish(batch->items[i], (struct span){0}, failed);
}

/* ------------------------------------------------------------------ a key that was rotated */

static void put_new_header(const struct signer *signer, struct wanted *wanted)
{
    struct buf input = BUF_INIT(JOSE_TOKEN_MAX);
    struct span old = buf_span(&wanted->input);

    buf_put_span(&input, buf_span(&signer->header_access));
    buf_put(&input, old.p + wanted->header_len, old.len - wanted->header_len);
    buf_free_wiped(&wanted->input);
    wanted->input = input;
    wanted->header_len = signer->header_access.len;
    wanted->again = true;
}

/* Those that were asked for twice fail, the others are wanted again, in their order. */
static void want_again(struct signer *signer, const struct batch *batch, const struct err *failed)
{
    for (size_t i = batch->count; i-- > 0;) {
        struct wanted *wanted = batch->items[i];
        if (wanted->again) {
            finish(wanted, (struct span){0}, failed);
            continue;
        }
        put_new_header(signer, wanted);
        STAILQ_INSERT_HEAD(&signer->wanted, wanted, entry);
    }
}

/* Of several batches under way only the first one asks for the keys. */
static void refresh(struct signer *signer, const struct batch *batch)
{
    struct err err = ERR_INIT;

    if (memcmp(batch->kid, signer->kid[access_alg], sizeof(batch->kid)) == 0 &&
        signer_refresh(signer, &err) >= 0)
        publish_touch_signers(signer->idp->publish);
}

/* ------------------------------------------------------------------ from kms */

static void on_signed(void *ctx, struct span answer, const struct err *failed)
{
    struct batch *batch = ctx;
    struct signer *signer = batch->signer;
    struct err err = ERR_INIT;
    struct span all;
    size_t len;

    if (failed != NULL && failed->code == ERR_GONE) {
        refresh(signer, batch);
        want_again(signer, batch, failed);
    } else if (failed != NULL) {
        fail_batch(batch, failed);
    } else if (keys_get_signatures(answer, batch->count, &all, &len, &err) < 0) {
        fail_batch(batch, &err);
    } else {
        for (size_t i = 0; i < batch->count; i++)
            finish(batch->items[i], span_of(all.p + i * len, len), NULL);
    }
    free_batch(signer, batch);
}

void signer_run(struct signer *signer)
{
    struct err err = ERR_INIT;

    while (signer->asked_count < MESSAGES && !STAILQ_EMPTY(&signer->wanted)) {
        struct span inputs[AT_ONCE];
        struct batch *batch = take_batch(signer, inputs);
        if (keys_sign_later(role_peer(signer->idp->role, ROLE_KMS), key_names[access_alg],
                            batch->kid, inputs, batch->count, on_signed, batch, &err) == 0)
            continue;
        fail_batch(batch, &err);
        free_batch(signer, batch);
        err_clear(&err);
    }
}
