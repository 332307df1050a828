/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "handle.h"
#include "keys/wire.h"
#include "table.h"

int handle_status(void *ctx, struct ipc_request *request UNUSED, struct buf *reply,
                  struct err *err UNUSED)
{
    struct kms *kms = ctx;
    struct keys_status status = kms->counts;

    status.sealed = kms->keyring == NULL;
    status.memory_locked = secret_heap_locked();
    status.events_lost = events_lost(kms->events);
    snprintf(status.provider, sizeof(status.provider), "%s", kms->provider->name);
    if (kms->keyring != NULL)
        keyring_status(kms->keyring, clock_wall_sec(), &status);
    keys_put_status(reply, &status);
    return IPC_ANSWER;
}

int handle_rotate(void *ctx, struct ipc_request *request, struct buf *reply UNUSED, struct err *err)
{
    struct kms *kms = ctx;
    struct cursor in = cursor_of(request->body);
    char what[KEYS_NAME_SIZE];

    cursor_text(&in, what, sizeof(what));
    TRY(cursor_done(&in, "rotate", err));
    if (table_may_rotate(request->peer, what, err) < 0)
        return kms_refuse(kms, request->peer, "rotate", what, err);
    TRY(kms_need_keys(kms, err));
    TRY(keyring_rotate(kms->keyring, what, clock_wall_sec(), err));
    kms_note(kms, KEYS_EVENT_ROTATED, request->peer, "%s", what);
    return IPC_ANSWER;
}

int handle_unseal(void *ctx, struct ipc_request *request, struct buf *reply UNUSED, struct err *err)
{
    struct kms *kms = ctx;
    struct cursor in = cursor_of(request->body);
    struct span text = cursor_block(&in);

    TRY(cursor_done(&in, "unseal", err));
    if (text.len > KEYS_PASSPHRASE_MAX)
        return err_set(err, ERR_TOO_LARGE, "a passphrase of %zu bytes is longer than %d", text.len,
                       KEYS_PASSPHRASE_MAX);
    if (kms->keyring != NULL)
        return err_set(err, ERR_EXISTS, "kms is unsealed already");
    CLEANUP(secret_free_ptr) struct secret *material = secret_copy(text);
    return kms_unseal(kms, material, request->peer, err);
}

int handle_seal(void *ctx, struct ipc_request *request, struct buf *reply UNUSED, struct err *err)
{
    struct kms *kms = ctx;

    TRY(kms_need_keys(kms, err));
    keyring_free(kms->keyring);
    kms->keyring = NULL;
    kms_note(kms, KEYS_EVENT_SEALED, request->peer, "on request");
    return IPC_ANSWER;
}

int handle_withdraw(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                    struct err *err)
{
    struct kms *kms = ctx;
    struct cursor in = cursor_of(request->body);
    char kid[SIGN_KID_SIZE];

    cursor_text(&in, kid, sizeof(kid));
    TRY(cursor_done(&in, "withdraw", err));
    TRY(kms_need_keys(kms, err));
    TRY(keyring_withdraw(kms->keyring, kid, clock_wall_sec(), err));
    kms_note(kms, KEYS_EVENT_WITHDRAWN, request->peer, "%s", kid);
    return IPC_ANSWER;
}

int handle_reseal(void *ctx, struct ipc_request *request, struct buf *reply UNUSED, struct err *err)
{
    struct kms *kms = ctx;
    struct cursor in = cursor_of(request->body);
    char name[KEYS_NAME_SIZE];

    cursor_text(&in, name, sizeof(name));
    struct span text = cursor_block(&in);
    TRY(cursor_done(&in, "reseal", err));
    const struct unseal_provider *provider = unseal_by_name(name);
    if (provider == NULL || text.len > KEYS_PASSPHRASE_MAX)
        return err_set(err, ERR_INVALID, "there is no unseal provider \"%s\" for %zu bytes", name,
                       text.len);
    TRY(kms_need_keys(kms, err));
    CLEANUP(secret_free_ptr) struct secret *material = secret_copy(text);
    TRY(keyring_reseal(kms->keyring, provider, material, err));
    kms->provider = provider;
    kms_note(kms, KEYS_EVENT_RESEALED, request->peer, "%s", provider->name);
    return IPC_ANSWER;
}

int handle_events(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct kms *kms = ctx;
    struct cursor in = cursor_of(request->body);
    struct keys_mark mark = {.boot = cursor_u64(&in)};

    mark.seq = cursor_u64(&in);
    TRY(cursor_done(&in, "events", err));
    events_fetch(kms->events, mark, reply);
    return IPC_ANSWER;
}
