/* SPDX-License-Identifier: Apache-2.0 */
/* The same bytes as a name, a certificate, a PEM text and a certification request. */
#include "crypto/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_name(struct span input)
{
    char text[512] = "";
    struct x509_san san;
    struct err err = ERR_INIT;

    memcpy(text, input.p, input.len < sizeof(text) ? input.len : sizeof(text) - 1);
    if (x509_san_parse(text, &san, &err) == 0)
        INVARIANT(x509_san_check(&san, &err) == 0);
}

static void as_certificate(struct span input)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *key = NULL;
    CLEANUP(buf_free) struct buf der = BUF_INIT(X509_DER_MAX);
    CLEANUP(buf_free) struct buf pem = BUF_INIT(X509_PEM_MAX);
    struct err err = ERR_INIT;
    int64_t end;

    if (x509_from_pem(input, &der, &err) == 0)
        input = buf_span(&der);
    if (x509_not_after(input, &end, &err) < 0 || x509_public_key(input, &key, &err) < 0)
        return;
    if (x509_to_pem(input, &pem, &err) < 0)
        INVARIANT(err.code == ERR_TOO_LARGE);
}

static void as_request(struct span input)
{
    static struct sign_key *ca_key;
    static struct buf ca = BUF_INIT(X509_DER_MAX);
    CLEANUP(buf_free) struct buf leaf = BUF_INIT(X509_DER_MAX);
    struct x509_san san = {.kind = X509_SAN_DNS, .value = "a.example"};
    struct x509_order order = {.csr_der = input, .sans = &san, .san_count = 1, .ttl_sec = 60};
    struct err err = ERR_INIT;

    if (ca_key == NULL)
        INVARIANT(secret_heap_init(&err) == 0 &&
                  sign_key_generate(SIGN_ES256, &ca_key, &err) == 0 &&
                  x509_ca_new(ca_key, "CA", 3600, &ca, &err) == 0);
    if (x509_issue(ca_key, buf_span(&ca), &order, &leaf, &err) < 0)
        INVARIANT(err.code != ERR_INTERNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_name(span_of(data, size));
    as_certificate(span_of(data, size));
    as_request(span_of(data, size));
    return 0;
}
