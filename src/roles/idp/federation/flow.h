/* SPDX-License-Identifier: Apache-2.0 */
/* One person's way through an OpenID Connect provider, shared by flow.c (the browser's part) and
 * redeem.c (ours with the provider). It lives in the request's arena. */
#ifndef DRUN_IDP_FLOW_H
#define DRUN_IDP_FLOW_H

#include "idp/federation/federation.h"

struct flow {
    struct idp *idp;
    struct serve_request *request;
    struct provider provider;
    json_t *record; /* {"return","until","nonce","verifier"; "linkUid" of a link} */
    const char *hint;
    bool wants_json; /* a page's script asks, not the person */
    const char *token_endpoint, *jwks_uri, *userinfo_endpoint;
    const char *id_token, *access_token; /* in the arena */
    json_t *claims, *userinfo;
    bool waited; /* for keys, once */
};

/* NULL when it was answered. */
struct flow *flow_new(struct idp *idp, struct serve_request *request,
                      const struct provider *provider) MUST_USE;
/* The answer is there: frees it and lets the answer go. */
void flow_end(struct flow *flow);
/* A page for the person, or a problem for a script. ERR_NOT_FOUND: nobody here is linked to it;
 * ERR_EXISTS: the name is taken; ERR_GONE: begin again. */
void flow_fail_err(struct flow *flow, const struct err *err);
/* The caller frees it. */
char *flow_redirect_uri(const struct flow *flow) MUST_USE;

/* ticket.c: what the browser keeps meanwhile. */

/* Sets the cookie; the record gets `nonce` and `verifier`. */
int ticket_make(struct flow *flow, char state[IDP_SECRET_SIZE], struct err *err) MUST_USE;
/* The record again, with them; ERR_GONE when it is not of this browser and this provider, or
 * over. The cookie goes. */
int ticket_take(struct flow *flow, struct err *err) MUST_USE;
/* ERR_GONE when somebody was there with it before. */
int ticket_use_up(struct flow *flow, struct err *err) MUST_USE;

/* redeem.c: the code for tokens, the tokens for a user; ends the flow, later. */
int flow_redeem(struct flow *flow, struct err *err) MUST_USE;

#endif
