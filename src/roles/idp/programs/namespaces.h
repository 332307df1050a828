/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of service accounts, and namespaces that go. */
#ifndef DRUN_IDP_NAMESPACES_H
#define DRUN_IDP_NAMESPACES_H

#include "idp/idp_internal.h"

#define NAMESPACE_TOKENS "accounttokens"

/* A token of this service account, of that uid, may be alive until then; those of an account that
 * had the name before end. */
int namespace_note_token(struct idp *idp, const char *namespace, const char *subject,
                         const char *uid, int64_t until, struct err *err) MUST_USE;
int namespaces_start(struct idp *idp, struct err *err) MUST_USE;
serve_emptied_fn namespace_emptied;
kube_owner_fn idp_owner_is_gone;

/* bound_token.c: tokens that end with an object. Looks up what a boundObjectRef names, puts it into
 * the claim kubernetes.io and gives the session that ends when it does. ERR_NOT_FOUND; ERR_CONFLICT
 * for another uid; ERR_INVALID for a kind that tokens are not bound to. */
#define BOUND_TOKENS "boundtokens"
enum { BOUND_SID_SIZE = 64 };
int bound_token_note(struct idp *idp, const char *namespace, const json_t *ref, int64_t until,
                     json_t *claim, char sid[BOUND_SID_SIZE], struct err *err) MUST_USE;
/* Ends tokens whose objects are gone; some at a time. */
int bound_tokens_check(struct idp *idp, struct err *err) MUST_USE;

#endif
