/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a password or a second factor may be tried. Failures count at three places: for an
 * account from one source network (/24, /64), for the network whatever the account, and for the
 * account from everywhere. After some free tries each further one doubles the wait, up to a
 * ceiling. For passwords: 15 minutes for the first, one minute for the second, 10 seconds for the
 * third, so that nobody can lock the owner of an account out from elsewhere for longer than a
 * breath. For second factors the third is 15 minutes as well: who tries there knows the password,
 * and a code has six digits.
 *
 * A browser in which the account has signed in before (its device cookie) counts at a place of its
 * own and at no other: whatever others do to the account, it keeps working.
 *
 * There is no permanent lock-out. In memory and bounded; what is forgotten first is what was quiet
 * longest.
 */
#ifndef DRUN_IDP_THROTTLE_H
#define DRUN_IDP_THROTTLE_H

#include "base/attr.h"

#include <stdint.h>

struct throttle;

struct throttle *throttle_new(void) MUST_USE;
void throttle_free(struct throttle *throttle);

enum throttle_kind { THROTTLE_PASSWORD, THROTTLE_FACTOR, THROTTLE_KIND_COUNT };

struct throttle_try {
    enum throttle_kind kind;
    const char *account;
    const char *address; /* the client's, in text form; what is no address is one network */
    const char *device;  /* the id of a device that the account knows; NULL: none */
};

/* Seconds to wait before the next try; 0: now. `now` is monotonic, in seconds. */
uint32_t throttle_wait(const struct throttle *throttle, const struct throttle_try *what,
                       uint64_t now);
/* A try begins: it counts as failed until throttle_passed(), so that many at once do not slip
 * through while the first one is being computed. */
void throttle_begin(struct throttle *throttle, const struct throttle_try *what, uint64_t now);
void throttle_passed(struct throttle *throttle, const struct throttle_try *what);

#endif
