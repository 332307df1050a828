/* SPDX-License-Identifier: Apache-2.0 */
/* The OAuth half of this folder: clients, requests, grants, tokens. Comes with idp_internal.h. */
#ifndef DRUN_IDP_PROTOCOL_H
#define DRUN_IDP_PROTOCOL_H

#include "idp/idp_internal.h"

struct client;
struct form;

/* ------------------------------------------------------------------ proof.c: whose token it is */

/* What the tokens of a request are bound to: thumbprints of a key and of a certificate, "" for
 * none. */
struct binding {
    char jkt[SIGN_KID_SIZE];
    char x5t[SIGN_KID_SIZE];
};
/* By the request's proof and certificate, as the client's settings want them; -1 when it was
 * answered. */
int binding_of(struct idp *idp, struct serve_request *request, const struct client *client,
               struct binding *out) MUST_USE;
/* Is it the same as these, where these are not ""? */
bool binding_fits(const struct binding *binding, const char *jkt, const char *x5t);
/* "DPoP" or "Bearer"; NULL is no binding. */
const char *binding_type(const struct binding *binding);
/* Appends ,"cnf":{…} when there is one. */
void binding_put(const struct binding *binding, struct buf *out);
/* A bound token that comes to one of our own resources: ERR_UNAUTHENTICATED without what it is
 * bound to. */
int binding_check_token(struct idp *idp, const struct serve_request *request, const char *token,
                        const json_t *claims, bool with_proof, struct err *err) MUST_USE;
/* The DER of the certificate that the client showed in TLS. */
int client_certificate(const struct serve_request *request, struct buf *der,
                       struct err *err) MUST_USE;

/* ------------------------------------------------------------------ claims.c */

/* What a token says. NULL texts are left out. */
struct claims {
    const char *subject, *name, *display, *email, *client, *scope, *sid, *nonce, *amr;
    const char *audience; /* NULL: the platform */
    const json_t *audiences;
    const json_t *groups;
    const struct binding *binding; /* NULL: none */
    /* Of an ID token: whose it is, and the claims that were asked for by name (OpenID Connect Core
     * section 5.5), NULL for none. */
    const struct client *client_of;
    const json_t *wanted;
    const json_t *userinfo; /* what userinfo tells besides the scope's; NULL for nothing */
    const json_t *key;      /* an API key's limits, of what came of one */
    const json_t *cluster;  /* of a service account: the claim kubernetes.io */
    const json_t *actor;    /* who acts for the subject (RFC 8693 section 4.1) */
    bool pairwise;          /* the subject is; nothing else may name the user */
    int64_t auth_time;
    uint32_t ttl_sec;
};

enum { SUBJECT_SIZE = 64, CLAIMS_TEXT_MAX = 4096 };
enum { CLAIMS_ID_SIZE = 23 }; /* a jti: 128 bits */
/* 128 random bits: a jti, a family. */
int claims_id(char out[CLAIMS_ID_SIZE], struct err *err) MUST_USE;
/* The payload of an access token, for signer_sign_later(); who answers with the token calls
 * publish_note_token() then. */
int claims_put_access(struct idp *idp, const struct claims *claims, struct buf *payload,
                      char jti[CLAIMS_ID_SIZE], struct err *err) MUST_USE;
int claims_access_token(struct idp *idp, const struct claims *claims, struct buf *out,
                        char jti[CLAIMS_ID_SIZE], struct err *err) MUST_USE;
int claims_id_token(struct idp *idp, const struct client *client, const struct claims *claims,
                    struct span access_token, struct buf *out, struct err *err) MUST_USE;

/* May the client see this claim: by its scope, or because it asked for it by name and might ask for
 * that scope? */
bool claims_show(const struct client *client, const char *scope, const json_t *wanted,
                 const char *of_scope, const char *claim);

/* ------------------------------------------------------------------ clients.c */

struct client {
    char *id;
    bool open; /* public: has no secret */
    bool disabled;
    bool consent;
    bool has_secret;
    enum auth_level level;       /* that its users must have signed in at */
    bool dpop_bound, cert_bound; /* its access tokens must be */
    bool must_push, must_sign;   /* its authorization requests (RFC 9126, RFC 9101) */
    enum sign_alg id_alg;        /* of its ID tokens */
    struct jose_keys *keys;      /* of its jwks; NULL for none */
    json_t *spec;                /* of the object; NULL for a built-in client */
    uint8_t secret[IDENTITY_DIGEST_LEN];
    char *method;
    json_t *redirects, *logouts, *grants, *scopes, *audiences; /* owned; NULL for none */
    uint32_t access_sec, refresh_sec;
};

struct clients;
struct clients *clients_new(struct idp *idp) MUST_USE;
void clients_free(struct clients *clients);
void clients_touch(struct clients *clients, const char *id);
/* ERR_NOT_FOUND, also for a disabled one. Valid until the loop turns. */
int clients_get(struct clients *clients, const char *id, const struct client **out,
                struct err *err) MUST_USE;
