/* SPDX-License-Identifier: Apache-2.0 */
/* Who changes his second factors, for factors_http.c and sms_http.c. */
#ifndef DRUN_IDP_ACTOR_H
#define DRUN_IDP_ACTOR_H

#include "idp/factors/signin.h"

/* In a browser's session, on the way to one, or with an access token of the console or of the drun
 * command. */
struct actor {
    struct session session; /* id "" with a token */
    struct signin signin;
    struct account own; /* of a token */
    const struct account *account;
    struct factors factors;
    bool enrolling;
    enum auth_level level;
    int64_t auth_time;
};

void actor_free(struct actor *actor);
/* ERR_UNAUTHENTICATED; ERR_DENIED for tokens of others. */
int actor_find(struct idp *idp, struct serve_request *request, struct actor *actor,
               struct err *err) MUST_USE;
/* The same, but not on the way. */
int actor_find_signed_in(struct idp *idp, struct serve_request *request, struct actor *actor,
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
