/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "handle.h"
#include "keys/wire.h"
#include "table.h"

struct sign_request {
    char name[KEYS_NAME_SIZE];
    char kid[SIGN_KID_SIZE];
    size_t count;
    struct span inputs[KEYS_BATCH_MAX];
};

static int get_sign(struct span body, struct sign_request *out, struct err *err)
{
    struct cursor in = cursor_of(body);
    size_t total = 0;

    cursor_text(&in, out->name, sizeof(out->name));
    cursor_text(&in, out->kid, sizeof(out->kid));
    out->count = cursor_u16(&in);
    if (out->count == 0 || out->count > KEYS_BATCH_MAX)
        return err_set(err, ERR_INVALID, "a batch of %zu inputs to sign is not 1 to %d", out->count,
                       KEYS_BATCH_MAX);
    for (size_t i = 0; i < out->count; i++) {
        out->inputs[i] = cursor_block(&in);
        total += out->inputs[i].len;
    }
    TRY(cursor_done(&in, "sign", err));
    if (total > KEYS_SIGN_MAX)
        return err_set(err, ERR_TOO_LARGE, "the inputs to sign are larger than %d bytes",
                       KEYS_SIGN_MAX);
    return 0;
}

static int find_signer(const struct kms *kms, const struct sign_request *ask,
                       const struct keyring_generation **out, struct err *err)
{
    TRY(kms_need_keys(kms, err));
    *out = keyring_current(kms->keyring, ask->name, clock_wall_sec());
    if (*out == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no signing key \"%s\"", ask->name);
    if (ask->kid[0] != '\0' && strcmp(ask->kid, (*out)->kid) != 0)
        return err_set(err, ERR_GONE,
                       "the generation %s of %s does not sign now; ask for the "
                       "current one",
                       ask->kid, ask->name);
    return 0;
}

int handle_sign(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct kms *kms = ctx;
    const struct keyring_generation *signer;
    struct sign_request ask;

    TRY(get_sign(request->body, &ask, err));
    if (table_may_sign(request->peer, ask.name, err) < 0)
        return kms_refuse(kms, request->peer, "sign", ask.name, err);
    TRY(find_signer(kms, &ask, &signer, err));
    size_t sig_len = sign_key_sig_len(signer->key);
    buf_put_u16(reply, (uint16_t)sig_len);
    buf_put_u32(reply, (uint32_t)(ask.count * sig_len));
    for (size_t i = 0; i < ask.count; i++)
        TRY(sign_data(signer->key, ask.inputs[i], reply, err));
    kms->counts.signatures += ask.count;
    return IPC_ANSWER;
}

/* ------------------------------------------------------------------ public halves */

static int get_name(struct span body, const char *message, char out[KEYS_NAME_SIZE],
                    struct err *err)
{
    struct cursor in = cursor_of(body);

    cursor_text(&in, out, KEYS_NAME_SIZE);
    return cursor_done(&in, message, err);
}

/* False when it has ended. */
static bool describe(const struct keyring *keyring, size_t i, int64_t now_sec,
                     struct keys_public *out)
{
    const struct keyring_generation *one = keyring_generation_at(keyring, i);
    struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    struct err err = ERR_INIT;

    *out = (struct keys_public){.alg = one->alg, .from_sec = one->from_sec};
    if (!keyring_generation_state(keyring, i, now_sec, &out->state, &out->until_sec))
        return false;
    memcpy(out->name, one->name, sizeof(out->name));
    memcpy(out->kid, one->kid, sizeof(out->kid));
    INVARIANT(sign_key_to_spki(one->key, &spki, &err) == 0);
    memcpy(out->spki, spki.data, spki.len);
    out->spki_len = spki.len;
    buf_free(&spki);
    return true;
}

/* The CA's key is known by its certificate. */
static bool is_listed(const struct keyring *keyring, size_t i)
{
    return keyring_generation_at(keyring, i)->cert.len == 0;
}

int handle_public(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct kms *kms = ctx;
    char name[KEYS_NAME_SIZE];
    struct keys_public item;
    int64_t now_sec = clock_wall_sec();

    TRY(get_name(request->body, "public", name, err));
    TRY(kms_need_keys(kms, err));
    for (size_t i = 0; i < keyring_generation_count(kms->keyring); i++) {
        if (strcmp(keyring_generation_at(kms->keyring, i)->name, name) != 0 ||
            !is_listed(kms->keyring, i) || !describe(kms->keyring, i, now_sec, &item) ||
            item.state != KEYS_CURRENT)
            continue;
        keys_put_public(reply, &item);
        return IPC_ANSWER;
    }
    return err_set(err, ERR_NOT_FOUND, "there is no signing key \"%s\"", name);
}

int handle_list_public(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct kms *kms = ctx;
    CLEANUP(buf_free) struct buf items = BUF_INIT(IPC_BODY_MAX);
    char prefix[KEYS_NAME_SIZE];
    struct keys_public item;
    int64_t now_sec = clock_wall_sec();
    uint16_t count = 0;

    TRY(get_name(request->body, "list_public", prefix, err));
    TRY(kms_need_keys(kms, err));
    for (size_t i = 0; i < keyring_generation_count(kms->keyring); i++) {
        struct span name = span_str(keyring_generation_at(kms->keyring, i)->name);
        if (!span_has_prefix(name, prefix) || !is_listed(kms->keyring, i) ||
            !describe(kms->keyring, i, now_sec, &item))
            continue;
        keys_put_public(&items, &item);
        count++;
    }
    buf_put_u16(reply, count);
    buf_put_span(reply, buf_span(&items));
    return IPC_ANSWER;
}
