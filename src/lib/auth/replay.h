/* SPDX-License-Identifier: Apache-2.0 */
/* Which proofs were used before, in the memory of one process. */
#ifndef DRUN_AUTH_REPLAY_H
#define DRUN_AUTH_REPLAY_H

#include "auth/auth.h"

enum { AUTH_REPLAY_MAX = 1 << 18 };

struct auth_replay;

struct auth_replay *auth_replay_new(void) MUST_USE;
void auth_replay_free(struct auth_replay *replay);
/* 0: new, and remembered for at least AUTH_REPLAY_SEC. ERR_UNAUTHENTICATED: seen. ERR_LIMITED: more
 * than AUTH_REPLAY_MAX within that time; nothing is forgotten to make room. */
int auth_replay_check(struct auth_replay *replay, const uint8_t id[AUTH_PROOF_ID_LEN], int64_t now,
                      struct err *err) MUST_USE;

#endif
