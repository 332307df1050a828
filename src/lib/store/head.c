/* SPDX-License-Identifier: Apache-2.0 */
/* The head: revision, number of records and the sum over their set, sealed, one row in `meta`. */
#include "store/store_internal.h"

#include "base/mem.h"
#include "crypto/crypto.h"

enum { HEAD_FORMAT = 1, HEAD_AAD_LEN = 1 + 4 + 8 + ROW_STORE_ID_LEN, HEAD_MAX = 256 };

static void head_aad(const struct store *store, uint32_t key, int64_t revision,
                     uint8_t out[HEAD_AAD_LEN])
{
    uint8_t room[HEAD_AAD_LEN + 1];
    struct buf aad = {.data = room, .cap = sizeof(room), .max = HEAD_AAD_LEN};

    buf_put_u8(&aad, 'H');
    buf_put_u32(&aad, key);
    buf_put_u64(&aad, (uint64_t)revision);
    buf_put(&aad, store->id, ROW_STORE_ID_LEN);
    memcpy(out, room, HEAD_AAD_LEN);
}

static void put_state(const struct store_state *state, struct buf *out)
{
    buf_put_u8(out, HEAD_FORMAT);
    buf_put_u64(out, (uint64_t)state->revision);
    buf_put_u64(out, (uint64_t)state->compacted);
    buf_put_u64(out, (uint64_t)state->records);
    for (size_t i = 0; i < ARRAY_LEN(state->sum.limb); i++)
        buf_put_u64(out, state->sum.limb[i]);
}

int head_write(struct store *store, struct buf *bytes, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf plain = BUF_INIT(HEAD_MAX);
    uint32_t version = (uint32_t)store->self->count;
    uint8_t aad[HEAD_AAD_LEN];
    const struct secret *key;

    put_state(&store->now, &plain);
    head_aad(store, version, store->now.revision, aad);
    TRY(store_keyring_seal_key(store, store->self, version, store->now.revision, &key, err));
    buf_put_u32(bytes, version);
    buf_put_u64(bytes, (uint64_t)store->now.revision);
    TRY(crypto_seal(key, span_of(aad, sizeof(aad)), buf_span(&plain), bytes, err));
    return store->backend->ops->put(store->backend, BACKEND_META, span_str("head"), buf_span(bytes),
                                    err);
}

static int parse(struct span plain, int64_t revision, struct store_state *out, struct err *err)
{
    struct cursor cursor = cursor_of(plain);
    uint8_t format = cursor_u8(&cursor);

    if (format != HEAD_FORMAT)
        return err_set(err, ERR_UNSUPPORTED, "the head has format %u; this version knows %d",
                       format, HEAD_FORMAT);
    out->revision = (int64_t)cursor_u64(&cursor);
    out->compacted = (int64_t)cursor_u64(&cursor);
    out->records = (int64_t)cursor_u64(&cursor);
    for (size_t i = 0; i < ARRAY_LEN(out->sum.limb); i++)
        out->sum.limb[i] = cursor_u64(&cursor);
    if (cursor_done(&cursor, "the head", err) < 0 || out->revision != revision)
        return err_set(err, ERR_CORRUPT, "the head is malformed");
    return 0;
}

static int open_head(struct store *store, struct span bytes, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf plain = BUF_INIT(HEAD_MAX);
    struct cursor cursor = cursor_of(bytes);
    uint32_t version = cursor_u32(&cursor);
    int64_t revision = (int64_t)cursor_u64(&cursor);
    uint8_t aad[HEAD_AAD_LEN];
    const struct secret *key;

    if (cursor.failed || revision < 0)
        return err_set(err, ERR_CORRUPT, "the head is malformed");
    TRY(store_keyring_seal_key(store, store->self, version, revision, &key, err));
    head_aad(store, version, revision, aad);
    TRY(crypto_open(key, span_of(aad, sizeof(aad)), span_of(cursor.p, cursor.left), &plain, err));
    return parse(buf_span(&plain), revision, &store->durable, err);
}

int head_read(struct store *store, struct err *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(HEAD_MAX);

    int found =
        store->backend->ops->get(store->backend, BACKEND_META, span_str("head"), &bytes, err);
    TRY(found);
    if (found == 0)
        return err_set(err, ERR_CORRUPT, "the store has lost its head; restore it from a backup");
    if (span_eq(buf_span(&bytes), buf_span(&store->head)))
        return 0;
    if (open_head(store, buf_span(&bytes), err) < 0)
        return err_wrap(err, "the head of the store does not open");
    store->now = store->durable;
    buf_reset(&store->head);
    buf_put_span(&store->head, buf_span(&bytes));
    return 1;
}

/* Keyed, because the sum must stay unknown to who could tamper. */
void store_head(const struct store *store, struct store_head *out)
{
    uint8_t room[HEAD_MAX + 1];
    struct buf input = {.data = room, .cap = sizeof(room), .max = HEAD_MAX};

    buf_put_u8(&input, 'D');
    buf_put(&input, store->id, ROW_STORE_ID_LEN);
    buf_put_u64(&input, (uint64_t)store->durable.revision);
    buf_put_u64(&input, (uint64_t)store->durable.records);
    for (size_t i = 0; i < ARRAY_LEN(store->durable.sum.limb); i++)
        buf_put_u64(&input, store->durable.sum.limb[i]);
    out->revision = store->durable.revision;
    crypto_hmac_sha256(secret_span(store->set_key), buf_span(&input), out->digest);
    mem_wipe(room, sizeof(room));
}
