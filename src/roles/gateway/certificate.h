/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRUN_ROLES_GATEWAY_CERTIFICATE_H
#define DRUN_ROLES_GATEWAY_CERTIFICATE_H

#include "role/role.h"

/* A new key, made here, and a certificate for it from kms, written into the role's run folder (in
 * memory) as tls.key, tls.crt, and ca.pem for clients. */
int certificate_renew(struct role *role, struct err *err) MUST_USE;

#endif
