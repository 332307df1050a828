/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "auth/auth_internal.h"
#include "base/mem.h"
#include "codec/json.h"
#include "snapshot/cidr.h"
#include "snapshot/identity_records.h"

#include <stdlib.h>

struct auth {
    struct snapshot_reader *reader;
    struct jose_keys *keys; /* those of the snapshot in force */
    uint8_t
        trust[CRYPTO_HASH_LEN]; /* over issuer, audience and keys: what remembered tokens rest on */
    struct auth_cache *cache;
    struct auth_seen seen;     /* proofs */
    struct auth_pepper pepper; /* of the snapshot in force */
    struct err trouble;
};

struct auth *auth_new(int *dir_fd, size_t cache_entries)
{
    struct auth *auth = mem_new(sizeof(*auth));

    auth->reader = snapshot_reader_new(&identity_snapshot, dir_fd);
    auth->keys = jose_keys_new();
    auth->cache = auth_cache_new(cache_entries);
    auth->seen.own = auth_replay_new();
    return auth;
}

void auth_free(struct auth *auth)
{
    if (auth == NULL)
        return;
    snapshot_reader_free(auth->reader);
    jose_keys_free(auth->keys);
    auth_cache_free(auth->cache);
    auth_replay_free(auth->seen.own);
    crypto_mac_free(auth->pepper.mac);
    free(auth);
}

void auth_share_proofs(struct auth *auth, auth_proof_fn *fn, void *ctx)
{
    auth->seen.shared = fn;
    auth->seen.ctx = ctx;
}

void auth_free_ptr(struct auth **auth)
{
    auth_free(*auth);
}

int auth_trouble(struct auth *auth, struct err *err)
{
    if (auth->trouble.code == ERR_NONE)
        return 0;
    *err = auth->trouble;
    err_clear(&auth->trouble);
    return -1;
}

/* ---------------------------------------------------------------- following the snapshot */

static struct span bytes_of(const struct snapshot *view, struct snapshot_ref ref)
{
    return span_of((const uint8_t *)snapshot_records(view, IDENTITY_BYTES) + ref.at, ref.count);
}

static void hash_trust(const struct snapshot *view, uint8_t out[CRYPTO_HASH_LEN])
{
    const struct identity_info *info = snapshot_records(view, IDENTITY_INFO);
    const struct identity_token_key *keys = snapshot_records(view, IDENTITY_TOKEN_KEYS);
    CLEANUP(buf_free) struct buf all = BUF_INIT(SIZE_MAX / 2);

    buf_put_block(&all, snapshot_text(view, info->issuer));
    buf_put_block(&all, snapshot_text(view, info->audience));
    for (uint32_t i = 0; i < snapshot_count(view, IDENTITY_TOKEN_KEYS); i++) {
        buf_put_block(&all, snapshot_text(view, keys[i].kid));
        buf_put_block(&all, bytes_of(view, keys[i].spki));
    }
    crypto_sha256(buf_span(&all), out);
}

static void take_keys(struct auth *auth, const struct snapshot *view)
{
    const struct identity_token_key *records = snapshot_records(view, IDENTITY_TOKEN_KEYS);

    jose_keys_free(auth->keys);
    auth->keys = jose_keys_new();
    for (uint32_t i = 0; i < snapshot_count(view, IDENTITY_TOKEN_KEYS); i++) {
        const char *kid = (const char *)snapshot_text(view, records[i].kid).p;
        struct jose_key *key = NULL;
        if (jose_key_from_spki(kid, bytes_of(view, records[i].spki), &key, &auth->trouble) == 0)
            jose_keys_add(auth->keys, &key);
    }
}

static void take_pepper(struct auth *auth, const struct snapshot *view)
{
    const struct identity_info *info = snapshot_records(view, IDENTITY_INFO);

    crypto_mac_free(auth->pepper.mac);
    auth->pepper.mac = crypto_mac_new(span_of(info->pepper, sizeof(info->pepper)));
    auth->pepper.turn++;
}

/* A new snapshot comes with every key that is made; the tokens are forgotten only when what they
 * were verified against has changed. */
