/* SPDX-License-Identifier: Apache-2.0 */
/* Token exchange (RFC 8693): what somebody has, for something that lives shorter and may less. */
#ifndef DRUN_IDP_EXCHANGE_H
#define DRUN_IDP_EXCHANGE_H

#include "idp/oauth/protocol.h"

enum { EXCHANGE_SEC = 900 };

/* Who a subject token stands for. Owns its values. */
struct exchange_subject {
    json_t *claims;      /* of an access token of ours, else NULL */
    json_t *groups;      /* texts */
    json_t *key;         /* narrows it as the API key was narrowed; NULL for no key */
    json_t *actor;       /* for the claim `act`; NULL for none */
    const char *subject; /* all texts live in the values, or in the request's arena */
    const char *name;    /* NULL: the subject */
    const char *sid;
    int64_t ends_at; /* 0: never */
};

void exchange_subject_free(struct exchange_subject *subject);
/* ERR_UNAUTHENTICATED when it is no good; ERR_DENIED when it cannot be exchanged. */
int exchange_read_key(struct idp *idp, struct serve_request *request, const char *text,
                      struct exchange_subject *out, struct err *err) MUST_USE;
int exchange_read_own(struct idp *idp, const char *text, struct exchange_subject *out,
                      struct err *err) MUST_USE;
/* A token of a TrustedIssuer, for the service account that one of its rules names. */
int exchange_read_foreign(struct idp *idp, struct serve_request *request, const char *text,
                          struct exchange_subject *out, struct err *err) MUST_USE;

/* trusted.c: the first rule that the claims fit, as {"namespace","name"}; NULL for none. '*' in a
 * pattern stands for any run of characters. */
const json_t *trusted_match(const json_t *rules, const json_t *claims);

#endif
