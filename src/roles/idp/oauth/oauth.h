/* SPDX-License-Identifier: Apache-2.0 */
/* The small grammars of OAuth 2.0 and HTTP that a client's bytes go through. Nothing here knows
 * about accounts. */
#ifndef DRUN_IDP_OAUTH_H
#define DRUN_IDP_OAUTH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

enum {
    OAUTH_VERIFIER_MIN = 43,
    OAUTH_VERIFIER_MAX = 128,
    OAUTH_CHALLENGE_LEN = 43,
    OAUTH_SCOPE_MAX = 1024,
    OAUTH_ID_MAX = 253, /* a client_id */
};

/* RFC 6749 section 3.3: tokens of printable ASCII without quote and backslash, one blank between
 * them. The empty text is good. */
bool oauth_scope_is_valid(struct span scope);
/* Takes the next token off; false at the end. */
bool oauth_scope_next(struct span *rest, struct span *token);
bool oauth_scope_has(struct span scope, const char *token);

/* RFC 7636 with S256, the only method. */
bool oauth_challenge_is_valid(struct span challenge);
bool oauth_verifier_fits(struct span verifier, struct span challenge);

/* The registered URI character by character; http on a loopback address may have any port
 * (RFC 8252 section 7.3). */
bool oauth_redirect_matches(const char *registered, const char *given);

/* Appends percent-encoded text for a query or a form (RFC 3986 unreserved stays). */
void oauth_put_encoded(struct buf *out, const char *text);
/* Appends `name=value` with the right one of '?' and '&' before it. */
void oauth_put_query(struct buf *uri, const char *name, const char *value);

/* "Basic …" of RFC 7617 with form-encoded parts (RFC 6749 section 2.3.1). Texts are in the arena.
 */
int oauth_basic_parse(struct span header, struct arena *arena, const char **id, const char **secret,
                      struct err *err) MUST_USE;

/* The value of a cookie in a Cookie header (RFC 6265 section 4.2.1); p is NULL when it is not there
 * or is there twice. */
struct span oauth_cookie_find(struct span header, const char *name);

/* "https://host:1" of "https://host:1/path"; the length. */
size_t oauth_origin_len(const char *url);

/* Appends a JSON string with its quotes. The text must be UTF-8. */
void oauth_put_json(struct buf *out, struct span text);

#endif