static void follow(struct auth *auth)
{
    uint8_t trust[CRYPTO_HASH_LEN];

    if (snapshot_reader_refresh(auth->reader, &auth->trouble) <= 0)
        return;
    const struct snapshot *view = snapshot_reader_current(auth->reader);
    take_pepper(auth, view);
    hash_trust(view, trust);
    if (memcmp(trust, auth->trust, sizeof(trust)) == 0)
        return;
    memcpy(auth->trust, trust, sizeof(trust));
    take_keys(auth, view);
    auth_cache_clear(auth->cache);
}

/* ---------------------------------------------------------------- access tokens */

/* What the key could be used from, the token that came of it can. */
static int check_origin(const struct auth_principal *principal, const uint8_t *source,
                        struct err *err)
{
    uint8_t range[CIDR_ADDRESS_LEN];
    uint32_t bits;

    for (size_t i = 0; i < principal->cidr_count; i++) {
        struct err bad = ERR_INIT;
        const char *text = (const char *)auth_text(principal, principal->cidrs[i]).p;
        if (source != NULL && cidr_parse(text, range, &bits, &bad) == 0 &&
            cidr_holds(range, bits, source))
            return 0;
    }
    return principal->cidr_count == 0
               ? 0
               : err_set(err, ERR_DENIED, "the token may not be used from this address");
}

static int check_revocations(const struct snapshot *view, const struct auth_principal *principal,
                             const struct auth_token_times *times, int64_t now, struct err *err)
{
    struct span session = auth_text(principal, principal->session);
    const struct identity_user *user =
        identity_find_user(view, auth_text(principal, principal->name));

    if (now >= times->expires_at + AUTH_SKEW_SEC)
        return auth_refuse(err, "the token is refused: it has expired");
    if (now + AUTH_SKEW_SEC < times->not_before)
        return auth_refuse(err, "the token is refused: it is not valid yet");
    if (identity_is_revoked(view, IDENTITY_TOKEN_TABLE, auth_text(principal, principal->token)))
        return auth_refuse(err, "the token is refused: it was revoked");
    if (session.len > 0 && identity_is_revoked(view, IDENTITY_SESSION_TABLE, session))
        return auth_refuse(err, "the token is refused: its session has ended");
    if (user != NULL && user->disabled != 0)
        return auth_refuse(err, "the token is refused: its user is disabled");
    if (user != NULL && times->issued_at < user->void_before)
        return auth_refuse(err, "the token is refused: it was issued before its user signed out");
    return 0;
}

static int verify_token(struct auth *auth, const struct snapshot *view, struct span text,
                        const struct auth_input *input, struct auth_principal *out,
                        struct auth_token_times *times, struct err *err)
{
    const struct identity_info *info = snapshot_records(view, IDENTITY_INFO);
    struct jose_expect expect = {
        .typ = "at+jwt",
        .issuer = (const char *)snapshot_text(view, info->issuer).p,
        .audience = input->audience != NULL ? input->audience
                                            : (const char *)snapshot_text(view, info->audience).p,
        .now = input->now,
        .skew_sec = AUTH_SKEW_SEC,
    };
    CLEANUP_JSON json_t *claims = NULL;

    TRY(jose_jwt_verify(auth->keys, text, &expect, &claims, err));
    return auth_read_claims(claims, out, times, err);
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
            return true;
    return false;
}

/* Never remembered: elsewhere it is not good. */
static int check_scoped(struct auth *auth, const struct snapshot *view, struct span text,
                        const struct auth_input *input, struct auth_principal *out, struct err *err)
{
    const struct identity_info *info = snapshot_records(view, IDENTITY_INFO);
    const char *issuer = (const char *)snapshot_text(view, info->issuer).p;
    struct jose_expect expect = {.typ = "at+jwt",
                                 .issuer = issuer,
                                 .audience = issuer,
                                 .now = input->now,
                                 .skew_sec = AUTH_SKEW_SEC};
    CLEANUP_JSON json_t *claims = NULL;
    struct auth_token_times times;

    TRY(jose_jwt_verify(auth->keys, text, &expect, &claims, err));
    if (!has_word(codec_json_text(claims, "scope", ""), input->scope))
        return auth_refuse(err, "the token is refused: its scope is another one");
    TRY(auth_read_claims(claims, out, &times, err));
    TRY(check_revocations(view, out, &times, input->now, err));
    return check_origin(out, input->source, err);
}

