/* SPDX-License-Identifier: Apache-2.0 */
/* For publish.c, identities.c and revoked.c: what identity.snap is made of, in memory. */
#ifndef DRUN_IDP_PUBLISH_INTERNAL_H
#define DRUN_IDP_PUBLISH_INTERNAL_H

#include "idp/idp_internal.h"
#include "idp/revocations.h"

struct publish_key {
    char *namespace, *name;
    json_t *object; /* the ApiKey */
    char *user, *uid;
    json_t *groups;
    uint8_t digest[IDENTITY_DIGEST_LEN];
    uint8_t old_digest[IDENTITY_DIGEST_LEN]; /* of the secret before, until old_until */
    int64_t old_until;                       /* 0: there is none */
    int64_t expires_at;
    bool disabled;
};

/* Those with something against them, now or at a time. */
struct publish_user {
    char *name;
    bool disabled;
    int64_t expires_at;
};

struct publish_touched {
    const struct kube_kind *kind;
    char *namespace, *name;
};

struct publish {
    struct idp *idp;
    struct snapshot_publisher *publisher;
    struct loop_source *later;
    bool dirty;
    bool stale;       /* some of what was published is over */
    bool waiting;     /* for the timer */
    uint64_t last_ns; /* how long the last publication took */

    struct publish_key *keys;
    size_t key_count, key_room;
    struct publish_user *users;
    size_t user_count, user_room;
    struct revocations revocations;
    struct revocation *noted; /* of the batch that is open: as it was before; until 0: not there */
    size_t noted_count, noted_room;
    int64_t long_until; /* no token but usual ones is good after it */
    int64_t long_kept;  /* the same, durable */
    struct publish_touched *touched;
    size_t touched_count, touched_room;
};

int publish_read_all(struct publish *publish, struct err *err) MUST_USE;
/* Reads what was touched. */
void publish_take_in(struct publish *publish);
void publish_forget_all(struct publish *publish);

/* ---- revoked.c ---- */

int publish_read_revoked(struct publish *publish, struct err *err) MUST_USE;
void publish_forget_revoked(struct publish *publish);

#endif
