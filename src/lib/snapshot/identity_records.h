/* SPDX-License-Identifier: Apache-2.0 */
/* The records of identity.snap (docs/PROTOCOL.snapshot), for lib/auth. */
#ifndef DRUN_SNAPSHOT_IDENTITY_RECORDS_H
#define DRUN_SNAPSHOT_IDENTITY_RECORDS_H

#include "snapshot/identity.h"
#include "snapshot/view.h"

enum identity_section {
    IDENTITY_TEXT = SNAPSHOT_TEXT,
    IDENTITY_BYTES,
    IDENTITY_TEXTS, /* elements of lists of texts */
    IDENTITY_CIDRS,
    IDENTITY_INFO, /* one record */
    IDENTITY_API_KEYS,
    IDENTITY_API_KEY_TABLE,
    IDENTITY_TOKEN_KEYS,
    IDENTITY_SESSIONS, /* revoked ones */
    IDENTITY_SESSION_TABLE,
    IDENTITY_TOKENS, /* revoked ones */
    IDENTITY_TOKEN_TABLE,
    IDENTITY_USERS, /* those with something against them */
    IDENTITY_USER_TABLE,
    IDENTITY_SECTION_COUNT
};

struct identity_name {
    struct snapshot_ref text;
};

/* The first `bits` of an IPv6 address; IPv4 is mapped (::ffff:0:0/96). */
struct identity_cidr {
    uint8_t address[16];
    uint32_t bits;
};

struct identity_info {
    struct snapshot_ref issuer;
    struct snapshot_ref audience;
    uint8_t pepper[IDENTITY_PEPPER_LEN];
};

struct identity_key_record {
    uint8_t digest[IDENTITY_DIGEST_LEN];
    struct snapshot_ref id;
    struct snapshot_ref name;
    struct snapshot_ref namespace;
    struct snapshot_ref user;
    struct snapshot_ref uid;
    struct snapshot_ref groups;
    struct snapshot_ref models;
    struct snapshot_ref verbs;
    struct snapshot_ref cidrs;
    struct snapshot_ref namespaces;
    int64_t expires_at;
    uint64_t tokens_per_min;
    uint32_t requests_per_min;
    uint32_t concurrent;
    uint32_t disabled;
    uint32_t zero;
};

struct identity_token_key {
    struct snapshot_ref kid;
    struct snapshot_ref spki;
};

struct identity_user {
    struct snapshot_ref name;
    int64_t void_before; /* tokens issued before it */
    uint32_t disabled;
    uint32_t zero;
};

/* NULL when there is none. */
const struct identity_key_record *identity_find_key(const struct snapshot *view,
                                                    const uint8_t digest[IDENTITY_DIGEST_LEN]);
const struct identity_user *identity_find_user(const struct snapshot *view, struct span name);
/* IDENTITY_SESSION_TABLE or IDENTITY_TOKEN_TABLE. */
bool identity_is_revoked(const struct snapshot *view, enum identity_section table,
                         struct span name);

#endif