bool client_may(const struct client *client, const char *grant);
bool client_may_scope(const struct client *client, const char *scope);
/* A text of the spec; "" for none. */
const char *client_text(const struct client *client, const char *name);
bool client_redirects_to(const struct client *client, const char *uri);
/* What of the wanted scope the client may have. */
void client_put_scope(const struct client *client, struct span wanted, struct buf *out);
/* client_auth.c: the client that makes a request with these form fields; NULL when it was answered.
 * A public client says its name alone. */
struct jose_keys;
/* Its public keys, wherever they are; NULL for none. ERR_UNAVAILABLE: they are being fetched. */
int client_keys(struct idp *idp, const struct client *client, const char *token,
                const struct jose_keys **out, struct err *err) MUST_USE;
const struct client *client_of(struct idp *idp, struct serve_request *request,
                               const struct form *form);
int client_admit(struct idp *idp, struct kube_change *change, struct err *err) MUST_USE;
void client_changed(struct idp *idp, const struct kube_change *change);
/* A new secret for the client, into the status of the object, which is only shown. ERR_CONFLICT
 * when it has none. */
int client_rotate(struct idp *idp, const char *name, json_t *object, struct err *err) MUST_USE;
/* False when the request is for something else. */
bool client_rotate_route(struct idp *idp, struct serve_request *request);

/* ------------------------------------------------------------------ form.c: OAuth's parameters */

enum form_field {
    FORM_CLIENT_ID,
    FORM_CLIENT_SECRET,
    FORM_GRANT_TYPE,
    FORM_CODE,
    FORM_REDIRECT_URI,
    FORM_CODE_VERIFIER,
    FORM_REFRESH_TOKEN,
    FORM_SCOPE,
    FORM_TOKEN,
    FORM_TOKEN_TYPE_HINT,
    FORM_RESPONSE_TYPE,
    FORM_RESPONSE_MODE,
    FORM_STATE,
    FORM_NONCE,
    FORM_PROMPT,
    FORM_MAX_AGE,
    FORM_CODE_CHALLENGE,
    FORM_CODE_CHALLENGE_METHOD,
    FORM_REQUEST,
    FORM_REQUEST_URI,
    FORM_AUTH_AFTER,
    FORM_ID_TOKEN_HINT,
    FORM_POST_LOGOUT_REDIRECT_URI,
    FORM_CLIENT_ASSERTION,
    FORM_CLIENT_ASSERTION_TYPE,
    FORM_ACR_VALUES,
    FORM_CLAIMS,
    FORM_LOGIN_HINT,
    FORM_DPOP_JKT,
    FORM_DEVICE_CODE,
    FORM_USER_CODE,
    FORM_SUBJECT_TOKEN,
    FORM_SUBJECT_TOKEN_TYPE,
    FORM_ACTOR_TOKEN,
    FORM_ACTOR_TOKEN_TYPE,
    FORM_REQUESTED_TOKEN_TYPE,
    FORM_DECISION,
    FORM_FIELDS
};

enum { FORM_TARGETS_MAX = 8 };

struct form {
    const char *value[FORM_FIELDS]; /* NULL: not given, or empty (RFC 6749 section 3.1) */
    const char *twice;              /* a field that was given twice, or NULL */
    /* What may be given more than once: `resource` (RFC 8707) and `audience` (RFC 8693). */
    const char *resource[FORM_TARGETS_MAX], *audience[FORM_TARGETS_MAX];
    size_t resource_count, audience_count;
    bool too_many; /* of them */
};

http_query_fn form_put; /* of a struct form */
const char *form_name(enum form_field field);
/* The form in the body; -1 when it was answered. */
int form_read(struct serve_request *request, struct form *out) MUST_USE;

/* ------------------------------------------------------------------ OAuth and OpenID Connect */

idp_handler_fn oidc_device_authorization, oidc_device, device_show, device_answer;
idp_handler_fn oidc_register, oidc_registration;
idp_handler_fn oidc_frame, oidc_par, oidc_consent, consent_list, consent_revoke;
idp_handler_fn oidc_authorize, oidc_token, oidc_introspect, oidc_revoke, oidc_userinfo, oidc_logout,
    discovery_openid, discovery_oauth, discovery_jwks;

/* check.c: an access token of ours for whatever audience, as lib/auth checks those for the
 * platform: ERR_UNAUTHENTICATED when it is not good now. The caller owns *claims. */
int check_access_token(struct idp *idp, const char *token, json_t **claims,
                       struct err *err) MUST_USE;

/* The user of an access token that was checked, also of one with a pairwise subject. */
int check_account(struct idp *idp, const json_t *claims, struct account *out,
                  struct err *err) MUST_USE;

