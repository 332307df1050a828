/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's front door, as a client from outside sees it: HTTPS to the gateway, with a token
 * that idp gives the posture role and that is bound to the namespace FRONT_NAMESPACE. */
#ifndef DRUN_POSTURE_FRONT_H
#define DRUN_POSTURE_FRONT_H

#include "auth/auth.h"
#include "proof.h"
#include "role/settings.h"

#include <jansson.h>

#define FRONT_NAMESPACE AUTH_POSTURE_NAMESPACE

struct front *front_new(struct role *role, struct role_line *idp) MUST_USE;
void front_free(struct front *front);
/* To another listener; whoever turns it turns it back to SETTINGS_LISTEN. */
void front_turn(struct front *front, enum settings_listener which);

/* One request; any status is an answer. `credential`: NULL is the posture's own token, "" none. The
 * caller owns *out, which is NULL when the body is no JSON. `out` may be NULL. */
int front_call(struct front *front, const char *method, const char *path, const char *credential,
               const json_t *body, unsigned *status, json_t **out, struct err *err) MUST_USE;
/* The same for a proof: false when the request could not be made at all, which is in the evidence
 * then. */
bool front_ask(struct proof *proof, const char *method, const char *path, const char *credential,
               const json_t *body, unsigned *status, json_t **out) MUST_USE;
/* A request without a body, of which this status is expected. */
void front_expect(struct proof *proof, const char *method, const char *path, const char *credential,
                  unsigned wanted, const char *what);
/* The same with a form, for OAuth. */
int front_form(struct front *front, const char *path, const char *form, unsigned *status,
               json_t **out, struct err *err) MUST_USE;
/* As front_call() with one more header ("Cookie: …"; may be NULL). */
int front_visit(struct front *front, const char *method, const char *path, const char *credential,
                const char *header, const json_t *body, unsigned *status, json_t **out,
                struct err *err) MUST_USE;
/* The headers of the last answer as received. */
const char *front_headers(const struct front *front);
/* The value of a header of the last answer; NULL when there is none. The caller frees it. */
char *front_header(struct front *front, const char *name) MUST_USE;
/* Makes the namespace when it is missing. */
int front_prepare(struct front *front, struct err *err) MUST_USE;
/* The body of the last answer as it came. */
struct span front_body(const struct front *front);
/* The posture's own token; valid until the next call. */
int front_own_token(struct front *front, const char **token, struct err *err) MUST_USE;
/* An API key for the posture's own user, of this spec (NULL: an empty one), with its secret. The
 * caller wipes and frees *key. */
int front_make_key(struct front *front, const char *name, const json_t *spec, char **key,
                   struct err *err) MUST_USE;
int front_drop_key(struct front *front, const char *name, struct err *err) MUST_USE;
const char *front_url(const struct front *front);

#endif
