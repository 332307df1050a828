/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blob's header. First as it comes; then the input is made the sealed part's plaintext under a
 * good prefix, so that what is behind the seal is reached as well.
 */
#include "store/blob_internal.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct blob_store *blobs(void)
{
    static struct blob_store store;
    struct err err = ERR_INIT;

    if (store.key == NULL) {
        INVARIANT(secret_heap_init(&err) == 0);
        store.key = secret_new(CRYPTO_KEY_LEN);
    }
    return &store;
}

static void fuzz_sealed(struct span plain)
{
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(1 << 20);
    struct blob_header header = {0};
    struct err err = ERR_INIT;

    buf_put_str(&bytes, BLOB_MAGIC);
    buf_put_u32(&bytes, BLOB_FORMAT);
    buf_put_u32(&bytes, BLOB_CHUNK_LEN);
    buf_put(&bytes, header.salt, BLOB_SALT_LEN);
    CLEANUP_FREE uint8_t *aad = mem_new(BLOB_PREFIX_LEN);
    memcpy(aad, bytes.data, BLOB_PREFIX_LEN);
    INVARIANT(blob_derive(blobs(), header.salt, "header", &key, &err) == 0);
    INVARIANT(crypto_seal(key, span_of(aad, BLOB_PREFIX_LEN), plain, &bytes, &err) == 0);
    if (blob_header_open(blobs(), buf_span(&bytes), &header, &err) == 0)
        INVARIANT(plain.len == BLOB_INFO_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct blob_header header;
    struct err err = ERR_INIT;

    /* Without the key nobody makes a header that opens. */
    INVARIANT(blob_header_open(blobs(), span_of(data, size), &header, &err) < 0);
    if (size < 65536)
        fuzz_sealed(span_of(data, size));
    return 0;
}
