/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.snap: who a credential stands for. Published by idp; read through lib/auth.
 *
 *     struct identity_builder *builder = identity_builder_new(pepper);
 *     TRY(identity_builder_set_issuer(builder, "https://host", "drun", err));
 *     TRY(identity_builder_add_api_key(builder, &key, err));
 *     TRY(identity_builder_finish(builder, &file, err));
 *     TRY(snapshot_publish(publisher, &file, &generation, err));
 *
 * Times are seconds since 1970; 0 is "never" for an expiry. Limits: 0 is "no limit of its own".
 */
#ifndef DRUN_SNAPSHOT_IDENTITY_H
#define DRUN_SNAPSHOT_IDENTITY_H

#include "base/buf.h"
#include "snapshot/snapshot.h"

#include <stdbool.h>

enum {
    IDENTITY_PEPPER_LEN = 32,
    IDENTITY_DIGEST_LEN = 32,
    IDENTITY_LIST_MAX = 64, /* groups, models, verbs, CIDRs, namespaces of one key */
};

extern const struct snapshot_type identity_snapshot;

/* ---------------------------------------------------------------- building (idp) */

struct identity_list {
    const char *const *items;
    size_t count; /* an empty list of models, verbs, CIDRs or namespaces does not restrict */
};

struct identity_api_key {
    uint8_t digest[IDENTITY_DIGEST_LEN]; /* identity_key_digest() of the key's text */
    const char *id;                      /* names the key in logs and audit records; that of two
                                            digests while one takes over from the other */
    const char *name;                    /* of the ApiKey object */
    const char *namespace;               /* "" when it belongs to none */
    const char *user;                    /* the principal that it acts as */
    const char *uid;                     /* of that user; may be "" */
    struct identity_list groups;
    int64_t expires_at;
    bool disabled;
    struct identity_list
        models; /* patterns "name", "ns/name", with '*' for any run of characters */
    struct identity_list verbs;
    struct identity_list cidrs;      /* "10.0.0.0/8", "2001:db8::/32", or one address */
    struct identity_list namespaces; /* patterns, with '*' for any run of characters */
    uint32_t requests_per_min;
    uint32_t concurrent; /* requests at the same time */
    uint64_t tokens_per_min;
};

struct identity_builder;

struct identity_builder *identity_builder_new(const uint8_t pepper[IDENTITY_PEPPER_LEN]) MUST_USE;
void identity_builder_free(struct identity_builder *builder);
void identity_builder_free_ptr(struct identity_builder **builder);

/* Access tokens must name this issuer and this audience. Without it no token is accepted. */
int identity_builder_set_issuer(struct identity_builder *builder, const char *issuer,
                                const char *audience, struct err *err) MUST_USE;
/* ERR_INVALID for texts that are too long, lists that are too long, addresses that are none;
 * ERR_EXISTS for a digest that is there already. */
int identity_builder_add_api_key(struct identity_builder *builder,
                                 const struct identity_api_key *key, struct err *err) MUST_USE;
/* A public key that signs access tokens, as a SubjectPublicKeyInfo in DER. */
int identity_builder_add_token_key(struct identity_builder *builder, const char *kid,
                                   struct span spki, struct err *err) MUST_USE;
/* Once is enough, twice is no error. */
int identity_builder_revoke_session(struct identity_builder *builder, const char *sid,
                                    struct err *err) MUST_USE;
int identity_builder_revoke_token(struct identity_builder *builder, const char *jti,
                                  struct err *err) MUST_USE;
/* Every token of the principal of this name that was issued before `before` is void; the latest
 * time counts. */
int identity_builder_void_user(struct identity_builder *builder, const char *user, int64_t before,
                               struct err *err) MUST_USE;
/* Neither the user's tokens nor the user's API keys are accepted. */
int identity_builder_disable_user(struct identity_builder *builder, const char *user,
                                  struct err *err) MUST_USE;
/* Appends the file to `out` (ceiling SNAPSHOT_FILE_MAX). The builder stays as it is. */
int identity_builder_finish(const struct identity_builder *builder, struct buf *out,
                            struct err *err) MUST_USE;

/* HMAC-SHA-256(pepper, text of the key). */
void identity_key_digest(const uint8_t pepper[IDENTITY_PEPPER_LEN], struct span text,
                         uint8_t out[IDENTITY_DIGEST_LEN]);

#endif
