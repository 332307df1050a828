/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "keys/wire.h"

#include <stdlib.h>

enum {
    SHORT_MAX = 1024,
    PUBLIC_MAX = 1024,
    SIGN_BODY_MAX = KEYS_SIGN_MAX + KEYS_BATCH_MAX * 4 + SHORT_MAX,
    SIGN_REPLY_MAX = KEYS_BATCH_MAX * SIGN_SIG_MAX + SHORT_MAX,
};

static int check_batch(const struct span *inputs, size_t count, size_t *bytes, struct err *err)
{
    size_t left = KEYS_SIGN_MAX;

    if (count == 0 || count > KEYS_BATCH_MAX)
        return err_set(err, ERR_TOO_LARGE, "a batch of %zu inputs to sign is not 1 to %d", count,
                       KEYS_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        if (inputs[i].len > left)
            return err_set(err, ERR_TOO_LARGE, "the inputs to sign are larger than %d bytes",
                           KEYS_SIGN_MAX);
        left -= inputs[i].len;
    }
    *bytes = KEYS_SIGN_MAX - left;
    return 0;
}

static int put_request(const char *name, const char *kid, const struct span *inputs, size_t count,
                       struct buf *body, struct err *err)
{
    size_t bytes = 0;

    TRY(check_batch(inputs, count, &bytes, err));
    buf_expect(body, bytes + count * sizeof(uint32_t) + SHORT_MAX);
    buf_put_block(body, span_str(name));
    buf_put_block(body, span_str(kid != NULL ? kid : ""));
    buf_put_u16(body, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        buf_put_block(body, inputs[i]);
    return buf_check(body, "a request to sign", err);
}

int keys_get_signatures(struct span answer, size_t count, struct span *out, size_t *out_sig_len,
                        struct err *err)
{
    struct cursor in = cursor_of(answer);
    size_t sig_len = cursor_u16(&in);
    struct span all = cursor_block(&in);

    TRY(cursor_done(&in, "kms' answer", err));
    if (all.len != count * sig_len)
        return err_set(err, ERR_INVALID, "kms answered with %zu bytes for %zu signatures", all.len,
                       count);
    *out = all;
    *out_sig_len = sig_len;
    return 0;
}

int keys_sign_later(struct ipc_client *kms, const char *name, const char *kid,
                    const struct span *inputs, size_t count, ipc_answer_fn *fn, void *ctx,
                    struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SIGN_BODY_MAX);

    TRY(put_request(name, kid, inputs, count, &body, err));
    return ipc_ask(kms, KMS_SIGN, buf_span(&body), fn, ctx, err);
}

int keys_sign_batch(struct ipc_client *kms, const char *name, const char *kid,
                    const struct span *inputs, size_t count, struct buf *sigs, size_t *out_sig_len,
                    struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SIGN_BODY_MAX);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(SIGN_REPLY_MAX);
    struct span all;

    TRY(put_request(name, kid, inputs, count, &body, err));
    TRY(ipc_call(kms, KMS_SIGN, buf_span(&body), &reply, NULL, err));
    TRY(keys_get_signatures(buf_span(&reply), count, &all, out_sig_len, err));
    buf_put_span(sigs, all);
    return buf_check(sigs, "the signatures", err);
}

int keys_sign(struct ipc_client *kms, const char *name, const char *kid, struct span data,
              struct buf *sig, struct err *err)
{
    size_t sig_len;

    return keys_sign_batch(kms, name, kid, &data, 1, sig, &sig_len, err);
}

int keys_public(struct ipc_client *kms, const char *name, struct keys_public *out, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SHORT_MAX);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(PUBLIC_MAX);

    buf_put_block(&body, span_str(name));
    TRY(buf_check(&body, "the name of a key", err));
    TRY(ipc_call(kms, KMS_PUBLIC, buf_span(&body), &reply, NULL, err));
    struct cursor in = cursor_of(buf_span(&reply));
    *out = (struct keys_public){0};
    keys_get_public(&in, out);
    return cursor_done(&in, "kms' answer", err);
}

void keys_public_list_free(struct keys_public_list *list)
{
    free(list->items);
    *list = (struct keys_public_list){0};
}

int keys_list_public(struct ipc_client *kms, const char *prefix, struct keys_public_list *out,
                     struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(SHORT_MAX);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(KEYS_LIST_MAX * PUBLIC_MAX);
    CLEANUP(keys_public_list_free) struct keys_public_list list = {0};

    buf_put_block(&body, span_str(prefix));
    TRY(buf_check(&body, "the prefix of key names", err));
    TRY(ipc_call(kms, KMS_LIST_PUBLIC, buf_span(&body), &reply, NULL, err));
    struct cursor in = cursor_of(buf_span(&reply));
    size_t count = cursor_u16(&in);
    if (count > KEYS_LIST_MAX)
        return err_set(err, ERR_INVALID, "kms lists %zu keys, more than %d", count, KEYS_LIST_MAX);
    list.items = mem_new_array(count + 1, sizeof(*list.items));
    for (list.count = 0; list.count < count; list.count++)
        keys_get_public(&in, &list.items[list.count]);
    TRY(cursor_done(&in, "kms' answer", err));
    *out = list;
    list = (struct keys_public_list){0};
    return 0;
}

int keys_certify(struct ipc_client *kms, struct span csr_der, const struct x509_san *sans,
                 size_t san_count, uint32_t ttl_sec, struct buf *chain_pem, struct err *err)
{
    CLEANUP(buf_free)
    struct buf body = BUF_INIT(X509_DER_MAX + KEYS_SANS_MAX * (X509_SAN_SIZE + 8) + SHORT_MAX);

    if (san_count > KEYS_SANS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a certificate with %zu names; %d are allowed",
                       san_count, KEYS_SANS_MAX);
    buf_put_block(&body, csr_der);
    buf_put_u32(&body, ttl_sec);
    buf_put_u16(&body, (uint16_t)san_count);
    for (size_t i = 0; i < san_count; i++) {
        TRY(x509_san_check(&sans[i], err));
        buf_put_u8(&body, (uint8_t)sans[i].kind);
        buf_put_block(&body, span_str(sans[i].value));
    }
    TRY(buf_check(&body, "a request for a certificate", err));
    return ipc_call(kms, KMS_CERTIFY, buf_span(&body), chain_pem, NULL, err);
}

int keys_ca_pem(struct ipc_client *kms, struct buf *pem, struct err *err)
{
    return ipc_call(kms, KMS_CA_PEM, span_str(""), pem, NULL, err);
}
