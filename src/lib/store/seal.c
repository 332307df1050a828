/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/mem.h"
#include "crypto/crypto.h"

enum { HASH_INPUT_MAX = 2 + STORE_SCOPE_MAX + 1 + STORE_NAME_MAX };

/* The first byte tells the uses of a key apart; a NUL ends what is before the text, and no text
 * holds one. */
static void hash(const struct secret *key, char use, const char *scope, const char *text,
                 uint8_t out[ROW_HASH_LEN])
{
    uint8_t room[HASH_INPUT_MAX + 1];
    uint8_t full[CRYPTO_HASH_LEN];
    struct buf input = {.data = room, .cap = sizeof(room), .max = HASH_INPUT_MAX};

    INVARIANT(key != NULL);
    buf_put_u8(&input, (uint8_t)use);
    if (scope != NULL)
        buf_put(&input, scope, strlen(scope) + 1);
    buf_put_str(&input, text);
    INVARIANT(!input.overflowed);
    crypto_hmac_sha256(secret_span(key), buf_span(&input), full);
    memcpy(out, full, ROW_HASH_LEN);
}

void hash_coll(const struct store *store, const char *name, uint8_t out[ROW_HASH_LEN])
{
    hash(store->self->names, 'c', NULL, name, out);
}

void hash_scope(const struct coll *coll, const char *scope, uint8_t out[ROW_HASH_LEN])
{
    hash(coll->names, 's', NULL, scope, out);
}

void hash_pos(const struct coll *coll, const char *scope, const char *name,
              uint8_t out[ROW_POS_LEN])
{
    memcpy(out, coll->hash, ROW_HASH_LEN);
    hash_scope(coll, scope, out + ROW_HASH_LEN);
    hash(coll->names, 'n', scope, name, out + 2 * ROW_HASH_LEN);
}

void hash_term(const struct coll *coll, const char *term, uint8_t out[ROW_TERM_LEN])
{
    memcpy(out, coll->hash, ROW_HASH_LEN);
    hash(coll->names, 't', NULL, term, out + ROW_HASH_LEN);
}

void hash_element(const struct store *store, enum backend_table table, struct span key,
                  struct span value, struct accum *out)
{
    uint8_t room[1 + ROW_STORE_ID_LEN + ROW_TERM_KEY_LEN + 1];
    uint8_t full[CRYPTO_HASH_LEN];
    struct buf input = {.data = room, .cap = sizeof(room), .max = sizeof(room) - 1};

    buf_put_u8(&input, table == BACKEND_CURRENT ? 'E' : 'T');
    buf_put(&input, store->id, ROW_STORE_ID_LEN);
    buf_put_span(&input, key);
    buf_put_span(&input, value);
    INVARIANT(!input.overflowed);
    crypto_hmac_sha256(secret_span(store->set_key), buf_span(&input), full);
    struct cursor cursor = cursor_of(span_of(full, sizeof(full)));
    for (size_t i = 0; i < ARRAY_LEN(out->limb); i++)
        out->limb[i] = cursor_u64(&cursor);
}

int seal_row(struct store *store, struct coll *coll, struct row *row, struct span plain,
             struct buf *out, struct err *err)
{
    uint8_t aad[ROW_AAD_LEN];
    const struct secret *key;

    row->key = (uint32_t)coll->count;
    TRY(store_keyring_seal_key(store, coll, row->key, row_revision(row->id), &key, err));
    row_aad(row, store->id, aad);
    row->sealed = span_of("", 0);
    row_encode(row, out);
    return crypto_seal(key, span_of(aad, sizeof(aad)), plain, out, err);
}

int seal_open_row(struct store *store, struct coll *coll, const struct row *row, struct buf *plain,
                  struct row_body *out, struct err *err)
{
    uint8_t aad[ROW_AAD_LEN];
    const struct secret *key;

    TRY(store_keyring_seal_key(store, coll, row->key, row_revision(row->id), &key, err));
    row_aad(row, store->id, aad);
    buf_reset(plain);
    TRY(crypto_open(key, span_of(aad, sizeof(aad)), row->sealed, plain, err));
    return row_body_decode(buf_span(plain), out, err);
}
