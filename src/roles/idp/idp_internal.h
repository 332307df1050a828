/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#ifndef DRUN_IDP_IDP_INTERNAL_H
#define DRUN_IDP_IDP_INTERNAL_H

#include "auth/replay.h"
#include "crypto/sign.h"
#include "idp/people/hasher.h"
#include "idp/people/throttle.h"
#include "kube/kube_store.h"
#include "serve/serve.h"
#include "snapshot/identity.h"

#include <jansson.h>

#define IDP_AUDIENCE AUTH_AUDIENCE

enum {
    IDP_SECRET_SIZE = 44, /* 256 random bits in base64url, and a NUL */
    IDP_ID_SIZE = 25,     /* 144 bits of a hash */
    IDP_ACCESS_SEC = 600,
    IDP_ACCESS_MAX_SEC = 86400, /* what a client's own setting may make of it */
    IDP_CODE_SEC = 60,
    IDP_REFRESH_SEC = 30 * 86400,
    IDP_REFRESH_GRACE_SEC = 10, /* for the token before the current one, while that is unused */
    IDP_SESSION_IDLE_SEC = 3600,
    IDP_SESSION_MAX_SEC = 12 * 3600,
    IDP_LINK_SEC = 86400,       /* the first administrator's */
    IDP_INVITE_SEC = 7 * 86400, /* anybody else's */
    IDP_URL_SIZE = 1024,
};

struct breached_service;
struct webauthn_roots;

struct idp {
    struct role *role;
    struct store *store;
    struct kube_store *objects;
    struct serve *serve;
    struct auth *auth; /* for tokens that come in a body */
    struct hasher *hasher;
    struct throttle *throttle;
    struct signer *signer;
    struct clients *clients;
    struct members *members;
    struct publish *publish;
    struct apikey_uses *uses;
    struct egress *egress;
    struct remote_keys *remote_keys;
    struct logout *logout;
    struct federation *federation;
    struct loop_source *tidy;
    size_t tidy_turn; /* the collection that is swept next, and from where */
    char *tidy_from;
    char *tokens_from;           /* the account that is looked up next */
    char *bound_from;            /* and the bound token */
    char url[IDP_URL_SIZE];      /* of the platform; the issuer */
    char mtls_url[IDP_URL_SIZE]; /* where clients are asked for a certificate; "" for nowhere */
    struct auth_replay *replay;
    uint8_t nonce_key[IDENTITY_PEPPER_LEN]; /* of this run alone */
    unsigned operator_uid;                  /* who runs the platform */
    uint8_t pepper[IDENTITY_PEPPER_LEN];
    struct crypto_mac *digests;           /* identity_key_digest() of this pepper, prepared */
    char origin[IDP_URL_SIZE];            /* of the platform, for browsers */
    char rp_id[256];                      /* its host: WebAuthn's relying party */
    struct webauthn_roots *passkey_roots; /* NULL: nobody vouches for authenticators */
    bool attestation_required;
    struct sms *sms;                           /* NULL: no text messages */
    int breached_fd;                           /* -1: no list */
    struct breached_service *breached_service; /* NULL: nobody is asked */
    char shown_key[64]; /* made in admission, shown when the write succeeded */
};

typedef void idp_handler_fn(struct idp *idp, struct serve_request *request);

/* ------------------------------------------------------------------ route.c */

serve_route_fn idp_route;
/* Takes namespace and name out of a path "PREFIX ns MIDDLE name SUFFIX"; false for another one. */
bool route_subresource(const struct serve_request *request, const char *prefix, const char *middle,
                       const char *suffix, struct serve_action *out);

/* ------------------------------------------------------------------ record.c: JSON in the store */

/* ERR_NOT_FOUND. The caller owns *out. */
int record_get(struct idp *idp, const char *collection, const char *name, json_t **out,
               struct err *err) MUST_USE;
