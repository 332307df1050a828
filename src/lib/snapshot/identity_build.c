/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/num.h"
#include "crypto/sign.h"
#include "snapshot/cidr.h"
#include "snapshot/identity_records.h"
#include "snapshot/writer.h"

#include <stdlib.h>

struct identity_builder {
    struct snapshot_writer *writer;
};

/* A principal has this much room for all its texts (auth/auth.h). */
enum { KEY_TEXT_MAX = 5120 };

struct identity_builder *identity_builder_new(const uint8_t pepper[IDENTITY_PEPPER_LEN])
{
    struct identity_builder *builder = mem_new(sizeof(*builder));
    struct identity_info info = {0};
    struct err err = ERR_INIT;

    builder->writer = snapshot_writer_new(&identity_snapshot);
    memcpy(info.pepper, pepper, sizeof(info.pepper));
    INVARIANT(
        snapshot_writer_text(builder->writer, span_str(""), "no issuer", &info.issuer, &err) == 0);
    info.audience = info.issuer;
    snapshot_writer_add(builder->writer, IDENTITY_INFO, &info);
    return builder;
}

void identity_builder_free(struct identity_builder *builder)
{
    if (builder == NULL)
        return;
    snapshot_writer_free(builder->writer);
    free(builder);
}

void identity_builder_free_ptr(struct identity_builder **builder)
{
    identity_builder_free(*builder);
}

int identity_builder_set_issuer(struct identity_builder *builder, const char *issuer,
                                const char *audience, struct err *err)
{
    struct snapshot_ref issuer_ref;
    struct snapshot_ref audience_ref;

    TRY(snapshot_writer_text(builder->writer, span_str(issuer), "issuer", &issuer_ref, err));
    TRY(snapshot_writer_text(builder->writer, span_str(audience), "audience", &audience_ref, err));
    struct identity_info *info = snapshot_writer_at(builder->writer, IDENTITY_INFO, 0);
    info->issuer = issuer_ref;
    info->audience = audience_ref;
    return 0;
}

static int put_list(struct identity_builder *builder, const struct identity_list *list,
                    const char *what, struct snapshot_ref *out, struct err *err)
{
    struct identity_name names[IDENTITY_LIST_MAX];

    if (list->count > IDENTITY_LIST_MAX)
        return err_set(err, ERR_INVALID, "%zu %ss are more than %d", list->count, what,
                       IDENTITY_LIST_MAX);
    for (size_t i = 0; i < list->count; i++)
        TRY(snapshot_writer_text(builder->writer, span_str(list->items[i]), what, &names[i].text,
                                 err));
    out->at = snapshot_count(snapshot_writer_view(builder->writer), IDENTITY_TEXTS);
    out->count = (uint32_t)list->count;
    for (size_t i = 0; i < list->count; i++)
        snapshot_writer_add(builder->writer, IDENTITY_TEXTS, &names[i]);
    return 0;
}

static int put_cidrs(struct identity_builder *builder, const struct identity_list *list,
                     struct snapshot_ref *out, struct err *err)
{
    struct identity_cidr cidrs[IDENTITY_LIST_MAX];

    if (list->count > IDENTITY_LIST_MAX)
        return err_set(err, ERR_INVALID, "%zu address ranges are more than %d", list->count,
                       IDENTITY_LIST_MAX);
    for (size_t i = 0; i < list->count; i++)
        TRY(cidr_parse(list->items[i], cidrs[i].address, &cidrs[i].bits, err));
    out->at = snapshot_count(snapshot_writer_view(builder->writer), IDENTITY_CIDRS);
    out->count = (uint32_t)list->count;
    for (size_t i = 0; i < list->count; i++)
        snapshot_writer_add(builder->writer, IDENTITY_CIDRS, &cidrs[i]);
    return 0;
}

static size_t list_size(const struct identity_list *list)
{
    size_t size = 0;

    for (size_t i = 0; i < NUM_MIN(list->count, (size_t)IDENTITY_LIST_MAX); i++)
        size += strlen(list->items[i]) + 1;
    return size;
}

static int check_size(const struct identity_api_key *key, struct err *err)
{
    size_t size = strlen(key->id) + strlen(key->user) + strlen(key->uid) + strlen(key->namespace) +
                  list_size(&key->groups) + list_size(&key->models) + list_size(&key->verbs) +
                  list_size(&key->namespaces);

    if (size > KEY_TEXT_MAX)
        return err_set(err, ERR_INVALID,
                       "the names, groups and scope of the key have %zu bytes, more than %d", size,
                       KEY_TEXT_MAX);
    return 0;
}

