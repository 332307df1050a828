/* SPDX-License-Identifier: Apache-2.0 */
/* What a client asks for at the authorization endpoint. The client is known and its redirect URI is
 * one of its own: from here on a fault is told to the client. */
#ifndef DRUN_IDP_AUTHORIZE_REQUEST_H
#define DRUN_IDP_AUTHORIZE_REQUEST_H

#include "idp/idp_internal.h"

struct authorize_wish {
    bool silent;                /* prompt=none: nothing may be shown to the user */
    bool anew;                  /* the user shall sign in now, signed in or not */
    bool consent;               /* and shall consent, whether he did before or not */
    enum auth_level acr;        /* how well he must have signed in */
    bool essential;             /* nothing less will do */
    char subject[SUBJECT_SIZE]; /* whom the tokens must be about; "" for anybody */
    int64_t since;              /* the user must have signed in then or later; 0: whenever */
    /* After -1: an error of RFC 6749 section 4.1.2.1 or OpenID Connect Core, and a sentence. */
    const char *error, *why;
};

int authorize_read(const struct client *client, const struct form *form, int64_t now,
                   struct authorize_wish *out) MUST_USE;

#endif
