/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A credential to a principal, by identity.snap. The gateway and every role ask here; none trusts
 * what another one says about a caller.
 *
 *     "Bearer sk-drun-..."  an API key: one HMAC and one lookup, no allocation
 *     "Bearer eyJ..."       an access token (RFC 9068): signature, claims, revocations; a verified
 *                           signature is remembered, revocations are looked at every time
 *     "DPoP eyJ..."         the same, bound to a key: only with a proof of it (RFC 9449) that was
 * not seen by this process before nothing               system:anonymous in system:unauthenticated
 *
 * Anything else is ERR_UNAUTHENTICATED. The message is for the log and for the caller: it says
 * what kind of credential failed and why, and never shows one.
 */
#ifndef DRUN_AUTH_AUTH_H
#define DRUN_AUTH_AUTH_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "snapshot/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

#define AUTH_AUDIENCE              "drun" /* the platform itself, in a token */
#define AUTH_ANONYMOUS             "system:anonymous"
#define AUTH_GROUP_AUTHENTICATED   "system:authenticated"
#define AUTH_GROUP_UNAUTHENTICATED "system:unauthenticated"
#define AUTH_GROUP_OPERATORS       "drun:operators"
#define AUTH_POSTURE               "system:drun:posture"
#define AUTH_POSTURE_NAMESPACE                                                                     \
    "drun-posture" /* where it makes what it needs, and which pays for it */
#define AUTH_GROUP_POSTURE "drun:posture"

enum {
    AUTH_GROUPS_MAX = 72, /* 64 of the credential and those of the system */
    AUTH_PATTERNS_MAX = 64,
    AUTH_ROOM_LEN = 6144,
    AUTH_TOKEN_MAX = 8192,
    AUTH_SKEW_SEC = 30,
    AUTH_KEY_LEN = 8 + 43 + 6, /* of an API key, see below */
    AUTH_KEY_SIZE = AUTH_KEY_LEN + 1,
};

enum auth_source {
    AUTH_NOBODY = 0, /* anonymous */
    AUTH_API_KEY,
    AUTH_SESSION, /* an access token of a person or a client */
    AUTH_SERVICE_ACCOUNT,
    AUTH_OPERATOR, /* at the operator's own Unix socket */
};

const char *auth_source_name(enum auth_source source); /* "api_key" */

/* How well a person has proved who it is, weakest first: the session's `acr` (OpenID Connect Core
 * section 2), made of its `amr` (RFC 8176). */
enum auth_level {
    AUTH_LEVEL_NONE,     /* nobody signed in: a key, a program, the operator's socket */
    AUTH_LEVEL_PASSWORD, /* urn:drun:password; whoever has no second factor gets no further */
    AUTH_LEVEL_DEVICE,   /* urn:drun:trusted-device: a password, where a second factor was shown
                            within the last weeks */
    AUTH_LEVEL_MFA,      /* urn:drun:mfa: two factors */
    AUTH_LEVEL_PHISHING_RESISTANT, /* phr (OpenID EAP ACR Values): two, one of them WebAuthn */
    AUTH_LEVEL_COUNT
};

const char *auth_level_acr(enum auth_level level); /* "" for none */
enum auth_level auth_level_by_acr(struct span acr);
/* Of words with a blank between them, "pwd otp mfa"; NULL is as good as "". */
enum auth_level auth_level_of_amr(const char *amr);

/* What a request asks of a sign-in (RFC 9470). */
struct auth_demand {
    enum auth_level level;
    uint32_t max_age_sec; /* since the person last proved it; 0: any */
};
/* `auth_time` in seconds since 1970. */
bool auth_satisfies(enum auth_level level, int64_t auth_time, const struct auth_demand *demand);

/* A text in the principal's own room. */
struct auth_text {
    uint16_t at;
    uint16_t len;
};

/*
 * A value: it holds its own texts, may be copied by assignment and outlives the snapshot.
 *
 * Of an access token: uid is `sub`; name is `preferred_username`, or `sub` when there is none;
 * groups are `groups`. A service account's `sub` is its name, system:serviceaccount:NAMESPACE:NAME,
 * and gives it the groups system:serviceaccounts and system:serviceaccounts:NAMESPACE. A `sub`
 * system:operator:UID or system:drun:posture is a name too. No other name and no group in a token
 * may begin with "system:".
 */
struct auth_principal {
    enum auth_source source;
    bool from_cookie; /* the caller must also demand that the request is of the same origin */
    uint8_t group_count;
    uint8_t model_count;
    uint8_t verb_count;
    uint8_t namespace_count;
    uint8_t cidr_count;
    struct auth_text name;
    struct auth_text uid;
    struct auth_text namespace; /* of an API key or a service account; or empty */
    struct auth_text
        credential;           /* key id, also of a token that came of a key; or the token's jti */
    struct auth_text token;   /* the token's jti; or empty */
    struct auth_text session; /* the token's sid */
    struct auth_text client;  /* the token's client_id */
    struct auth_text jkt;     /* the token is bound to this key (RFC 9449); or empty */
    struct auth_text x5t;     /* or to this certificate (RFC 8705) */
    struct auth_text groups[AUTH_GROUPS_MAX];
    struct auth_text models[AUTH_PATTERNS_MAX]; /* empty: no restriction */
    struct auth_text verbs[AUTH_PATTERNS_MAX];
    struct auth_text namespaces[AUTH_PATTERNS_MAX];
    struct auth_text cidrs[AUTH_PATTERNS_MAX]; /* of a token that came of a key with such */
    uint32_t concurrent;       /* requests at the same time; 0: no limit of its own */
    uint32_t requests_per_min; /* 0: no limit of its own */
    uint64_t tokens_per_min;
    int64_t expires_at; /* 0: never */
    int64_t auth_time;  /* when the person signed in; 0: unknown */
    uint8_t level;      /* how: an enum auth_level */
    uint16_t room_used;
    char room[AUTH_ROOM_LEN];
};

