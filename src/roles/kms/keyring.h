/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of one instance: KEK versions, generations of signing keys and of the CA. On disk it is
 * one file, "keyring", sealed by the root key (docs/PROTOCOL.kms); every change is durable there
 * before it is used. Times are seconds of the wall clock and given by the caller.
 *
 * What a generation is for follows from the clock alone: it signs from its from_sec until the next
 * generation's, and verifies until what it signed has expired. So no state can be out of step.
 */
#ifndef DRUN_KMS_KEYRING_H
#define DRUN_KMS_KEYRING_H

#include "keys/keys.h"
#include "unseal.h"

enum {
    KEYRING_KEKS_MAX = 1024, /* at 30 days each: 84 years */
    KEYRING_GENERATIONS_MAX = 64,
    KEYRING_ON_DEMAND_MAX = 16, /* generations of one key, beyond which only the schedule adds */
    KEYRING_FILE_MAX = 1024 * 1024,
    KEYRING_KEK_AGE_SEC = 30 * 24 * 3600,
    KEYRING_KEK_WRAPS = 1 << 24,   /* far below the 2^32 of AES-GCM with random nonces */
    KEYRING_WRAPS_AHEAD = 1 << 12, /* counted on disk before they are made */
    KEYRING_ROTATE_GAP_SEC = 60,
};

/* How the generations of one key follow each other; const, in keyring_rotate.c. */
struct keyring_policy {
    const char *name;
    enum sign_alg alg;
    uint32_t period_sec;  /* signs for this long */
    uint32_t publish_sec; /* is known before it signs */
    uint32_t keep_sec;    /* verifies after it signed; KEYRING_KEEP for ever */
};

enum { KEYRING_KEEP = 0 };

/* Ends with a zeroed one. */
extern const struct keyring_policy keyring_policies[];

struct keyring;

struct keyring_place {
    int dir_fd; /* the caller's; must outlive the keyring */
    const char *instance;
};

/* A new keyring with one KEK and one generation of each key. ERR_EXISTS when there is one. */
int keyring_create(const struct keyring_place *place, const struct unseal_provider *provider,
                   const struct secret *material, int64_t now_sec, struct keyring **out,
                   struct err *err) MUST_USE;
/* ERR_NOT_FOUND: there is none. ERR_DENIED: wrong passphrase or key file. ERR_INVALID: of another
 * instance. ERR_CORRUPT: damaged. ERR_UNSUPPORTED: of a newer drun. */
int keyring_load(const struct keyring_place *place, const struct secret *material,
                 struct keyring **out, struct err *err) MUST_USE;
/* The provider that the keyring on disk needs. */
int keyring_provider(const struct keyring_place *place, const struct unseal_provider **out,
                     struct err *err) MUST_USE;
void keyring_free(struct keyring *keyring);
void keyring_free_ptr(struct keyring **keyring);

/* Data keys; the contract is that of keys/keys.h. */
int keyring_wrap(struct keyring *keyring, const char *collection, const struct secret *key,
                 struct buf *wrapped, struct err *err) MUST_USE;
int keyring_unwrap(const struct keyring *keyring, const char *collection, struct span wrapped,
                   struct secret **out, struct err *err) MUST_USE;

/* One generation of a signing key, or of the CA; the keyring's. */
struct keyring_generation {
    char name[KEYS_NAME_SIZE];
    char kid[SIGN_KID_SIZE];
    enum sign_alg alg;
    int64_t created_sec;
    int64_t from_sec;
    struct sign_key *key;
    struct buf cert; /* DER, of the CA only */
};

size_t keyring_generation_count(const struct keyring *keyring);
/* Oldest first. */
const struct keyring_generation *keyring_generation_at(const struct keyring *keyring, size_t i);
/* The one that signs now; NULL for a name that is none. */
const struct keyring_generation *keyring_current(const struct keyring *keyring, const char *name,
                                                 int64_t now_sec);
/* What it is for now. Returns false when it has ended. */
bool keyring_generation_state(const struct keyring *keyring, size_t i, int64_t now_sec,
                              enum keys_state *out_state, int64_t *out_until_sec);

/* Makes what is due by age and by count, and forgets generations that ended. Returns how many new
 * keys there are; their names go to `names`, separated by blanks. */
int keyring_rotate_due(struct keyring *keyring, int64_t now_sec, struct buf *names,
                       struct err *err) MUST_USE;
/* True when the newest KEK has done its number of wraps: time for keyring_rotate_due(). */
bool keyring_kek_spent(const struct keyring *keyring);
/* "kek", "ca" or the name of a signing key. ERR_NOT_FOUND, ERR_LIMITED within a minute of the last
 * one or with KEYRING_ON_DEMAND_MAX generations, ERR_EXISTS when the next generation is published
 * already. */
int keyring_rotate(struct keyring *keyring, const char *what, int64_t now_sec,
                   struct err *err) MUST_USE;

/* The generation with this kid signs no more and is forgotten; if it was the current one, the next
 * one or a new one signs from now on. One whose signatures must verify for ever stays as retired.
 * ERR_NOT_FOUND; ERR_EXISTS for one that is retired and stays. */
int keyring_withdraw(struct keyring *keyring, const char *kid, int64_t now_sec,
                     struct err *err) MUST_USE;
/* Seals the keyring by another root key; the old one opens it no more. */
int keyring_reseal(struct keyring *keyring, const struct unseal_provider *provider,
                   const struct secret *material, struct err *err) MUST_USE;

/* Fills in what the keyring knows. */
void keyring_status(const struct keyring *keyring, int64_t now_sec, struct keys_status *out);

#endif
