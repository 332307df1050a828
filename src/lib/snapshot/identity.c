/* SPDX-License-Identifier: Apache-2.0 */
/* identity.snap as const data, and its lookups. */
#include "base/mem.h"
#include "crypto/crypto.h"
#include "snapshot/identity_records.h"

#include <assert.h>
#include <stddef.h>

/* The format on file; docs/PROTOCOL.snapshot. */
static_assert(sizeof(struct identity_cidr) == 20, "as documented");
static_assert(sizeof(struct identity_info) == 48, "as documented");
static_assert(sizeof(struct identity_key_record) == 144, "as documented");
static_assert(sizeof(struct identity_token_key) == 16, "as documented");
static_assert(sizeof(struct identity_user) == 24, "as documented");

static const struct snapshot_field name_fields[] = {SNAPSHOT_TEXT(identity_name, text)};
static const struct snapshot_field cidr_fields[] = {SNAPSHOT_UPTO(identity_cidr, bits, 128)};
static const struct snapshot_field info_fields[] = {SNAPSHOT_TEXT(identity_info, issuer),
                                                    SNAPSHOT_TEXT(identity_info, audience)};
static const struct snapshot_field key_fields[] = {
    SNAPSHOT_TEXT(identity_key_record, id),
    SNAPSHOT_TEXT(identity_key_record, name),
    SNAPSHOT_TEXT(identity_key_record, namespace),
    SNAPSHOT_TEXT(identity_key_record, user),
    SNAPSHOT_TEXT(identity_key_record, uid),
    SNAPSHOT_LIST(identity_key_record, groups, IDENTITY_TEXTS),
    SNAPSHOT_LIST(identity_key_record, models, IDENTITY_TEXTS),
    SNAPSHOT_LIST(identity_key_record, verbs, IDENTITY_TEXTS),
    SNAPSHOT_LIST(identity_key_record, cidrs, IDENTITY_CIDRS),
    SNAPSHOT_LIST(identity_key_record, namespaces, IDENTITY_TEXTS),
    SNAPSHOT_UPTO(identity_key_record, disabled, 1),
};
static const struct snapshot_field token_key_fields[] = {
    SNAPSHOT_TEXT(identity_token_key, kid),
    SNAPSHOT_LIST(identity_token_key, spki, IDENTITY_BYTES)};
static const struct snapshot_field user_fields[] = {SNAPSHOT_TEXT(identity_user, name),
                                                    SNAPSHOT_UPTO(identity_user, disabled, 1)};

static uint64_t hash_key_record(const struct snapshot *view, uint32_t index)
{
    const struct identity_key_record *keys = snapshot_records(view, IDENTITY_API_KEYS);

    return hash_bytes(&view->key, span_of(keys[index].digest, IDENTITY_DIGEST_LEN));
}

static uint64_t hash_name(const struct snapshot *view, unsigned section, uint32_t index)
{
    const struct identity_name *names = snapshot_records(view, section);

    return hash_bytes(&view->key, snapshot_text(view, names[index].text));
}

static uint64_t hash_session(const struct snapshot *view, uint32_t index)
{
    return hash_name(view, IDENTITY_SESSIONS, index);
}

static uint64_t hash_token(const struct snapshot *view, uint32_t index)
{
    return hash_name(view, IDENTITY_TOKENS, index);
}

static uint64_t hash_user(const struct snapshot *view, uint32_t index)
{
    const struct identity_user *users = snapshot_records(view, IDENTITY_USERS);

    return hash_bytes(&view->key, snapshot_text(view, users[index].name));
}

#define TABLE(of, fn) .size = sizeof(struct snapshot_slot), .table_of = (of), .hash = (fn)

static const struct snapshot_section_type sections[IDENTITY_SECTION_COUNT] = {
    [IDENTITY_TEXT] = {"text", 1},
    [IDENTITY_BYTES] = {"bytes", 1},
    [IDENTITY_TEXTS] = {"texts", sizeof(struct identity_name), SNAPSHOT_FIELDS(name_fields)},
    [IDENTITY_CIDRS] = {"cidrs", sizeof(struct identity_cidr), SNAPSHOT_FIELDS(cidr_fields)},
    [IDENTITY_INFO] = {"info", sizeof(struct identity_info), .single = true,
                       SNAPSHOT_FIELDS(info_fields)},
    [IDENTITY_API_KEYS] = {"api keys", sizeof(struct identity_key_record),
                           SNAPSHOT_FIELDS(key_fields)},
    [IDENTITY_API_KEY_TABLE] = {"api key table", TABLE(IDENTITY_API_KEYS, hash_key_record)},
    [IDENTITY_TOKEN_KEYS] = {"token keys", sizeof(struct identity_token_key),
                             SNAPSHOT_FIELDS(token_key_fields)},
    [IDENTITY_SESSIONS] = {"sessions", sizeof(struct identity_name), SNAPSHOT_FIELDS(name_fields)},
    [IDENTITY_SESSION_TABLE] = {"session table", TABLE(IDENTITY_SESSIONS, hash_session)},
    [IDENTITY_TOKENS] = {"tokens", sizeof(struct identity_name), SNAPSHOT_FIELDS(name_fields)},
    [IDENTITY_TOKEN_TABLE] = {"token table", TABLE(IDENTITY_TOKENS, hash_token)},
    [IDENTITY_USERS] = {"users", sizeof(struct identity_user), SNAPSHOT_FIELDS(user_fields)},
    [IDENTITY_USER_TABLE] = {"user table", TABLE(IDENTITY_USERS, hash_user)},
};

const struct snapshot_type identity_snapshot = {
    .file = "identity.snap",
    .generation = "identity.gen",
    .number = 1,
    .format = 3,
    .sections = sections,
    .section_count = IDENTITY_SECTION_COUNT,
};

void identity_key_digest(const uint8_t pepper[IDENTITY_PEPPER_LEN], struct span text,
                         uint8_t out[IDENTITY_DIGEST_LEN])
{
    crypto_hmac_sha256(span_of(pepper, IDENTITY_PEPPER_LEN), text, out);
}

const struct identity_key_record *identity_find_key(const struct snapshot *view,
                                                    const uint8_t digest[IDENTITY_DIGEST_LEN])
{
    const struct identity_key_record *keys = snapshot_records(view, IDENTITY_API_KEYS);
    struct snapshot_probe probe = snapshot_probe(
        view, IDENTITY_API_KEY_TABLE, hash_bytes(&view->key, span_of(digest, IDENTITY_DIGEST_LEN)));

    for (uint32_t i; snapshot_probe_next(&probe, &i);)
        if (mem_equal_ct(keys[i].digest, digest, IDENTITY_DIGEST_LEN))
            return &keys[i];
    return NULL;
}

const struct identity_user *identity_find_user(const struct snapshot *view, struct span name)
{
    const struct identity_user *users = snapshot_records(view, IDENTITY_USERS);
    struct snapshot_probe probe =
        snapshot_probe(view, IDENTITY_USER_TABLE, hash_bytes(&view->key, name));

    for (uint32_t i; snapshot_probe_next(&probe, &i);)
        if (span_eq(snapshot_text(view, users[i].name), name))
            return &users[i];
    return NULL;
}

bool identity_is_revoked(const struct snapshot *view, enum identity_section table, struct span name)
{
    const struct identity_name *names = snapshot_records(view, sections[table].table_of);
    struct snapshot_probe probe = snapshot_probe(view, table, hash_bytes(&view->key, name));

    for (uint32_t i; snapshot_probe_next(&probe, &i);)
        if (span_eq(snapshot_text(view, names[i].text), name))
            return true;
    return false;
}
