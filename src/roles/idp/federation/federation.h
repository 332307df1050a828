/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in with an account of elsewhere: an OpenID Connect provider or an LDAP directory, as an
 * IdentityProvider says. docs/PROTOCOL.session section 5; decision 0028.
 *
 * A link says which user an outside account is; it is named by the provider's uid, its issuer and
 * the account's subject there, so that neither a new provider of an old name nor another issuer
 * inherits it.
 */
#ifndef DRUN_IDP_FEDERATION_H
#define DRUN_IDP_FEDERATION_H

#include "idp/factors/signin.h"
#include "idp/federation/mapping.h"
#include "idp/federation/provider.h"

/* Collections. */
#define FEDERATION_LINKS    "federationlinks"    /* outside account to user */
#define FEDERATION_SESSIONS "federationsessions" /* which sessions came from where */

enum { FEDERATION_FLOW_SEC = 600 };

struct federation;

struct federation *federation_new(struct idp *idp) MUST_USE;
void federation_free(struct federation *federation);
/* Every path under /session/providers/NAME/. */
bool federation_route(struct idp *idp, struct serve_request *request);
idp_handler_fn federation_providers, links_show, links_add, links_remove;

/* ------------------------------------------------------------------ metadata.c: discovery */

/* What the provider says about itself, when it is known and not too old; NULL. Valid until the
 * loop turns. */
const json_t *metadata_now(struct federation *federation, const struct provider *provider);
/* Fetches it; `doc` is NULL when that failed, and `why` says so. From the loop, never from in here.
 */
typedef void metadata_fn(void *ctx, const json_t *doc, const struct err *why);
int metadata_fetch(struct federation *federation, const struct provider *provider, metadata_fn *fn,
                   void *ctx, struct err *err) MUST_USE;
void metadata_forget(struct federation *federation, const char *name);

/* ------------------------------------------------------------------ reach.c: the condition Ready
 */

/* What was seen of the provider just now; `why` NULL: it answers. */
void reach_report(struct idp *idp, const struct provider *provider, const struct err *why);
/* Looks, and reports; `fn` (may be NULL) is told afterwards, from the loop. */
typedef void reach_fn(void *ctx, const struct err *why);
int reach_ask(struct idp *idp, const json_t *object, reach_fn *fn, void *ctx,
              struct err *err) MUST_USE;
/* The same, when nobody waits. */
void reach_look(struct idp *idp, const json_t *object);
/* reach_http.c: POST /apis/drun.io/v1/identityproviders/NAME/check */
bool reach_route(struct idp *idp, struct serve_request *request);

/* ------------------------------------------------------------------ people.c: which user */

/* What a sign-in at a provider has proved. */
struct outside {
    const struct provider *provider;
    const char *issuer; /* of a directory its URL */
    struct person person;
    const char *amr;      /* of the sign-in */
    const char *sid;      /* the session there; "" */
    const char *id_token; /* "" */
};

/* The user, found, linked or made; brought up to date. ERR_DENIED, ERR_CONFLICT and ERR_EXISTS have
 * a sentence for the person. */
int people_find(struct idp *idp, struct serve_request *request, const struct outside *outside,
                struct account *out, struct err *err) MUST_USE;
/* This user is linked to it. ERR_CONFLICT: somebody else is. `shown` (may be NULL) gets what a list
 * shows. */
int people_link(struct idp *idp, const struct outside *outside, const struct account *account,
                json_t **shown, struct err *err) MUST_USE;
/* What came with a link goes with it. */
int people_take_groups(struct idp *idp, const struct account *account, const json_t *link,
                       struct err *err) MUST_USE;
/* Opens the session or says what is missing, as signin_continue(). */
int people_sign_in(struct idp *idp, struct serve_request *request, const struct outside *outside,
                   struct err *err) MUST_USE;

/* ------------------------------------------------------------------ links.c */

/* {"provider","providerUid","subject","user","uid","account","groups","since","used"} */
int links_find(struct idp *idp, const struct outside *outside, char id[IDP_ID_SIZE], json_t **out,
               struct err *err) MUST_USE;
int links_put(struct idp *idp, const char *id, const json_t *link, struct err *err) MUST_USE;
/* Has the user one at this provider? */
int links_has(struct idp *idp, const struct account *account, const struct provider *provider,
              bool *out, struct err *err) MUST_USE;
json_t *links_shown(const char *id, const json_t *link, const char *display, const char *type);
int links_drop_user(struct idp *idp, const char *user, struct err *err) MUST_USE;
int links_drop_provider(struct idp *idp, const char *provider, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ ends.c: signing out */

/* The session came from there; the sign-in's record says so. */
int federation_note_session(struct idp *idp, const char *sid, const json_t *signin,
                            struct err *err) MUST_USE;
int federation_end_sessions(struct idp *idp, const char *provider, struct err *err) MUST_USE;
/* The session has ended: forgets what was noted. */
int federation_forget_session(struct idp *idp, const char *sid, struct err *err) MUST_USE;
/* Where the browser is to go to sign out at the provider, too: "" for nowhere. */
void federation_logout_url(struct idp *idp, const char *sid, struct buf *out);
/* POST …/NAME/backchannel */
void federation_backchannel(struct idp *idp, struct serve_request *request,
                            const struct provider *provider);

/* ------------------------------------------------------------------ flow.c: OpenID Connect */

/* GET …/NAME/start and …/NAME/callback. */
void flow_start(struct idp *idp, struct serve_request *request, const struct provider *provider);
void flow_callback(struct idp *idp, struct serve_request *request, const struct provider *provider);
/* For a signed-in user: answers {location}. */
void flow_link(struct idp *idp, struct serve_request *request, const struct provider *provider,
               const struct account *account, const char *back);

/* ------------------------------------------------------------------ directory.c: LDAP */

/* Asks the directory and answers as POST /session. Takes no copy of the password. */
void directory_sign_in(struct idp *idp, struct serve_request *request,
                       const struct provider *provider, const char *login, const char *password);
/* The same, for a signed-in user who links an account. */
void directory_link(struct idp *idp, struct serve_request *request, const struct provider *provider,
                    const struct account *account, const char *login, const char *password);
/* POST /session with a name of a directory's domain: true when the directory answers. */
bool directory_takes(struct idp *idp, struct serve_request *request, const char *login,
                     const char *password);

#endif
