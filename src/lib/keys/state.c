/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "keys/wire.h"

enum { SHORT_MAX = 1024, EVENT_MAX = 256 };

int keys_status(struct ipc_client *kms, struct keys_status *out, struct err *err)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(SHORT_MAX);

    TRY(ipc_call(kms, KMS_STATUS, span_str(""), &reply, NULL, err));
    struct cursor in = cursor_of(buf_span(&reply));
    *out = (struct keys_status){0};
    keys_get_status(&in, out);
    return cursor_done(&in, "kms' answer", err);
}

int keys_rotate(struct ipc_client *kms, const char *what, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SHORT_MAX);

    buf_put_block(&body, span_str(what));
    TRY(buf_check(&body, "the name of a key", err));
    return ipc_call(kms, KMS_ROTATE, buf_span(&body), NULL, NULL, err);
}

int keys_unseal(struct ipc_client *kms, const struct secret *passphrase, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(KEYS_PASSPHRASE_MAX + 4);

    buf_put_block(&body, secret_span(passphrase));
    TRY(buf_check(&body, "a passphrase", err));
    return ipc_call(kms, KMS_UNSEAL, buf_span(&body), NULL, NULL, err);
}

int keys_seal(struct ipc_client *kms, struct err *err)
{
    return ipc_call(kms, KMS_SEAL, span_str(""), NULL, NULL, err);
}

int keys_reseal(struct ipc_client *kms, const char *provider, const struct secret *material,
                struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(KEYS_PASSPHRASE_MAX + SHORT_MAX);

    buf_put_block(&body, span_str(provider));
    buf_put_block(&body, secret_span(material));
    TRY(buf_check(&body, "a passphrase", err));
    return ipc_call(kms, KMS_RESEAL, buf_span(&body), NULL, NULL, err);
}

int keys_withdraw(struct ipc_client *kms, const char *kid, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SHORT_MAX);

    buf_put_block(&body, span_str(kid));
    TRY(buf_check(&body, "a kid", err));
    return ipc_call(kms, KMS_WITHDRAW, buf_span(&body), NULL, NULL, err);
}

static const char *const event_names[KEYS_EVENT_KIND_COUNT] = {
    [KEYS_EVENT_DENIED] = "denied",       [KEYS_EVENT_CORRUPT] = "corrupt",
    [KEYS_EVENT_ROTATED] = "rotated",     [KEYS_EVENT_CERTIFIED] = "certified",
    [KEYS_EVENT_UNSEALED] = "unsealed",   [KEYS_EVENT_UNSEAL_FAILED] = "unseal_failed",
    [KEYS_EVENT_SEALED] = "sealed",       [KEYS_EVENT_FAILED] = "failed",
    [KEYS_EVENT_WITHDRAWN] = "withdrawn", [KEYS_EVENT_RESEALED] = "resealed",
};

const char *keys_event_name(enum keys_event_kind kind)
{
    INVARIANT(kind > 0 && kind < KEYS_EVENT_KIND_COUNT);
    return event_names[kind];
}

int keys_events(struct ipc_client *kms, struct keys_mark *mark,
                struct keys_event out[KEYS_EVENTS_MAX], size_t *out_count, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SHORT_MAX);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(SHORT_MAX + KEYS_EVENTS_MAX * EVENT_MAX);
    struct keys_mark next;

    buf_put_u64(&body, mark->boot);
    buf_put_u64(&body, mark->seq);
    TRY(ipc_call(kms, KMS_EVENTS, buf_span(&body), &reply, NULL, err));
    struct cursor in = cursor_of(buf_span(&reply));
    next.boot = cursor_u64(&in);
    next.seq = cursor_u64(&in);
    size_t count = cursor_u16(&in);
    if (count > KEYS_EVENTS_MAX)
        return err_set(err, ERR_INVALID, "kms reports %zu events at once", count);
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct keys_event){0};
        keys_get_event(&in, &out[i]);
    }
    TRY(cursor_done(&in, "kms' answer", err));
    *mark = next;
    *out_count = count;
    return 0;
}