/* `term` (may be NULL) is what record_each() finds it by. */
int record_put(struct idp *idp, const char *collection, const char *name, const json_t *value,
               const char *term, struct err *err) MUST_USE;
/* ERR_EXISTS when it is there already. */
int record_put_new(struct idp *idp, const char *collection, const char *name, const json_t *value,
                   struct err *err) MUST_USE;
int record_delete(struct idp *idp, const char *collection, const char *name,
                  struct err *err) MUST_USE;
/* Calls fn until it fails. It may delete the record that it was given. `term` NULL: all. */
typedef int record_fn(void *ctx, const char *name, const json_t *value, struct err *err);
int record_each(struct idp *idp, const char *collection, const char *term, record_fn *fn, void *ctx,
                struct err *err) MUST_USE;
/* Some of them: from *from (NULL: the beginning) on, which is then where to go on; 1 when there is
 * more. The caller frees *from. */
int record_slice(struct idp *idp, const char *collection, char **from, size_t limit, record_fn *fn,
                 void *ctx, struct err *err) MUST_USE;
int64_t record_number(const json_t *value, const char *name);

/* 256 random bits as text. */
int idp_random(char out[IDP_SECRET_SIZE], struct err *err) MUST_USE;
/* The name under which the holder of a random text is stored: part of its hash. */
void idp_id_of(const char *text, char out[IDP_ID_SIZE]);

/* ------------------------------------------------------------------ reply.c */

