/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Argon2id beside the loop. One thread computes password hashes out of a short queue, so that a
 * sign-in of some 30 ms never makes other requests wait, and so that at most one hash's memory
 * (19 MiB, the parameters of kdf_password_params: OWASP's for a small process) is in use at a time.
 * Results come back on the loop's thread.
 */
#ifndef DRUN_IDP_HASHER_H
#define DRUN_IDP_HASHER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "loop/loop.h"

struct hasher;

/* Together they stay well within the secure heap. */
enum { HASHER_QUEUE_MAX = 32, HASHER_PASSWORD_MAX = 512 };

/* `err` is NULL when it went well. `phc` is the new hash of hasher_hash(), and of hasher_verify()
 * when the stored one was made with other parameters; otherwise NULL. Both are gone afterwards. */
typedef void hasher_fn(void *ctx, const char *phc, const struct err *err);

/* Starts the thread: after the process was locked down. */
int hasher_new(struct loop *loop, struct hasher **out, struct err *err) MUST_USE;
/* Waits for the hash in work; calls nobody any more. */
void hasher_free(struct hasher *hasher);

/* ERR_LIMITED when the queue is full: later it works again. The texts are copied and the password's
 * copy is erased. With `phc` NULL it takes the same time and always fails: for users that are not
 * there. */
int hasher_verify(struct hasher *hasher, const char *phc, struct span password, hasher_fn *fn,
                  void *ctx, struct err *err) MUST_USE;
int hasher_hash(struct hasher *hasher, struct span password, hasher_fn *fn, void *ctx,
                struct err *err) MUST_USE;

#endif
