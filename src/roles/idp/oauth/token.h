/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint's parts: what a grant gives, and how one is refused. */
#ifndef DRUN_IDP_TOKEN_H
#define DRUN_IDP_TOKEN_H

#include "idp/idp_internal.h"

/* A user's grant to a client. */
struct token_grant {
    const struct client *client;
    const struct account *account;
    const json_t *record;  /* grant_new() */
    const json_t *targets; /* narrows the record's resources; NULL: all of them */
    const char *scope, *nonce;
    const struct binding *binding;
    const char *family, *refresh; /* of a refresh; NULL: both new where due */
};

struct token_issued {
    char jti[CLAIMS_ID_SIZE];
    char family[CLAIMS_ID_SIZE]; /* "" for none */
};

/* Signs the tokens of the grant and answers with them. */
int token_issue(struct idp *idp, struct serve_request *request, const struct token_grant *grant,
                struct token_issued *issued, struct err *err) MUST_USE;
/* invalid_grant */
void token_refuse(struct serve_request *request, const char *why);
void token_unavailable(struct serve_request *request, const struct err *err);
/* One of the two, by the error: a user who is gone or disabled makes the grant invalid. */
void token_fail(struct serve_request *request, const struct err *err);

#endif
