/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization requests that are kept here, under a request_uri: what a client has pushed (RFC
 * 9126), and what waits for the user to sign in or to consent and must not change meanwhile.
 */
#ifndef DRUN_IDP_PUSHED_H
#define DRUN_IDP_PUSHED_H

#include "idp/oauth/protocol.h"

#define PUSHED_PREFIX "urn:ietf:params:oauth:request_uri:"

enum {
    PUSHED_SEC = 90,       /* from the push to the user's first visit */
    PUSHED_WAIT_SEC = 900, /* while the user signs in and consents */
    PUSHED_URI_SIZE = sizeof(PUSHED_PREFIX) + IDP_SECRET_SIZE,
};

struct pushed {
    json_t *record; /* NULL: the request is not kept */
    char uri[PUSHED_URI_SIZE];
    bool by_client;        /* it was pushed */
    bool by_signing;       /* it is a signed one */
    int64_t auth_after;    /* the user must have signed in since */
    const char *consented; /* uid of who has consented to it, or "" */
};

void pushed_free(struct pushed *pushed);
/* The request with this URI becomes the form, in the arena; ERR_NOT_FOUND when it is not known, not
 * this client's, or over. */
int pushed_load(struct idp *idp, const char *uri, const char *client_id, struct arena *arena,
                struct pushed *out, struct form *form, struct err *err) MUST_USE;
/* Keeps the form under a new URI. */
int pushed_new(struct idp *idp, const struct form *form, bool by_client, bool by_signing,
               uint32_t ttl_sec, struct pushed *out, struct err *err) MUST_USE;
/* Writes auth_after and consented, and lets it wait for the user. */
int pushed_wait(struct idp *idp, struct pushed *pushed, struct err *err) MUST_USE;
/* It has been answered. */
int pushed_done(struct idp *idp, const struct pushed *pushed, struct err *err) MUST_USE;

#endif
