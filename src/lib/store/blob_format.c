/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blob_internal.h"

#include "base/enc.h"
#include "base/mem.h"

int blob_derive(const struct blob_store *blobs, const uint8_t salt[BLOB_SALT_LEN], const char *use,
                struct secret **out, struct err *err)
{
    char hex[2 * BLOB_SALT_LEN + 1];
    char label[128];

    enc_hex(span_of(salt, BLOB_SALT_LEN), hex);
    snprintf(label, sizeof(label), "drun blob %s %s", use, hex);
    return crypto_derive(blobs->key, label, CRYPTO_KEY_LEN, out, err);
}

int blob_header_seal(const struct blob_store *blobs, const struct blob_header *header,
                     struct buf *out, struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(buf_free) struct buf prefix = BUF_INIT(BLOB_PREFIX_LEN);
    CLEANUP(buf_free_wiped) struct buf info = BUF_INIT(BLOB_INFO_LEN);

    buf_put_str(&prefix, BLOB_MAGIC);
    buf_put_u32(&prefix, BLOB_FORMAT);
    buf_put_u32(&prefix, header->chunk_len);
    buf_put(&prefix, header->salt, BLOB_SALT_LEN);
    buf_put_u64(&info, header->len);
    buf_put_u8(&info, (uint8_t)header->id.kind);
    buf_put(&info, header->id.digest, BLOB_DIGEST_LEN);
    buf_put_span(out, buf_span(&prefix));
    TRY(blob_derive(blobs, header->salt, "header", &key, err));
    return crypto_seal(key, buf_span(&prefix), buf_span(&info), out, err);
}

static int take_info(struct span plain, struct blob_header *out, struct err *err)
{
    struct cursor cursor = cursor_of(plain);

    out->len = cursor_u64(&cursor);
    out->id.kind = cursor_u8(&cursor);
    struct span digest = cursor_bytes(&cursor, BLOB_DIGEST_LEN);
    TRY(cursor_done(&cursor, "a blob's header", err));
    memcpy(out->id.digest, digest.p, BLOB_DIGEST_LEN);
    return 0;
}

int blob_header_open(const struct blob_store *blobs, struct span bytes, struct blob_header *out,
                     struct err *err)
{
    CLEANUP(secret_free_ptr) struct secret *key = NULL;
    CLEANUP(buf_free_wiped) struct buf info = BUF_INIT(BLOB_INFO_LEN);
    struct cursor cursor = cursor_of(bytes);
    struct span magic = cursor_bytes(&cursor, strlen(BLOB_MAGIC));
    uint32_t format = cursor_u32(&cursor);

    out->chunk_len = cursor_u32(&cursor);
    struct span salt = cursor_bytes(&cursor, BLOB_SALT_LEN);
    if (cursor.failed || !span_eq_str(magic, BLOB_MAGIC))
        return err_set(err, ERR_CORRUPT, "it has no blob's header");
    if (format != BLOB_FORMAT)
        return err_set(err, ERR_UNSUPPORTED, "it has format %u; this version knows %d", format,
                       BLOB_FORMAT);
    if (out->chunk_len < BLOB_CHUNK_MIN || out->chunk_len > BLOB_CHUNK_MAX)
        return err_set(err, ERR_CORRUPT, "its chunks have %u bytes", out->chunk_len);
    memcpy(out->salt, salt.p, BLOB_SALT_LEN);
    TRY(blob_derive(blobs, out->salt, "header", &key, err));
    TRY(crypto_open(key, span_of(bytes.p, BLOB_PREFIX_LEN), span_of(cursor.p, cursor.left), &info,
                    err));
    return take_info(buf_span(&info), out, err);
}

void blob_chunk_begin(struct gcm *gcm, uint64_t number, bool last)
{
    uint8_t nonce_room[CRYPTO_NONCE_LEN + 1];
    uint8_t aad_room[BLOB_AAD_LEN + 1];
    struct buf nonce = {.data = nonce_room, .cap = sizeof(nonce_room), .max = CRYPTO_NONCE_LEN};
    struct buf aad = {.data = aad_room, .cap = sizeof(aad_room), .max = BLOB_AAD_LEN};

    /* The key is the blob's alone, so counting makes every nonce new. */
    buf_put_u32(&nonce, 0);
    buf_put_u64(&nonce, number);
    buf_put_u64(&aad, number);
    buf_put_u8(&aad, last);
    gcm_begin(gcm, nonce.data, buf_span(&aad));
}
