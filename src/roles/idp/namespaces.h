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

#endif