static int check_token(struct auth *auth, const struct snapshot *view, struct span text,
                       const struct auth_input *input, struct auth_principal *out, struct err *err)
{
    struct auth_token_times times;
    uint8_t key[AUTH_CACHE_KEY_LEN];

    if (text.len > AUTH_TOKEN_MAX)
        return auth_refuse(err, "the token is refused: it is too long");
    crypto_sha256(text, key);
    /* What is remembered is for the platform. */
    if (input->audience != NULL || !auth_cache_find(auth->cache, key, out, &times)) {
        if (verify_token(auth, view, text, input, out, &times, err) < 0) {
            auth_principal_init(out, AUTH_NOBODY);
            return -1;
        }
        if (input->audience == NULL)
            auth_cache_put(auth->cache, key, out, &times);
    }
    TRY(check_revocations(view, out, &times, input->now, err));
    return check_origin(out, input->source, err);
}

/* ---------------------------------------------------------------- */

static int check_credential(struct auth *auth, struct span text, const struct auth_input *input,
                            struct auth_principal *out, struct err *err)
{
    const struct snapshot *view = snapshot_reader_current(auth->reader);

    if (view == NULL)
        return err_set(err, ERR_UNAVAILABLE, "no identities are known yet; try again in a moment");
    if (span_has_prefix(text, AUTH_KEY_PREFIX))
        return auth_check_key(&auth->pepper, view, text, input, out, err);
    if (span_has_prefix(text, "eyJ") && check_token(auth, view, text, input, out, err) == 0)
        return 0;
    if (span_has_prefix(text, "eyJ") && input->scope != NULL && text.len <= AUTH_TOKEN_MAX) {
        struct err first = *err;
        err_clear(err);
        if (check_scoped(auth, view, text, input, out, err) == 0)
            return 0;
        *err = first;
    }
    if (span_has_prefix(text, "eyJ"))
        return -1;
    return auth_refuse(err,
                       "the bearer token is neither an API key (sk-drun-...) nor an access token");
}

/* The scheme is compared without case (RFC 9110 section 11.1). */
static bool take_scheme(struct span header, const char *scheme, struct span *out)
{
    size_t len = strlen(scheme);

    if (header.len < len || strncasecmp((const char *)header.p, scheme, len) != 0)
        return false;
    while (len < header.len && header.p[len] == ' ')
        len++;
    *out = span_of(header.p + len, header.len - len);
    return true;
}

static int credential_of(struct span header, struct span *out, bool *with_proof, struct err *err)
{
    *with_proof = take_scheme(header, "DPoP ", out);
    if (*with_proof || take_scheme(header, "Bearer ", out))
        return 0;
    return auth_refuse(err,
                       "the Authorization header is not \"Bearer\" or \"DPoP\" and a credential");
}

/* What clients call us in a proof. */
static const char *issuer_of(const struct auth *auth)
{
    const struct snapshot *view = snapshot_reader_current(auth->reader);
    const struct identity_info *info = snapshot_records(view, IDENTITY_INFO);

    return (const char *)snapshot_text(view, info->issuer).p;
}

static int be_anonymous(struct auth_principal *out, struct err *err)
{
    auth_principal_init(out, AUTH_NOBODY);
    TRY(auth_put_text(out, span_str(AUTH_ANONYMOUS), &out->name, err));
    return auth_put_group(out, span_str(AUTH_GROUP_UNAUTHENTICATED), err);
}

int auth_check(struct auth *auth, const struct auth_input *input, struct auth_principal *out,
               struct err *err)
{
    struct span credential = input->session_cookie;
    bool from_cookie = input->authorization.len == 0;
    bool with_proof = false;

    auth_principal_init(out, AUTH_NOBODY);
    follow(auth);
    if (from_cookie && credential.len == 0)
        return be_anonymous(out, err);
    if (!from_cookie)
        TRY(credential_of(input->authorization, &credential, &with_proof, err));
    else if (span_has_prefix(credential, AUTH_KEY_PREFIX))
        return auth_refuse(err, "an API key does not belong into a cookie");
    if (check_credential(auth, credential, input, out, err) < 0) {
        if (err->code == ERR_TOO_LARGE)
            err->code = ERR_UNAUTHENTICATED;
        return -1;
    }
    out->from_cookie = from_cookie;
    return input->only_looking ? 0
                               : auth_check_possession(&auth->seen, issuer_of(auth), input,
                                                       credential, with_proof, out, err);
}
