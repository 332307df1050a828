/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys that others publish at a URL (jwks_uri): fetched through the exporter, kept in the
 * store, refreshed when they are old or a token names one that is not among them. Nobody waits for
 * a fetch: who comes too early is told to come again in a moment.
 */
#ifndef DRUN_IDP_REMOTE_KEYS_H
#define DRUN_IDP_REMOTE_KEYS_H

#include "egress/egress.h"
#include "idp/idp_internal.h"
#include "jose/jose.h"

enum {
    REMOTE_FRESH_SEC = 600,   /* then they are fetched again, and serve meanwhile */
    REMOTE_STALE_SEC = 86400, /* then they serve no more */
    REMOTE_RETRY_SEC = 10,    /* between two tries */
    REMOTE_MAX = 1024,
};

/* Where, as an administrator has configured it. */
struct remote_source {
    const char *owner; /* "OidcClient/app" */
    const char *uri;
    const char *ca_pem; /* "" for the system's */
    bool private_network;
};

struct remote_keys;

struct remote_keys *remote_keys_new(struct idp *idp) MUST_USE;
void remote_keys_free(struct remote_keys *remote);
/* The keys for this token, valid until the loop turns. ERR_UNAVAILABLE: not there yet. */
int remote_keys_find(struct remote_keys *remote, const struct remote_source *source,
                     const char *token, const struct jose_keys **out, struct err *err) MUST_USE;
/* After ERR_UNAVAILABLE: `fn` runs once when the fetch has ended, well or not; then is the time to
 * ask again. -1: nothing is being fetched. */
typedef void remote_keys_fn(void *ctx);
int remote_keys_await(struct remote_keys *remote, const char *uri, remote_keys_fn *fn,
                      void *ctx) MUST_USE;

#endif
