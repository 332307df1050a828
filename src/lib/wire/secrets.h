/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of secrets. By the exporter: the keys of outside engines and what idp needs at
 * outside identity providers, and only those. A Secret is one when it has the type; every other one
 * is ERR_DENIED, whoever refers to it. Two types, because a tenant says where the first kind is
 * sent. Texts are blocks without NUL.
 */
#ifndef DRUN_WIRE_SECRETS_H
#define DRUN_WIRE_SECRETS_H

#define SECRETS_KEY_TYPE      "drun.io/upstream-key"
#define SECRETS_PROVIDER_TYPE "drun.io/identity-provider"

enum { SECRETS_KEY_MAX = 4096 };

enum secrets_message {
    /* Body: text namespace, text name, text key in its data. Answer: the value, without a newline
     * at its end: 1 to SECRETS_KEY_MAX printable ASCII characters. Durable in the audit log before
     * it is answered. */
    SECRETS_UPSTREAM_KEY = 1,
    /* Body: u64 epoch, u64 place, both 0 at first. Answered, late, when such a Secret changed
     * behind this place: u64 epoch, u64 place, text namespace, text name; empty ones when more
     * changed than is remembered: anything may have. */
    SECRETS_CHANGED = 2,
    /* As SECRETS_UPSTREAM_KEY, of a Secret of SECRETS_PROVIDER_TYPE: a client's secret or the
     * password of a bind. It may have blanks and characters beyond ASCII, but no control
     * characters. */
    SECRETS_PROVIDER_KEY = 3,
    /* By idp, about tokens that end with a Secret. Body: text namespace, text name. Answer: the uid
     * of the Secret, nothing when there is none. */
    SECRETS_UID = 4,
};

#endif
