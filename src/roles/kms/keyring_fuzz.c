/* SPDX-License-Identifier: Apache-2.0 */
/* The keyring's header, and its body as it is behind the seal (under a key that is known here). */
#include "base/mem.h"
#include "keyring_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_header(struct span input)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(KEYRING_HEADER_MAX);
    struct keyring_header header;
    struct span aad;
    struct span body;
    struct err err = ERR_INIT;

    if (keyring_get_header(input, &header, &aad, &body, &err) < 0)
        return;
    keyring_put_header(&header, &again);
    INVARIANT(span_eq(aad, buf_span(&again)) && aad.len + body.len == input.len);
}

static void as_body(struct span input)
{
    CLEANUP(keyring_free_ptr) struct keyring *keyring = mem_new(sizeof(*keyring));
    CLEANUP(buf_free_wiped) struct buf again = BUF_INIT(KEYRING_FILE_MAX);
    struct err err = ERR_INIT;

    keyring->entry_key = secret_new(CRYPTO_KEY_LEN);
    if (keyring_get_body(keyring, input, &err) < 0)
        return;
    keyring_put_body(keyring, &again);
    INVARIANT(again.len == input.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = ERR_INIT;

    INVARIANT(secret_heap_init(&err) == 0);
    as_header(span_of(data, size));
    as_body(span_of(data, size));
    return 0;
}
