/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/wire.h"

enum { BODY_MAX = 1024 };

static int take_key(struct cursor *in, struct secret **out, struct err *err)
{
    struct span key = cursor_block(in);

    if (in->failed || key.len != KEYS_DATA_LEN)
        return err_set(err, ERR_INVALID, "kms answered with a data key of %zu bytes", key.len);
    *out = secret_copy(key);
    return 0;
}

int keys_data_new(struct ipc_client *kms, const char *collection, struct secret **out,
                  struct buf *wrapped, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(BODY_MAX);
    CLEANUP(buf_free_wiped) struct buf reply = BUF_INIT(BODY_MAX);
    CLEANUP(secret_free_ptr) struct secret *key = NULL;

    buf_put_block(&body, span_str(collection));
    TRY(buf_check(&body, "the name of a collection", err));
    TRY(ipc_call(kms, KMS_DATA_NEW, buf_span(&body), &reply, NULL, err));
    struct cursor in = cursor_of(buf_span(&reply));
    TRY(take_key(&in, &key, err));
    buf_put_span(wrapped, cursor_block(&in));
    TRY(cursor_done(&in, "kms' answer", err));
    TRY(buf_check(wrapped, "a wrapped data key", err));
    *out = key;
    key = NULL;
    return 0;
}

static int put_wrapped(struct buf *body, const char *collection, struct span wrapped,
                       struct err *err)
{
    buf_put_block(body, span_str(collection));
    buf_put_block(body, wrapped);
    return buf_check(body, "a collection and its wrapped key", err);
}

int keys_data_open(struct ipc_client *kms, const char *collection, struct span wrapped,
                   struct secret **out, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(BODY_MAX);
    CLEANUP(buf_free_wiped) struct buf reply = BUF_INIT(BODY_MAX);
    CLEANUP(secret_free_ptr) struct secret *key = NULL;

    TRY(put_wrapped(&body, collection, wrapped, err));
    TRY(ipc_call(kms, KMS_DATA_OPEN, buf_span(&body), &reply, NULL, err));
    struct cursor in = cursor_of(buf_span(&reply));
    TRY(take_key(&in, &key, err));
    TRY(cursor_done(&in, "kms' answer", err));
    *out = key;
    key = NULL;
    return 0;
}

int keys_data_rewrap(struct ipc_client *kms, const char *collection, struct span wrapped,
                     struct buf *out, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(BODY_MAX);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(BODY_MAX);

    TRY(put_wrapped(&body, collection, wrapped, err));
    TRY(ipc_call(kms, KMS_DATA_REWRAP, buf_span(&body), &reply, NULL, err));
    struct cursor in = cursor_of(buf_span(&reply));
    bool changed = cursor_u8(&in) != 0;
    struct span rewrapped = cursor_block(&in);
    TRY(cursor_done(&in, "kms' answer", err));
    buf_put_span(out, rewrapped);
    TRY(buf_check(out, "a wrapped data key", err));
    return changed;
}

uint32_t keys_wrapped_version(struct span wrapped)
{
    struct cursor in = cursor_of(wrapped);

    if (wrapped.len != KEYS_WRAPPED_LEN || cursor_u8(&in) != KEYS_WRAPPED_FORMAT)
        return 0;
    return cursor_u32(&in);
}
