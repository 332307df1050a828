/* SPDX-License-Identifier: Apache-2.0 */
/* Who changes his second factors, for factors_http.c and sms_http.c. */
#ifndef DRUN_IDP_ACTOR_H
#define DRUN_IDP_ACTOR_H

#include "idp/signin.h"

/* In a session, or on the way to one. */
struct actor {
    struct session session;
    struct signin signin;
    const struct account *account;
    struct factors factors;
    bool enrolling;
};

void actor_free(struct actor *actor);
int actor_find(struct idp *idp, struct serve_request *request, struct actor *actor,
               struct err *err) MUST_USE;
/* Who may change something: signed in lately and as well as he can, or at that step of a sign-in
 * that demands a factor. False when it was answered. */
bool actor_may_change(struct idp *idp, struct serve_request *request, const char *event,
                      struct actor *actor);
/* A factor was added, and used just now by `amr`: the session, or the sign-in, is the better for
 * it. `had` is what there was before. Answers the request with `shown`. */
int actor_added(struct idp *idp, struct serve_request *request, struct actor *actor, unsigned had,
                const char *amr, json_t *shown, struct err *err) MUST_USE;
/* A factor was taken out of actor->factors. */
int actor_removed(struct idp *idp, struct actor *actor, struct err *err) MUST_USE;

#endif
