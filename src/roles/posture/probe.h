/* SPDX-License-Identifier: Apache-2.0 */
/* A user without any right, whom idp makes for one proof; everything that it does goes through the
 * front door. */
#ifndef DRUN_POSTURE_PROBE_H
#define DRUN_POSTURE_PROBE_H

#include "visitor.h"

#define PROBE_PASSWORD "posture: a password for one proof"

struct probe {
    struct proof *proof;
    char user[64];
};

/* A request of the visitor that is to be answered with that status; takes the body, and *out (may
 * be NULL) becomes the caller's. False when it is answered otherwise. */
bool probe_expect(struct probe *probe, struct visitor *visitor, const char *method,
                  const char *path, json_t *body, unsigned wanted, json_t **out, const char *what);
/* Makes the user and signs it in by its one-time link, which must work once. */
bool probe_sign_in(struct probe *probe, struct visitor *visitor);
/* The session is ended by its owner: a copy of its cookie, as a thief has it, opens nothing. */
void probe_end_session(struct probe *probe, struct visitor *owner);
void probe_drop(struct probe *probe);

/* The gateway accepted this key or token until now: "WHAT is refused after N ms" is expected to be
 * no more than what the platform promises. */
void probe_expect_refusal(struct proof *proof, const char *credential, const char *what);

#endif