/* RFC 9457. */
void reply_problem(struct serve_request *request, unsigned status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void reply_err(struct serve_request *request, const struct err *err);
/* RFC 6749 section 5.2. */
void reply_oauth(struct serve_request *request, unsigned status, const char *code, const char *why);
/* 503 and temporarily_unavailable. What another role or the store said names files and addresses:
 * it goes into the record alone. */
void reply_oauth_later(struct serve_request *request, const struct err *err);
#define REPLY_UNDONE                                                                               \
    "nothing of this was done, because it cannot be stored or answered at the moment; the same "   \
    "request can be made again"
void reply_json(struct serve_request *request, unsigned status, const json_t *value);
/* The body is in the answer already. */
void reply_body(struct serve_request *request, unsigned status);
void reply_empty(struct serve_request *request, unsigned status);
void reply_redirect(struct serve_request *request, const char *location);
/* RFC 9470: 401, the session is not strong or fresh enough. */
void reply_step_up(struct serve_request *request, const struct auth_demand *demand);
void reply_retry_after(struct serve_request *request, uint32_t seconds);
/* Names the event of the request's record and who it is about. */
void reply_event(struct serve_request *request, const char *event, enum audit_source source,
                 const char *name, const char *uid);

/* ------------------------------------------------------------------ accounts.c: users */

struct account {
    json_t *object;
    const char *name, *uid, *display, *email; /* in the object; "" for none */
    json_t *groups;                           /* texts, each once */
};

void account_free(struct account *account);
/* ERR_NOT_FOUND; ERR_DENIED when it is disabled or its time is over. */
int account_load(struct idp *idp, const char *name, struct account *out, struct err *err) MUST_USE;
/* The same, also when it is disabled. */
int account_load_any(struct idp *idp, const char *name, struct account *out,
                     struct err *err) MUST_USE;
/* As account_load(), and it must still be the one with that uid. */
int account_load_same(struct idp *idp, const char *name, const char *uid, struct account *out,
                      struct err *err) MUST_USE;
/* Users from before they were found by terms (lib/kube/kinds/user.c) are written once more. */
int account_index_start(struct idp *idp, struct err *err) MUST_USE;
/* True when nobody can sign in who operates the platform (in the group drun:operators). */
int account_no_administrator(struct idp *idp, bool *out, struct err *err) MUST_USE;
/* NULL when there is none yet. In the arena. */
int account_password(struct idp *idp, const char *name, const char *uid, char **phc,
                     struct err *err) MUST_USE;
int account_set_password(struct idp *idp, const char *name, const char *uid, const char *phc,
                         struct err *err) MUST_USE;
/* Sessions, refresh tokens and access tokens of the user end. */
int account_sign_out(struct idp *idp, const char *name, struct err *err) MUST_USE;
/* The first second factor was set up: all that was opened without one ends, but this session. */
int account_end_weaker(struct idp *idp, const char *name, const char *session,
                       struct err *err) MUST_USE;
int account_admit(struct idp *idp, struct kube_change *change, struct err *err) MUST_USE;
void account_changed(struct idp *idp, const struct kube_change *change);

/* ------------------------------------------------------------------ user_status.c */

/* In the admission of a User: its status is what it was, and the state fits the change. */
void user_status_admit(struct kube_change *change);
int user_status_has_password(struct idp *idp, const char *name, struct err *err) MUST_USE;
int user_status_signed_in(struct idp *idp, const char *name, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ members.c: who is in what */

struct members;
struct members *members_new(struct idp *idp) MUST_USE;
void members_free(struct members *members);
/* A Group has changed. */
void members_touch(struct members *members);
/* Appends the groups that list the user. */
int members_add_groups(struct members *members, const char *user, json_t *groups,
                       struct err *err) MUST_USE;
/* Nobody gives away what he does not have: may the caller put somebody into the groups that are in
 * `after` and not in `before` (arrays of texts)? */
int members_may_add(struct idp *idp, const struct kube_principal *caller, const json_t *before,
                    const json_t *after, struct err *err) MUST_USE;
/* May the caller make, or hand out the way into, what goes by this name? ERR_DENIED when bindings
 * give it rights in the whole cluster. */
int members_may_become_user(struct idp *idp, const struct kube_principal *caller, const char *name,
                            struct err *err) MUST_USE;
int members_may_become_account(struct idp *idp, const struct kube_principal *caller,
                               const char *namespace, const char *name, struct err *err) MUST_USE;
/* rank.c: ERR_DENIED when the user stands above the caller. `groups`: all that he is in. */
int rank_check(struct idp *idp, const struct kube_principal *caller, const char *name,
               const json_t *groups, struct err *err) MUST_USE;
/* Before a User is changed or deleted. */
int rank_admit(struct idp *idp, const struct kube_change *change, struct err *err) MUST_USE;
int group_admit(struct idp *idp, struct kube_change *change, struct err *err) MUST_USE;
void group_changed(struct idp *idp, const struct kube_change *change);

/* ------------------------------------------------------------------ sessions.c */

struct session {
    char id[IDP_ID_SIZE];
    json_t *record;
    struct account account;
    int64_t auth_time;
    int64_t ends_at;
};

void session_free(struct session *session);
/* Puts it into the store and its cookie into the answer; `amr` says how the user signed in. */
int session_open(struct idp *idp, struct serve_request *request, const struct account *account,
                 const char *amr, struct err *err) MUST_USE;
/* By the request's cookie; ERR_UNAUTHENTICATED. */
int session_find(struct idp *idp, const struct serve_request *request, struct session *out,
                 struct err *err) MUST_USE;
/* Is it open and this user's? */
bool session_is_open(struct idp *idp, const char *id, const char *user);
/* The session and what was issued in it. */
int session_end(struct idp *idp, const char *id, struct err *err) MUST_USE;
void session_drop_cookie(struct serve_request *request);
bool session_is_over(const json_t *record, int64_t now);
/* Is it strong and fresh enough? For step-up (RFC 9470). */
bool session_satisfies(const struct session *session, const struct auth_demand *demand);
/* The user has proved himself anew in it, by these methods. */
int session_raise(struct idp *idp, const char *id, const char *user, const char *amr,
                  struct err *err) MUST_USE;
int session_end_others(struct idp *idp, const char *user, const char *keep,
                       struct err *err) MUST_USE;
/* An array of what a list shows. */
int sessions_of(struct idp *idp, const struct account *account, const char *current, json_t **out,
                struct err *err) MUST_USE;

idp_handler_fn session_login, session_show, session_list, session_logout, session_logout_all,
    session_revoke, session_password;
/* False when it was answered: a request that changes something must be of the same origin and
 * JSON. */
bool session_check_origin(struct idp *idp, struct serve_request *request);
/* The JSON object in the body; NULL when it was answered. */
json_t *session_body(struct idp *idp, struct serve_request *request);

/* ------------------------------------------------------------------ setup.c: one-time links */

/* A link for a new password of this user ("" for the first administrator). */
int link_make(struct idp *idp, const char *user, const char *uid, int64_t ttl_sec,
              char out[IDP_URL_SIZE], struct err *err) MUST_USE;
/* The same; the older links of the user are void. */
int link_renew(struct idp *idp, const char *user, const char *uid, int64_t ttl_sec,
               char out[IDP_URL_SIZE], struct err *err) MUST_USE;
/* Without an administrator: leaves a link in RUN/idp/setup-link. */
int setup_start(struct idp *idp, struct err *err) MUST_USE;
idp_handler_fn setup_accept;
/* A fresh link while there is no administrator. */
idp_handler_fn setup_link;

/* ------------------------------------------------------------------ publish.c: identity.snap */

struct publish;
int publish_new(struct idp *idp, struct publish **out, struct err *err) MUST_USE;
void publish_free(struct publish *publish);
/* Reads everything and publishes. */
int publish_load(struct publish *publish, struct err *err) MUST_USE;
void publish_touch(struct publish *publish, const struct kube_kind *kind, const char *namespace,
                   const char *name);
/* The keys that sign tokens have changed. */
void publish_touch_signers(struct publish *publish);
/* The batch is durable; publish_follow() comes next. */
void publish_settle(struct publish *publish);
void publish_follow(struct publish *publish);
/* The batch was taken back: what it revoked is not revoked. */
void publish_undo(struct publish *publish);
/* The ApiKey of this uid as it was read last, its status left aside; NULL when there is none. */
const json_t *publish_key_object(const struct publish *publish, const char *id);
typedef void publish_key_fn(void *ctx, const json_t *object);
void publish_each_key(const struct publish *publish, publish_key_fn *fn, void *ctx);
/* Forgets up to `max` of what no token can be alive for any more, notices users whose time is over.
 * True when there may be more. */
bool publish_tidy(struct publish *publish, size_t max);
/* A token that is good until then is issued. Of those that live longer than usual the last one's
 * end is kept, because what is revoked need be known no longer than that. */
int publish_note_token(struct publish *publish, int64_t until, struct err *err) MUST_USE;
int publish_revoke_session(struct publish *publish, const char *sid, struct err *err) MUST_USE;
int publish_revoke_token(struct publish *publish, const char *jti, struct err *err) MUST_USE;
/* Every access token that the user has now. */
int publish_void_user(struct publish *publish, const char *name, struct err *err) MUST_USE;
/* What a revocation is about; the first character of its id. */
enum publish_what { PUBLISH_SESSION = 's', PUBLISH_TOKEN = 't', PUBLISH_USER = 'u' };
bool publish_is_revoked(const struct publish *publish, enum publish_what what, const char *id);
/* The earliest iat that a token of the user may have. */
int64_t publish_void_before(const struct publish *publish, const char *name);

/* ------------------------------------------------------------------ signer.c: JWTs */

struct signer;
int signer_new(struct idp *idp, struct signer **out, struct err *err) MUST_USE;
void signer_free(struct signer *signer);
/* Asks kms for the public keys: 1 when they have changed. */
int signer_refresh(struct signer *signer, struct err *err) MUST_USE;
/* Appends a token with this payload; `typ` goes into its header. */
int signer_sign(struct signer *signer, enum sign_alg alg, const char *typ, struct span payload,
                struct buf *out, struct err *err) MUST_USE;
/* The same for an access token. */
int signer_sign_access(struct signer *signer, struct span payload, struct buf *out,
                       struct err *err) MUST_USE;
/* The same for an access token, from the loop, together with others: `fn` gets the token, or why
 * there is none. It may come some batches later: what was noted for the token in the store may be
 * taken back till then. The payload is copied. signer_run() sends to kms what is wanted. */
typedef void signer_fn(void *ctx, struct span token, const struct err *err);
void signer_sign_later(struct signer *signer, struct span payload, signer_fn *fn, void *ctx);
void signer_run(struct signer *signer);
struct span signer_jwks(const struct signer *signer);
/* The same, for verifying what came back. */
struct jose_keys;
const struct jose_keys *signer_keys(const struct signer *signer);
int signer_put_keys(const struct signer *signer, struct identity_builder *builder,
                    struct err *err) MUST_USE;

/* ------------------------------------------------------------------ apikeys.c */

int apikey_admit(struct idp *idp, struct kube_change *change, struct err *err) MUST_USE;
/* The resource apikeys/self: one's own keys. */
serve_narrow_fn apikey_narrow;
void apikey_changed(struct idp *idp, const struct kube_change *change);
/* The record beside the object: {"digest", "uid" of the owner, "previous": {"digest", "until"}};
 * the last is the secret before the current one, while both are good. */
int apikey_secret(struct idp *idp, const char *namespace, const char *name, json_t **out,
                  struct err *err) MUST_USE;
int apikey_put_secret(struct idp *idp, const char *namespace, const char *name,
                      const json_t *record, struct err *err) MUST_USE;
/* May the caller have a key that acts as this one's owner? ERR_DENIED says why not. */
int apikey_check_owner(struct idp *idp, const struct kube_principal *caller, const char *namespace,
                       const json_t *object, struct err *err) MUST_USE;
/* What a status shows of a secret. */
void apikey_describe(json_t *status, const char *key);
/* ERR_DENIED when the caller came with an API key, or with what was made of one. */
int apikey_check_credential(const struct serve_request *request, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ the rest */

idp_handler_fn operator_token, operator_setup_link;
bool service_account_route(struct idp *idp, struct serve_request *request);
bool apikey_rotate_route(struct idp *idp, struct serve_request *request);
/* Takes from the audit role, every few seconds, which keys were used, and notes it in their status:
 * a key at most once a minute. */
int apikey_use_start(struct idp *idp, struct err *err) MUST_USE;
void apikey_use_stop(struct idp *idp);
/* The answer to what could not be stored; see serve_config. */
bool idp_failed(void *ctx, struct serve_request *request, const struct err *err);
kube_admit_fn idp_admit;
kube_changed_fn idp_changed;
/* May the caller act as somebody else: "users", "groups", "serviceaccounts" of the core group? */
bool idp_may_impersonate(struct idp *idp, const struct kube_principal *caller, const char *resource,
                         const char *namespace, const char *name);
/* May the caller end accounts that are out of his reach otherwise? The verb `suspend` on users. */
bool idp_may_suspend(struct idp *idp, const struct kube_principal *caller, const char *name);
/* Has the caller a right to his own part of a resource: RESOURCE/self? */
bool idp_may_self(struct idp *idp, const struct kube_principal *caller, const char *verb,
                  const char *group, const char *resource, const char *namespace);
/* Who asks, as the functions above want it. */
struct idp_caller {
    struct kube_principal who;
    const char *groups[AUTH_GROUPS_MAX + 1];
};
void idp_caller_of(const struct auth_principal *principal, struct idp_caller *out);
bool idp_in_group(const struct kube_principal *caller, const char *group);
/* Removes what is over, a slice at a time. */
int tidy_start(struct idp *idp, struct err *err) MUST_USE;

#include "idp/oauth/protocol.h"

#endif