/* Collections of what was issued. */
#define GRANT_CODES     "codes"
#define GRANT_REFRESH   "refresh"
#define REGISTRATIONS   "registrations"
#define GRANT_DEVICES   "devicecodes"
#define GRANT_USERCODES "usercodes"
#define GRANT_REQUESTS  "requests"
#define GRANT_CONSENTS  "consents"
#define GRANT_USED      "used" /* what is good once: assertions */

/* targets.c: resource indicators (RFC 8707). The platform's own URL is one that every client may
 * name; the others are its audiences. */

/* What the form names as an array, NULL for nothing; -1 with ERR_INVALID when the client may not,
 * or when it was not among those that were granted (NULL: not said then). */
int targets_read(struct idp *idp, const struct client *client, const struct form *form,
                 const json_t *granted, json_t **out, struct err *err) MUST_USE;
/* The audience of an access token for these targets: a new array. */
json_t *targets_audience(const struct idp *idp, const json_t *targets, struct span scope) MUST_USE;

/* subject.c: who a user is to a client: the same for all, or one for its sector alone. */
int subject_of(struct idp *idp, const struct client *client, const char *user, const char *uid,
               char out[SUBJECT_SIZE], struct err *err) MUST_USE;
bool subject_is_pairwise(const struct client *client);
/* The user behind a pairwise subject: {"user","uid"}; ERR_NOT_FOUND. */
int subject_find(struct idp *idp, const char *subject, json_t **out, struct err *err) MUST_USE;

/* frame.c: session management. The state is for this client; its cookie goes into the answer. */
int frame_session_state(struct serve_request *request, const char *client, const char *redirect,
                        const char *session_id, struct buf *out, struct err *err) MUST_USE;
/* "" takes it away. */
void frame_set_cookie(struct serve_request *request, const char *session_id);

/* consent.c */

/* What a scope lets a client do, as a list in a page. */
void consent_put_scopes(struct serve_request *request, const char *scope);
/* Has the user consented to this scope for this client? */
int consent_is_given(struct idp *idp, const struct session *session, const char *client,
                     const char *scope, bool *out, struct err *err) MUST_USE;
struct pushed;
/* Asks the user; the request must be kept. */
void consent_ask(struct idp *idp, struct serve_request *request, const struct client *client,
                 const struct session *session, const struct form *form, const char *scope,
                 const struct pushed *pushed);
/* Without it the client asks again. */
int consent_forget(struct idp *idp, const char *uid, const char *client, struct err *err) MUST_USE;

/* code.c: what an authorization code stands for. */
int code_make(struct idp *idp, const struct session *session, const struct form *form,
              const char *scope, char out[IDP_SECRET_SIZE], struct err *err) MUST_USE;
/* What a user grants a client in this session; {"client","user","uid","scope","sid","amr",
 * "authTime","resources","claims"}. Codes, device codes and refresh tokens keep it. NULL when a
 * parameter is no UTF-8. */
json_t *grant_new(const struct session *session, const struct form *form, const char *client,
                  const char *scope) MUST_USE;
/* Those members of a record. */
json_t *grant_copy(const json_t *record) MUST_USE;
void code_exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                   const struct form *form, const struct binding *binding);

/* refresh.c: the family is the name of all that comes of one sign-in, and the sid of its access
 * tokens: it goes on when the browser's session has ended. */
enum { REFRESH_TEXT_SIZE = CLAIMS_ID_SIZE - 1 + IDP_SECRET_SIZE };
/* `binding`: what the tokens must go on being bound to; NULL: nothing. */
int refresh_make(struct idp *idp, const struct client *client, const json_t *grant,
                 const struct binding *binding, const char family[CLAIMS_ID_SIZE],
                 char out[REFRESH_TEXT_SIZE], struct err *err) MUST_USE;
void refresh_exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                      const struct form *form, const struct binding *binding);
void device_exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                     const struct form *form, const struct binding *binding);
void token_exchange(struct idp *idp, struct serve_request *request, const struct client *client,
                    const struct form *form, const struct binding *binding);
/* The keys of a TrustedIssuer can be read. */
int trusted_admit(struct idp *idp, const struct kube_change *change, struct err *err) MUST_USE;
/* What came of an API key is void: the key was changed. */
int exchange_end_key(struct idp *idp, const char *id, struct err *err) MUST_USE;
/* The family's record; ERR_NOT_FOUND. A token that was just replaced is good for a moment more, so
 * that an answer that got lost, or two tabs, end no sign-in. */
enum refresh_age { REFRESH_CURRENT, REFRESH_JUST_REPLACED, REFRESH_OLD };
int refresh_find(struct idp *idp, const char *text, json_t **record, char family[CLAIMS_ID_SIZE],
                 enum refresh_age *age, struct err *err) MUST_USE;
/* Ends it and its access tokens. */
int refresh_end(struct idp *idp, const char *family, struct err *err) MUST_USE;

#endif
