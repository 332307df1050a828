/* SPDX-License-Identifier: Apache-2.0 */
/* For this folder and its tests. */
#ifndef DRUN_KMS_KEYRING_INTERNAL_H
#define DRUN_KMS_KEYRING_INTERNAL_H

#include "crypto/crypto.h"
#include "keyring.h"

#include <sys/queue.h>

enum {
    KEYRING_CHECK_LEN = 16,
    KEYRING_HEADER_MAX = 512,
    KEYRING_CA_TTL_SEC = 400 * 24 * 3600, /* a period, with what comes before and after */
};

struct keyring_kek {
    uint32_t version;
    int64_t created_sec;
    uint64_t wraps;         /* made so far */
    uint64_t wraps_counted; /* on disk; never less */
    struct secret *key;
};

/* What is readable without the root key. */
struct keyring_header {
    const struct unseal_provider *provider;
    char instance[KEYS_NAME_SIZE];
    uint8_t params[UNSEAL_PARAMS_MAX];
    size_t params_len;
    uint8_t check[KEYRING_CHECK_LEN]; /* tells a wrong root key from a damaged file */
};

struct keyring {
    int dir_fd;
    struct keyring_header header;
    struct secret *body_key;  /* seals the whole */
    struct secret *entry_key; /* seals each key inside, so that none is ever in ordinary memory */
    struct keyring_kek *keks;
    size_t kek_count;
    struct keyring_generation *generations; /* by from_sec */
    size_t generation_count;
};

struct keyring_kek *keyring_newest_kek(const struct keyring *keyring);
int keyring_add_kek(struct keyring *keyring, int64_t now_sec, struct err *err) MUST_USE;
int keyring_add_generation(struct keyring *keyring, const struct keyring_policy *policy,
                           int64_t now_sec, int64_t from_sec, struct err *err) MUST_USE;
void keyring_drop_kek(struct keyring *keyring); /* the newest */
void keyring_drop_generation(struct keyring *keyring, size_t i);
/* Room for one more, emptied, and where it is. */
struct keyring_kek *keyring_push_kek(struct keyring *keyring);
struct keyring_generation *keyring_push_generation(struct keyring *keyring);
const struct keyring_policy *keyring_policy(const char *name);

/* Encoded as the file is. */
int keyring_put(const struct keyring *keyring, struct buf *file, struct err *err) MUST_USE;
int keyring_save(const struct keyring *keyring, struct err *err) MUST_USE;
/* The header at the front of a file; *out_body gets what is behind it. */
int keyring_get_header(struct span file, struct keyring_header *out, struct span *out_aad,
                       struct span *out_body, struct err *err) MUST_USE;
void keyring_put_header(const struct keyring_header *header, struct buf *out);
void keyring_put_body(const struct keyring *keyring, struct buf *out);
int keyring_get_body(struct keyring *keyring, struct span body, struct err *err) MUST_USE;

#endif
