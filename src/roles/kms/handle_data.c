/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "handle.h"
#include "keys/wire.h"
#include "table.h"

struct data_request {
    char collection[KEYS_NAME_SIZE];
    struct span wrapped;
};

static int get_request(struct kms *kms, const struct ipc_request *request, const char *message,
                       bool has_wrapped, struct data_request *out, struct err *err)
{
    struct cursor in = cursor_of(request->body);

    cursor_text(&in, out->collection, sizeof(out->collection));
    if (has_wrapped)
        out->wrapped = cursor_block(&in);
    TRY(cursor_done(&in, message, err));
    if (table_may_open(request->peer, out->collection, err) < 0)
        return kms_refuse(kms, request->peer, message, out->collection, err);
    return kms_need_keys(kms, err);
}

static void put_wrapped(struct buf *reply, const struct buf *wrapped)
{
    buf_put_block(reply, buf_span(wrapped));
}

/* A KEK that has done its work is replaced before the next wrap. */
static int wrap(struct kms *kms, const char *collection, const struct secret *key,
                struct buf *wrapped, struct err *err)
{
    if (keyring_kek_spent(kms->keyring))
        kms_rotate_due(kms);
    if (keyring_wrap(kms->keyring, collection, key, wrapped, err) < 0)
        return kms_fail(kms, "kms.wrap", err);
    return 0;
}

int handle_data_new(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct kms *kms = ctx;
    struct data_request ask;
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);

    TRY(get_request(kms, request, "data_new", false, &ask, err));
    TRY(secret_random(KEYS_DATA_LEN, &key, err));
    TRY(wrap(kms, ask.collection, key, &wrapped, err));
    buf_put_block(reply, secret_span(key));
    put_wrapped(reply, &wrapped);
    kms->counts.data_opened++;
    return IPC_ANSWER;
}

static int open_wrapped(struct kms *kms, const struct ipc_request *request, const char *message,
                        struct data_request *ask, struct secret **out, struct err *err)
{
    TRY(get_request(kms, request, message, true, ask, err));
    if (keyring_unwrap(kms->keyring, ask->collection, ask->wrapped, out, err) < 0)
        return kms_refuse(kms, request->peer, message, ask->collection, err);
    kms->counts.data_opened++;
    return 0;
}

int handle_data_open(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct data_request ask;
    CLEANUP(secret_free_ptr) struct secret *key = NULL;

    TRY(open_wrapped(ctx, request, "data_open", &ask, &key, err));
    buf_put_block(reply, secret_span(key));
    return IPC_ANSWER;
}

int handle_data_rewrap(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct kms *kms = ctx;
    struct data_request ask;
    struct keys_status now = {0};
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(buf_free) struct buf wrapped = BUF_INIT(KEYS_WRAPPED_MAX);

    TRY(open_wrapped(kms, request, "data_rewrap", &ask, &key, err));
    keyring_status(kms->keyring, 0, &now);
    bool changes = keys_wrapped_version(ask.wrapped) != now.kek_version;
    if (changes)
        TRY(wrap(kms, ask.collection, key, &wrapped, err));
    else
        buf_put_span(&wrapped, ask.wrapped);
    buf_put_u8(reply, changes);
    put_wrapped(reply, &wrapped);
    return IPC_ANSWER;
}
