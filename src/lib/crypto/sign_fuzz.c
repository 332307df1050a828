/* SPDX-License-Identifier: Apache-2.0 */
/* A public and a private key in DER; what is taken can be used. */
#include "crypto/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_public(const struct sign_key *key)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *again = NULL;
    CLEANUP(buf_free) struct buf spki = BUF_INIT(SIGN_SPKI_MAX);
    uint8_t sig[SIGN_SIG_MAX] = {1};
    char kid[SIGN_KID_SIZE];
    struct err err = ERR_INIT;

    sign_key_kid(key, kid);
    INVARIANT(sign_verify(key, span_str("x"), span_of(sig, sign_key_sig_len(key)), &err) < 0);
    INVARIANT(sign_key_to_spki(key, &spki, &err) == 0);
    INVARIANT(sign_key_from_spki(buf_span(&spki), &again, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(sign_key_free_ptr) struct sign_key *public = NULL;
    CLEANUP(sign_key_free_ptr) struct sign_key *private = NULL;
    CLEANUP(buf_free) struct buf sig = BUF_INIT(SIGN_SIG_MAX);
    struct err err = ERR_INIT;

    INVARIANT(secret_heap_init(&err) == 0);
    if (sign_key_from_spki(span_of(data, size), &public, &err) == 0)
        use_public(public);
    if (sign_key_from_pkcs8(span_of(data, size), &private, &err) == 0 &&
        sign_data(private, span_str("x"), &sig, &err) < 0)
        INVARIANT(err.code == ERR_INTERNAL);
    return 0;
}
