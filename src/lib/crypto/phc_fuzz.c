/* SPDX-License-Identifier: Apache-2.0 */
/* A PHC string that is taken is written as the same text. */
#include "crypto/crypto_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(KDF_PHC_MAX);
    struct kdf_phc phc;
    struct err err = ERR_INIT;

    if (kdf_phc_parse(span_of(data, size), &phc, &err) < 0)
        return 0;
    kdf_phc_put(&phc, &again);
    INVARIANT(span_eq(span_of(data, size), buf_span(&again)));
    return 0;
}
