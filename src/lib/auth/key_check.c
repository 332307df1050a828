/* SPDX-License-Identifier: Apache-2.0 */
/* An API key to a principal. */
#include "auth/auth_internal.h"
#include "base/mem.h"
#include "snapshot/cidr.h"
#include "snapshot/identity_records.h"

_Static_assert((int)IDENTITY_DIGEST_LEN == (int)CRYPTO_HASH_LEN, "keys are found by their digest");

static bool user_is_disabled(const struct snapshot *view, struct span name)
{
    const struct identity_user *user = identity_find_user(view, name);

    return user != NULL && user->disabled != 0;
}

static bool may_come_from(const struct snapshot *view, const struct identity_key_record *key,
                          const uint8_t *source)
{
    const struct identity_cidr *ranges = snapshot_records(view, IDENTITY_CIDRS);

    for (uint32_t i = 0; source != NULL && i < key->cidrs.count; i++)
        if (cidr_holds(ranges[key->cidrs.at + i].address, ranges[key->cidrs.at + i].bits, source))
            return true;
    return key->cidrs.count == 0;
}

static int put_patterns(const struct snapshot *view, struct snapshot_ref list,
                        struct auth_principal *out, struct auth_text patterns[AUTH_PATTERNS_MAX],
                        uint8_t *count, struct err *err)
{
    const struct identity_name *texts = snapshot_records(view, IDENTITY_TEXTS);

    if (list.count > AUTH_PATTERNS_MAX)
        return err_set(err, ERR_TOO_LARGE, "the scope of the API key has more than %d patterns",
                       AUTH_PATTERNS_MAX);
    for (uint32_t i = 0; i < list.count; i++)
        TRY(auth_put_text(out, snapshot_text(view, texts[list.at + i].text), &patterns[i], err));
    *count = (uint8_t)list.count;
    return 0;
}

static int put_key(const struct snapshot *view, const struct identity_key_record *key,
                   struct auth_principal *out, struct err *err)
{
    const struct identity_name *texts = snapshot_records(view, IDENTITY_TEXTS);

    auth_principal_init(out, AUTH_API_KEY);
    TRY(auth_put_text(out, snapshot_text(view, key->user), &out->name, err));
    TRY(auth_put_text(out, snapshot_text(view, key->uid), &out->uid, err));
    TRY(auth_put_text(out, snapshot_text(view, key->namespace), &out->namespace, err));
    TRY(auth_put_text(out, snapshot_text(view, key->id), &out->credential, err));
    for (uint32_t i = 0; i < key->groups.count; i++)
        TRY(auth_put_group(out, snapshot_text(view, texts[key->groups.at + i].text), err));
    TRY(auth_put_group(out, span_str(AUTH_GROUP_AUTHENTICATED), err));
    TRY(put_patterns(view, key->models, out, out->models, &out->model_count, err));
    TRY(put_patterns(view, key->verbs, out, out->verbs, &out->verb_count, err));
    TRY(put_patterns(view, key->namespaces, out, out->namespaces, &out->namespace_count, err));
    out->requests_per_min = key->requests_per_min;
    out->concurrent = key->concurrent;
    out->tokens_per_min = key->tokens_per_min;
    out->expires_at = key->expires_at;
    return 0;
}

/* Under a pepper that has changed the digest that is kept counts no more. */
static void digest_of(const struct auth_pepper *pepper, struct span text,
                      struct auth_last_key *last, uint8_t out[CRYPTO_HASH_LEN])
{
    bool may_keep = last != NULL && text.len == sizeof(last->text);

    if (may_keep && last->turn == pepper->turn && mem_equal_ct(last->text, text.p, text.len)) {
        memcpy(out, last->digest, CRYPTO_HASH_LEN);
        return;
    }
    crypto_mac_sha256(pepper->mac, text, out);
    if (!may_keep)
        return;
    last->turn = pepper->turn;
    memcpy(last->text, text.p, text.len);
    memcpy(last->digest, out, CRYPTO_HASH_LEN);
}

int auth_check_key(const struct auth_pepper *pepper, const struct snapshot *view, struct span text,
                   const struct auth_input *input, struct auth_principal *out, struct err *err)
{
    uint8_t digest[CRYPTO_HASH_LEN];

    digest_of(pepper, text, input->last_key, digest);
    const struct identity_key_record *key = identity_find_key(view, digest);
    /* A key that is there needs no check sum; that of another tells a typing error. */
    if (key == NULL && auth_key_check(text, err) < 0) {
        err->code = ERR_UNAUTHENTICATED;
        return -1;
    }
    if (key == NULL)
        return auth_refuse(err, "the API key is not known; it may have been deleted");
    TRY(put_key(view, key, out, err));
    if (key->disabled != 0)
        return auth_refuse(err, "the API key is disabled");
    if (key->expires_at != 0 && input->now >= key->expires_at)
        return auth_refuse(err, "the API key has expired");
    if (user_is_disabled(view, snapshot_text(view, key->user)))
        return auth_refuse(err, "the user of the API key is disabled");
    if (!may_come_from(view, key, input->source))
        return err_set(err, ERR_DENIED, "the API key may not be used from this address");
    return 0;
}
