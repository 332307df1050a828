/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in as a native application (RFC 8252): the authorization code flow with PKCE (RFC 7636)
 * in the user's browser, which comes back to a listener on the loopback address; or, without a
 * browser here, a code that the user copies from the console.
 */
#ifndef DRUN_CLI_SIGN_IN_H
#define DRUN_CLI_SIGN_IN_H

#include "base/attr.h"
#include "base/err.h"
#include "cli/login.h"

#include <stdbool.h>
#include <stdint.h>

struct sign_in {
    char *authorize_url; /* of the platform */
    char *issuer;
    char *redirect;
    char *code; /* what the user came back with */
    char verifier[44];
    char challenge[44];
    char state[44];
    bool again; /* the person proves once more who it is */
};

#define SIGN_IN_INIT                                                                               \
    {                                                                                              \
        .authorize_url = NULL                                                                      \
    }

/* New random values. */
int sign_in_begin(struct sign_in *sign_in, struct err *err) MUST_USE;
/* From the verifier (RFC 7636 section 4.2). */
void sign_in_set_challenge(struct sign_in *sign_in);
void sign_in_free(struct sign_in *sign_in);
/* The address for the browser; the caller frees it. */
char *sign_in_url(const struct sign_in *sign_in) MUST_USE;
/* Checks what came back (RFC 6749 section 4.1.2, RFC 9207) and keeps the code. Any of them may be
 * NULL. */
int sign_in_accept(struct sign_in *sign_in, const char *code, const char *state, const char *issuer,
                   const char *error, struct err *err) MUST_USE;

/* Listens on 127.0.0.1 and sets the redirect address. */
int loopback_open(struct sign_in *sign_in, int *out_fd, struct err *err) MUST_USE;
/* Takes *fd; answers browsers until one brings the code. */
int loopback_wait(struct sign_in *sign_in, int *fd, struct err *err) MUST_USE;

#endif
