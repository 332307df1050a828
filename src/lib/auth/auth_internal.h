/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_AUTH_AUTH_INTERNAL_H
#define DRUN_AUTH_AUTH_INTERNAL_H

#include "auth/auth.h"
#include "auth/replay.h"
#include "base/buf.h"
#include "crypto/mac.h"
#include "jose/jose.h"

/* ---------------------------------------------------------------- filling a principal */

/* Empty, without touching the room. */
void auth_principal_init(struct auth_principal *principal, enum auth_source source);
/* -1 with ERR_TOO_LARGE when the room or the list is full. */
int auth_put_text(struct auth_principal *principal, struct span text, struct auth_text *out,
                  struct err *err) MUST_USE;
int auth_put_group(struct auth_principal *principal, struct span group, struct err *err) MUST_USE;

/* ERR_UNAUTHENTICATED. */
static inline int auth_refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_UNAUTHENTICATED, "%s", why);
}

/* ---------------------------------------------------------------- API keys */

/* What the digests of keys are made with. */
struct auth_pepper {
    struct crypto_mac *mac;
    uint64_t turn; /* counts up with each that is taken, from 1 */
};

int auth_check_key(const struct auth_pepper *pepper, const struct snapshot *view, struct span text,
                   const struct auth_input *input, struct auth_principal *out,
                   struct err *err) MUST_USE;

/* ---------------------------------------------------------------- tokens */

/* What is looked at on each use of a token, also of one that is remembered. */
struct auth_token_times {
    int64_t issued_at;
    int64_t not_before;
    int64_t expires_at;
};

/* The principal of verified claims. */
int auth_read_claims(const json_t *claims, struct auth_principal *out,
                     struct auth_token_times *times, struct err *err) MUST_USE;

/* ---------------------------------------------------------------- the cache of verified tokens */

enum { AUTH_CACHE_KEY_LEN = 32 }; /* SHA-256 of the token */

struct auth_cache;

struct auth_cache *auth_cache_new(size_t entries) MUST_USE;
void auth_cache_free(struct auth_cache *cache);
void auth_cache_clear(struct auth_cache *cache);
bool auth_cache_find(struct auth_cache *cache, const uint8_t key[AUTH_CACHE_KEY_LEN],
                     struct auth_principal *out, struct auth_token_times *times);
/* The one of four that was used longest ago makes room. */
void auth_cache_put(struct auth_cache *cache, const uint8_t key[AUTH_CACHE_KEY_LEN],
                    const struct auth_principal *principal, const struct auth_token_times *times);

/* ---------------------------------------------------------------- whose token it is */

/* A bound token must come with what it is bound to, and a proof must come with a token that is
 * bound to its key. `issuer` is the URL of the platform. */
struct auth_seen {
    struct auth_replay *own;
    auth_proof_fn *shared; /* NULL: `own` */
    void *ctx;
};

int auth_check_possession(struct auth_seen *seen, const char *issuer,
                          const struct auth_input *input, struct span token, bool with_proof,
                          const struct auth_principal *principal, struct err *err) MUST_USE;

#endif
