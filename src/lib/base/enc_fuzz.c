/* SPDX-License-Identifier: Apache-2.0 */
/* What decodes must encode to the same text again. */
#include "base/enc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(enum enc_base64 kind, struct span text)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(1 << 20);
    CLEANUP(buf_free) struct buf again = BUF_INIT(1 << 21);
    struct err err = ERR_INIT;

    if (enc_unbase64(kind, text, &bytes, &err) < 0)
        return;
    enc_base64_put(kind, buf_span(&bytes), &again);
    INVARIANT(span_eq(text, buf_span(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    round_trip(ENC_BASE64, span_of(data, size));
    round_trip(ENC_BASE64URL, span_of(data, size));
    return 0;
}