int identity_builder_add_api_key(struct identity_builder *builder,
                                 const struct identity_api_key *key, struct err *err)
{
    struct snapshot_writer *writer = builder->writer;
    struct identity_key_record record = {
        .expires_at = key->expires_at,
        .tokens_per_min = key->tokens_per_min,
        .requests_per_min = key->requests_per_min,
        .concurrent = key->concurrent,
        .disabled = key->disabled,
    };

    memcpy(record.digest, key->digest, sizeof(record.digest));
    if (identity_find_key(snapshot_writer_view(writer), key->digest) != NULL)
        return err_set(err, ERR_EXISTS, "the key %s is there already", key->id);
    TRY(check_size(key, err));
    TRY(snapshot_writer_text(writer, span_str(key->id), "key id", &record.id, err));
    TRY(snapshot_writer_text(writer, span_str(key->name), "key name", &record.name, err));
    TRY(snapshot_writer_text(writer, span_str(key->namespace), "namespace", &record.namespace,
                             err));
    TRY(snapshot_writer_text(writer, span_str(key->user), "user", &record.user, err));
    TRY(snapshot_writer_text(writer, span_str(key->uid), "uid", &record.uid, err));
    TRY(put_list(builder, &key->groups, "group", &record.groups, err));
    TRY(put_list(builder, &key->models, "model", &record.models, err));
    TRY(put_list(builder, &key->verbs, "verb", &record.verbs, err));
    TRY(put_cidrs(builder, &key->cidrs, &record.cidrs, err));
    TRY(put_list(builder, &key->namespaces, "namespace", &record.namespaces, err));
    snapshot_writer_add(writer, IDENTITY_API_KEYS, &record);
    return 0;
}

int identity_builder_add_token_key(struct identity_builder *builder, const char *kid,
                                   struct span spki, struct err *err)
{
    struct identity_token_key record;

    if (spki.len > SIGN_SPKI_MAX)
        return err_set(err, ERR_INVALID, "the key %s of %zu bytes is larger than %d", kid, spki.len,
                       SIGN_SPKI_MAX);
    TRY(snapshot_writer_text(builder->writer, span_str(kid), "kid", &record.kid, err));
    record.spki = snapshot_writer_bytes(builder->writer, IDENTITY_BYTES, spki);
    snapshot_writer_add(builder->writer, IDENTITY_TOKEN_KEYS, &record);
    return 0;
}

static int add_revoked(struct identity_builder *builder, enum identity_section section,
                       enum identity_section table, const char *name, struct err *err)
{
    struct identity_name record;

    if (identity_is_revoked(snapshot_writer_view(builder->writer), table, span_str(name)))
        return 0;
    TRY(snapshot_writer_text(builder->writer, span_str(name), "revoked id", &record.text, err));
    snapshot_writer_add(builder->writer, section, &record);
    return 0;
}

int identity_builder_revoke_session(struct identity_builder *builder, const char *sid,
                                    struct err *err)
{
    return add_revoked(builder, IDENTITY_SESSIONS, IDENTITY_SESSION_TABLE, sid, err);
}

int identity_builder_revoke_token(struct identity_builder *builder, const char *jti,
                                  struct err *err)
{
    return add_revoked(builder, IDENTITY_TOKENS, IDENTITY_TOKEN_TABLE, jti, err);
}

/* The user's record, made when there is none. */
static int user_record(struct identity_builder *builder, const char *user,
                       struct identity_user **out, struct err *err)
{
    const struct snapshot *view = snapshot_writer_view(builder->writer);
    const struct identity_user *found = identity_find_user(view, span_str(user));
    struct identity_user record = {0};
    uint32_t index;

    if (found != NULL) {
        const struct identity_user *first = snapshot_records(view, IDENTITY_USERS);
        index = (uint32_t)(found - first);
    } else {
        TRY(snapshot_writer_text(builder->writer, span_str(user), "user", &record.name, err));
        index = snapshot_writer_add(builder->writer, IDENTITY_USERS, &record);
    }
    *out = snapshot_writer_at(builder->writer, IDENTITY_USERS, index);
    return 0;
}

int identity_builder_void_user(struct identity_builder *builder, const char *user, int64_t before,
                               struct err *err)
{
    struct identity_user *record;

    TRY(user_record(builder, user, &record, err));
    record->void_before = NUM_MAX(record->void_before, before);
    return 0;
}

int identity_builder_disable_user(struct identity_builder *builder, const char *user,
                                  struct err *err)
{
    struct identity_user *record;

    TRY(user_record(builder, user, &record, err));
    record->disabled = 1;
    return 0;
}

int identity_builder_finish(const struct identity_builder *builder, struct buf *out,
                            struct err *err)
{
    return snapshot_writer_finish(builder->writer, out, err);
}
