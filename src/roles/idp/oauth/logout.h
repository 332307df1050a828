/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who must hear that a session has ended: OpenID Connect Back-Channel and Front-Channel Logout.
 * What is to be told from here is kept until it was, or until it was tried often enough.
 */
#ifndef DRUN_IDP_LOGOUT_H
#define DRUN_IDP_LOGOUT_H

#include "idp/idp_internal.h"

struct logout;

struct logout *logout_new(struct idp *idp) MUST_USE;
void logout_free(struct logout *logout);
/* The client got tokens in this session; nothing when it wants to hear of no end. */
int logout_note(struct idp *idp, const char *sid, const struct client *client, const char *user,
                const char *uid, struct err *err) MUST_USE;
/* The session ends: what is to be told is written down. */
int logout_ended(struct idp *idp, const char *sid, struct err *err) MUST_USE;
/* The batch is durable, or time has passed: tells what is due. */
void logout_run(struct logout *logout);
/* The frames of a page that tells the clients of the session in the user's browser, and their
 * origins; both empty for none. */
int logout_put_frames(struct idp *idp, const char *sid, struct buf *frames, struct buf *origins,
                      struct err *err) MUST_USE;

#endif