/* The text; a NUL follows it. */
struct span auth_text(const struct auth_principal *principal, struct auth_text text);
/* All groups as spans into the principal; returns how many. For struct rbac_user. */
size_t auth_groups(const struct auth_principal *principal, struct span out[AUTH_GROUPS_MAX]);
/* May this credential be used for this verb, and on this model? Scope narrows what RBAC allows.
 * Patterns: "namespace/name", or "name" alone for the key's own namespace (for any, when the key
 * has none); '*' stands for any run of characters. */
bool auth_scope_allows_verb(const struct auth_principal *principal, struct span verb);
/* "" for what lies in no namespace: only a credential that names no namespaces may. */
bool auth_scope_allows_namespace(const struct auth_principal *principal, struct span namespace);
/* Both the namespace and the model. */
bool auth_scope_allows_model(const struct auth_principal *principal, struct span namespace,
                             struct span name);

/* ---------------------------------------------------------------- checking */

struct auth;

/* Takes *dir_fd, the directory of identity.snap. cache_entries: how many verified tokens are
 * remembered (128 bytes and the principal each); 0 for none. */
struct auth *auth_new(int *dir_fd, size_t cache_entries) MUST_USE;
void auth_free(struct auth *auth);
void auth_free_ptr(struct auth **auth);

/* Where several processes answer for one URL, they must remember together which proofs were used:
 * `fn` does it instead of this process alone. Returns 0 for a new one, else -1 with
 * ERR_UNAUTHENTICATED, or ERR_LIMITED when it cannot remember any more now. */
enum { AUTH_PROOF_ID_LEN = 32, AUTH_REPLAY_SEC = 130 };
typedef int auth_proof_fn(void *ctx, const uint8_t id[AUTH_PROOF_ID_LEN], struct err *err);
void auth_share_proofs(struct auth *auth, auth_proof_fn *fn, void *ctx);

/*
 * The API key that a connection sent last, with its digest: the next request on it, which nearly
 * always brings the same, spares the HMAC; all else about the key is looked at as ever. The
 * caller's: all zero at first, one of each connection, and wiped with it.
 */
struct auth_last_key {
    uint64_t turn; /* of the pepper; 0: there is none */
    char text[AUTH_KEY_LEN];
    uint8_t digest[32];
};

struct auth_input {
    struct span authorization; /* the header's value; empty when there is none */
    struct span
        session_cookie;    /* an access token; looked at only without an Authorization header */
    const uint8_t *source; /* 16 bytes: IPv6, or IPv4 mapped; NULL when unknown */
    int64_t now;           /* seconds since 1970 */
    /* For tokens that are bound to a key or a certificate of their holder: */
    struct span proof;  /* the DPoP header; empty when there is none */
    const char *method; /* "GET", and the path, decoded and without its query, that the proof */
    const char *path;   /* must be for */
    struct span
        certificate;      /* the caller's TLS certificate: PEM, percent-encoded as nginx does it */
    const char *audience; /* the token must be for; NULL: the platform */
    /* A token for the platform's URL is good, too, when its scope has this word: it is for that
     * part of the platform alone. NULL: none is. */
    const char *scope;
    struct auth_last_key *last_key; /* of the connection; NULL: it is not kept */
    bool only_looking; /* the caller asks what the token is, and does not come with it as its own */
};

/* ERR_UNAUTHENTICATED: not a valid credential. ERR_DENIED: valid, but not from this address.
 * ERR_UNAVAILABLE: no identities are published yet. After a failure `out` gives no right; it says
 * whose the credential is, for the record, when it is a true one that has ended or came from the
 * wrong place, and has an empty name otherwise. Follows identity.snap by itself. */
int auth_check(struct auth *auth, const struct auth_input *input, struct auth_principal *out,
               struct err *err) MUST_USE;
/* Why the newest identity.snap was refused, once each; 0 when it was not. For the log. */
int auth_trouble(struct auth *auth, struct err *err) MUST_USE;
/* The one at the operator's own Unix socket: "system:operator:UID" in drun:operators. */
void auth_principal_operator(unsigned uid, struct auth_principal *out);
/* The DER of struct auth_input.certificate. */
int auth_read_certificate(struct span escaped, struct buf *der, struct err *err) MUST_USE;
/* The numbers of struct auth_input.source. */
int auth_parse_address(const char *text, uint8_t out[16], struct err *err) MUST_USE;

/* ---------------------------------------------------------------- API keys */

/* "sk-drun-", 43 base62 characters of 256 random bits, 6 of the CRC-32 of all that. The check sum
 * is no protection: it lets a scanner, and us, tell a typing error without a lookup. */
#define AUTH_KEY_PREFIX "sk-drun-"

/* The text is a secret: show it once, wipe it. */
int auth_key_generate(char out[AUTH_KEY_SIZE], struct err *err) MUST_USE;
/* ERR_INVALID when it cannot be a key. */
int auth_key_check(struct span text, struct err *err) MUST_USE;

#endif
