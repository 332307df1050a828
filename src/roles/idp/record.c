/* SPDX-License-Identifier: Apache-2.0 */
#include "idp/idp_internal.h"

#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"

enum {
    ONE_MAX = 2 * 1024 * 1024,
    PAGE_MAX = 16 * 1024 * 1024,
    RECORD_MAX = 256 * 1024,
    PAGE = 200
};

static struct store_key key_of(const char *collection, const char *name)
{
    return (struct store_key){.collection = collection, .scope = "", .name = name};
}

int record_get(struct idp *idp, const char *collection, const char *name, json_t **out,
               struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(ONE_MAX);
    struct store_record record;

    TRY(store_get(idp->store, key_of(collection, name), arena, &record, err));
    return codec_json_parse(record.value, collection, out, err);
}

int record_put(struct idp *idp, const char *collection, const char *name, const json_t *value,
               const char *term, struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(RECORD_MAX);
    struct store_change change = {.key = key_of(collection, name), .term_count = term != NULL};
    struct store_txn txn = {.changes = &change, .change_count = 1};

    codec_json_put(value, &text);
    TRY(buf_check(&text, collection, err));
    change.value = buf_span(&text);
    change.terms[0] = term;
    return store_txn_commit(idp->store, &txn, NULL, err);
}

int record_put_new(struct idp *idp, const char *collection, const char *name, const json_t *value,
                   struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(RECORD_MAX);
    struct store_check check = {.key = key_of(collection, name), .is = STORE_ABSENT};
    struct store_change change = {.key = check.key};
    struct store_txn txn = {
        .checks = &check, .check_count = 1, .changes = &change, .change_count = 1};

    codec_json_put(value, &text);
    TRY(buf_check(&text, collection, err));
    change.value = buf_span(&text);
    return store_txn_commit(idp->store, &txn, NULL, err);
}

int record_delete(struct idp *idp, const char *collection, const char *name, struct err *err)
{
    return store_delete(idp->store, key_of(collection, name), err);
}

static int each_of_page(const struct store_page *page, record_fn *fn, void *ctx, struct err *err)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct store_record *record = &page->records[i];
        CLEANUP_JSON json_t *value = NULL;
        TRY(codec_json_parse(record->value, record->key.collection, &value, err));
        TRY(fn(ctx, record->key.name, value, err));
    }
    return 0;
}

static int slice(struct idp *idp, const char *collection, const char *term, char **from,
                 size_t limit, record_fn *fn, void *ctx, struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(PAGE_MAX);
    struct store_list list = {
        .collection = collection, .scope = "", .term = term, .from = *from, .limit = limit};
    struct store_page page;

    int listed = store_list(idp->store, &list, arena, &page, err);
    mem_free_ptr(from);
    TRY(listed);
    TRY(each_of_page(&page, fn, ctx, err));
    *from = page.next == NULL ? NULL : mem_strdup(page.next);
    return *from != NULL;
}

int record_slice(struct idp *idp, const char *collection, char **from, size_t limit, record_fn *fn,
                 void *ctx, struct err *err)
{
    return slice(idp, collection, NULL, from, limit, fn, ctx, err);
}

int record_each(struct idp *idp, const char *collection, const char *term, record_fn *fn, void *ctx,
                struct err *err)
{
    CLEANUP_FREE char *from = NULL;
    int more;

    do
        more = slice(idp, collection, term, &from, PAGE, fn, ctx, err);
    while (more > 0);
    return more;
}

int64_t record_number(const json_t *value, const char *name)
{
    return json_integer_value(json_object_get(value, name));
}

static void put_base64(struct span bytes, char *out, size_t size)
{
    CLEANUP(buf_free_wiped) struct buf text = BUF_INIT(128);

    enc_base64_put(ENC_BASE64URL, bytes, &text);
    INVARIANT(text.len < size);
    snprintf(out, size, "%s", buf_text(&text));
}

int idp_random(char out[IDP_SECRET_SIZE], struct err *err)
{
    uint8_t bytes[32];

    TRY(crypto_random(bytes, sizeof(bytes), err));
    put_base64(span_of(bytes, sizeof(bytes)), out, IDP_SECRET_SIZE);
    mem_wipe(bytes, sizeof(bytes));
    return 0;
}

void idp_id_of(const char *text, char out[IDP_ID_SIZE])
{
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_sha256(span_str(text), hash);
    put_base64(span_of(hash, 18), out, IDP_ID_SIZE);
}
