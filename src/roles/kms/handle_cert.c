/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "handle.h"
#include "keys/wire.h"

static int get_order(struct span body, struct x509_san sans[KEYS_SANS_MAX], struct x509_order *out,
                     struct err *err)
{
    struct cursor in = cursor_of(body);

    out->csr_der = cursor_block(&in);
    out->ttl_sec = cursor_u32(&in);
    out->san_count = cursor_u16(&in);
    out->sans = sans;
    if (out->san_count > KEYS_SANS_MAX)
        return err_set(err, ERR_INVALID, "a certificate with %zu names; %d are allowed",
                       out->san_count, KEYS_SANS_MAX);
    for (size_t i = 0; i < out->san_count; i++) {
        sans[i].kind = (enum x509_san_kind)cursor_u8(&in);
        cursor_text(&in, sans[i].value, sizeof(sans[i].value));
    }
    TRY(cursor_done(&in, "certify", err));
    if (out->ttl_sec < KEYS_CERT_TTL_MIN_SEC || out->ttl_sec > KEYS_CERT_TTL_MAX_SEC)
        return err_set(err, ERR_INVALID, "a certificate for %u seconds; %d to %d are allowed",
                       out->ttl_sec, KEYS_CERT_TTL_MIN_SEC, KEYS_CERT_TTL_MAX_SEC);
    return 0;
}

int handle_certify(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct kms *kms = ctx;
    CLEANUP(buf_free) struct buf der = BUF_INIT(X509_DER_MAX);
    struct x509_san sans[KEYS_SANS_MAX];
    struct x509_order order;

    TRY(get_order(request->body, sans, &order, err));
    TRY(kms_need_keys(kms, err));
    const struct keyring_generation *ca = keyring_current(kms->keyring, "ca", clock_wall_sec());
    if (ca == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no CA");
    TRY(x509_issue(ca->key, buf_span(&ca->cert), &order, &der, err));
    TRY(x509_to_pem(buf_span(&der), reply, err));
    TRY(x509_to_pem(buf_span(&ca->cert), reply, err));
    kms->counts.certificates++;
    kms_note(kms, KEYS_EVENT_CERTIFIED, request->peer, "%s, %zu names, %u seconds", sans[0].value,
             order.san_count, order.ttl_sec);
    return IPC_ANSWER;
}

/* Newest first. */
int handle_ca_pem(void *ctx, struct ipc_request *request UNUSED, struct buf *reply, struct err *err)
{
    struct kms *kms = ctx;
    enum keys_state state;
    int64_t until_sec;

    TRY(kms_need_keys(kms, err));
    for (size_t i = keyring_generation_count(kms->keyring); i > 0; i--) {
        const struct keyring_generation *one = keyring_generation_at(kms->keyring, i - 1);
        if (one->cert.len > 0 &&
            keyring_generation_state(kms->keyring, i - 1, clock_wall_sec(), &state, &until_sec))
            TRY(x509_to_pem(buf_span(&one->cert), reply, err));
    }
    return IPC_ANSWER;
}
