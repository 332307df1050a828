/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/enc.h"
#include "base/mem.h"
#include "base/num.h"

enum { DAMAGE_KEPT = 256 };

/* ------------------------------------------------------------------ damage */

static bool first_time(struct store *store, const uint8_t pos[ROW_POS_LEN])
{
    struct damage *damage;

    LIST_FOREACH (damage, &store->damages, entry)
        if (memcmp(damage->pos, pos, ROW_POS_LEN) == 0)
            return false;
    if (store->damaged++ >= DAMAGE_KEPT)
        return false;
    damage = mem_new(sizeof(*damage));
    memcpy(damage->pos, pos, ROW_POS_LEN);
    LIST_INSERT_HEAD(&store->damages, damage, entry);
    return true;
}

int read_damage(struct store *store, const struct coll *coll, const uint8_t pos[ROW_POS_LEN],
                int64_t id, struct err *err)
{
    char hex[2 * ROW_POS_LEN + 1];

    enc_hex(span_of(pos, ROW_POS_LEN), hex);
    err->code = ERR_CORRUPT;
    err_wrap(err, "collection %s: the record at position %s, revision %lld, cannot be read",
             coll == NULL ? "(unknown)" : coll->name, hex, (long long)row_revision(id));
    if (first_time(store, pos) && store->on_damage != NULL)
        store->on_damage(store->damage_ctx, coll == NULL ? "" : coll->name, hex, err);
    return -1;
}

/* ------------------------------------------------------------------ one record */

int read_current(struct store *store, const uint8_t pos[ROW_POS_LEN], struct row_current *out,
                 struct err *err)
{
    uint8_t room[ROW_CURRENT_LEN + 1];
    struct buf bytes = {.data = room, .cap = sizeof(room), .max = sizeof(room) - 1};

    int found = store->backend->ops->get(store->backend, BACKEND_CURRENT, span_of(pos, ROW_POS_LEN),
                                         &bytes, err);
    if (found <= 0)
        return found;
    TRY(row_current_decode(buf_span(&bytes), out, err));
    return 1;
}

int read_row(struct store *store, int64_t id, struct row *out, struct err *err)
{
    uint8_t key[ROW_ID_LEN];

    row_id_encode(id, key);
    buf_reset(&store->raw);
    int found = store->backend->ops->get(store->backend, BACKEND_CHANGE, span_of(key, sizeof(key)),
                                         &store->raw, err);
    TRY(found);
    if (found == 0)
        return err_set(err, ERR_CORRUPT, "its row of the history is missing");
    return row_decode(id, buf_span(&store->raw), out, err);
}

static int open_record(struct store *store, struct coll *coll, const uint8_t pos[ROW_POS_LEN],
                       const struct row_current *current, struct row *row, struct row_body *body,
                       struct err *err)
{
    TRY(read_row(store, current->id, row, err));
    if (row->dead || memcmp(row->pos, pos, ROW_POS_LEN) != 0 ||
        memcmp(row->salt, current->salt, ROW_SALT_LEN) != 0)
        return err_set(err, ERR_CORRUPT, "its row of the history belongs to another record");
    return seal_open_row(store, coll, row, &store->plain, body, err);
}

/* Another process may have replaced the record, and compacted its old row away, since `current` was
 * read. 1: it did, and `current` is new. */
static int moved_on(struct store *store, const uint8_t pos[ROW_POS_LEN],
                    struct row_current *current, struct err *err)
{
    struct row_current again;
    struct err ignored = ERR_INIT;

    if (!store->backend->ops->shared || store->open)
        return 0;
    int found = read_current(store, pos, &again, &ignored);
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "the record was just removed");
    if (found < 0 ||
        (again.id == current->id && memcmp(again.salt, current->salt, ROW_SALT_LEN) == 0))
        return 0;
    *current = again;
    return 1;
}

int read_record(struct store *store, struct coll *coll, const uint8_t pos[ROW_POS_LEN],
                const struct row_current *current, struct row *row, struct row_body *body,
                struct err *err)
{
    struct row_current at = *current;
    int again;

    do {
        if (open_record(store, coll, pos, &at, row, body, err) == 0)
            return 0;
        /* A disk or a peer that is away says nothing about the record. */
        if (err->code != ERR_CORRUPT)
            return -1;
        again = moved_on(store, pos, &at, err);
    } while (again > 0);
    return again < 0 ? -1 : read_damage(store, coll, pos, at.id, err);
}

int read_copy(const struct coll *coll, const struct row *row, const struct row_body *body,
              struct arena *arena, struct store_record *out, struct err *err)
{
    *out = (struct store_record){
        .key = {arena_strdup(arena, coll->name), arena_strdup(arena, body->scope),
                arena_strdup(arena, body->name)},
        .value = span_of(arena_copy(arena, body->value), body->value.len),
        .create_revision = body->create_revision,
        .mod_revision = row_revision(row->id),
        .version = body->version,
        .term_count = body->term_count,
    };
    for (size_t i = 0; i < body->term_count; i++)
        out->terms[i] = arena_strdup(arena, body->terms[i]);
    return arena_check(arena, "what was read from the store", err);
}

static int not_found(struct store_key key, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "%s %s%s%s not found", key.collection, key.scope,
                   key.scope[0] == '\0' ? "" : "/", key.name);
}

int store_get(struct store *store, struct store_key key, struct arena *arena,
              struct store_record *out, struct err *err)
{
    uint8_t pos[ROW_POS_LEN];
    struct row_current current;
    struct row row;
    struct row_body body;
    struct coll *coll;

    TRY(txn_check_key(key, err));
    TRY(store_keyring_find(store, key.collection, &coll, err));
    if (coll == NULL)
        return not_found(key, err);
    hash_pos(coll, key.scope, key.name, pos);
    int found = read_current(store, pos, &current, err);
    if (found == 0)
        return not_found(key, err);
    if (found < 0)
        return err->code == ERR_CORRUPT ? read_damage(store, coll, pos, 0, err) : -1;
    if (read_record(store, coll, pos, &current, &row, &body, err) < 0)
        return err->code == ERR_NOT_FOUND ? not_found(key, err) : -1;
    return read_copy(coll, &row, &body, arena, out, err);
}

/* ------------------------------------------------------------------ lists */

/* One list under way: the keys of a map from `after` to `last`, whose last ROW_POS_LEN bytes are a
 * position. */
struct listing {
    struct coll *coll;
    const char *scope; /* NULL: any */
    const char *term;  /* NULL: the map of current records, else that of terms */
    uint8_t scope_hash[ROW_HASH_LEN];
    uint8_t after[ROW_TERM_LEN + ROW_POS_LEN];
    uint8_t last[ROW_TERM_LEN + ROW_POS_LEN];
    size_t after_len;
    size_t key_len;
    size_t limit;
    size_t bytes;
};

static int take_from(struct listing *listing, const char *from, struct err *err)
{
    CLEANUP(buf_free) struct buf pos = BUF_INIT(ROW_POS_LEN);
    struct err ignored = ERR_INIT;
    size_t prefix = listing->key_len - ROW_POS_LEN;

    if (enc_unbase64(ENC_BASE64URL, span_str(from), &pos, &ignored) < 0 || pos.len != ROW_POS_LEN ||
        memcmp(pos.data, listing->coll->hash, ROW_HASH_LEN) != 0)
        return err_set(err, ERR_INVALID, "the continue position of this list is not valid");
    memcpy(listing->after + prefix, pos.data, ROW_POS_LEN);
    listing->after_len = listing->key_len;
    return 0;
}

static int listing_open(struct listing *listing, struct coll *coll, const struct store_list *query,
                        struct err *err)
{
    size_t at = 0;

    *listing = (struct listing){.coll = coll, .scope = query->scope, .term = query->term};
    listing->limit = query->limit == 0 ? STORE_LIST_MAX : NUM_MIN(query->limit, STORE_LIST_MAX);
    listing->key_len = ROW_POS_LEN + (query->term != NULL ? ROW_TERM_LEN : 0);
    if (query->term != NULL) {
        hash_term(coll, query->term, listing->after);
        at = ROW_TERM_LEN;
    }
    memcpy(listing->after + at, coll->hash, ROW_HASH_LEN);
    listing->after_len = at + ROW_HASH_LEN;
    if (query->scope != NULL) {
        hash_scope(coll, query->scope, listing->scope_hash);
        memcpy(listing->after + listing->after_len, listing->scope_hash, ROW_HASH_LEN);
        listing->after_len += ROW_HASH_LEN;
    }
    memset(listing->last, 0xff, sizeof(listing->last));
    memcpy(listing->last, listing->after, listing->after_len);
    return query->from == NULL ? 0 : take_from(listing, query->from, err);
}

static bool has_term(const struct row_body *body, const char *term)
{
    for (size_t i = 0; i < body->term_count; i++)
        if (strcmp(body->terms[i], term) == 0)
            return true;
    return false;
}

/* 1: found. 0: not there, or not what is asked for. */
static int list_one(struct store *store, const struct listing *listing, const uint8_t *pos,
                    struct span value, struct row *row, struct row_body *body, struct err *err)
{
    struct row_current current;

    if (listing->term == NULL) {
        if (row_current_decode(value, &current, err) < 0)
            return read_damage(store, listing->coll, pos, 0, err);
    } else {
        int found = read_current(store, pos, &current, err);
        if (found <= 0)
            return found;
    }
    if (read_record(store, listing->coll, pos, &current, row, body, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    return listing->term == NULL || has_term(body, listing->term);
}

/* A page of keys; 1 when the page of records is full. */
static int list_rows(struct store *store, struct listing *listing, struct span rows,
                     struct arena *arena, struct store_page *page, struct err *err)
{
    struct cursor cursor = cursor_of(rows);

    while (cursor.left > 0) {
        struct span key = cursor_block(&cursor);
        struct span value = cursor_block(&cursor);
        struct err why = ERR_INIT;
        struct row row;
        struct row_body body;
        if (page->count == listing->limit || listing->bytes >= STORE_PAGE_BYTES)
            return 1;
        if (key.len != listing->key_len)
            return err_set(err, ERR_CORRUPT, "a stored position has %zu bytes", key.len);
        memcpy(listing->after, key.p, key.len);
        listing->after_len = key.len;
        int found =
            list_one(store, listing, key.p + key.len - ROW_POS_LEN, value, &row, &body, &why);
        if (found < 0 && why.code != ERR_CORRUPT) {
            *err = why;
            return -1;
        }
        if (found < 0)
            page->damaged++;
        if (found <= 0)
            continue;
        TRY(read_copy(listing->coll, &row, &body, arena, &page->records[page->count], err));
        page->count++;
        listing->bytes += body.value.len;
    }
    return 0;
}

static int list_all(struct store *store, struct listing *listing, struct arena *arena,
                    struct store_page *page, struct err *err)
{
    enum backend_table table = listing->term == NULL ? BACKEND_CURRENT : BACKEND_TERM;

    for (;;) {
        CLEANUP(buf_free) struct buf rows = BACKEND_ROWS_INIT;
        /* One more than wanted tells whether there is a next page. */
        int count = store->backend->ops->scan(
            store->backend, table, span_of(listing->after, listing->after_len),
            span_of(listing->last, listing->key_len), listing->limit - page->count + 1, &rows, err);
        if (count <= 0)
            return count;
        int full = list_rows(store, listing, buf_span(&rows), arena, page, err);
        if (full != 0)
            return full;
    }
}

static int put_next(const struct listing *listing, struct arena *arena, struct store_page *page,
                    struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(2 * ROW_POS_LEN);

    enc_base64_put(ENC_BASE64URL,
                   span_of(listing->after + listing->key_len - ROW_POS_LEN, ROW_POS_LEN), &text);
    page->next = arena_strdup(arena, buf_text(&text));
    return arena_check(arena, "a list", err);
}

static int check_query(const struct store_list *query, struct err *err)
{
    TRY(txn_check_text(query->collection, 1, STORE_COLLECTION_MAX, "a collection", err));
    if (query->scope != NULL)
        TRY(txn_check_text(query->scope, 0, STORE_SCOPE_MAX, "a scope", err));
    if (query->term != NULL)
        TRY(txn_check_text(query->term, 1, STORE_TERM_MAX, "an index term", err));
    return 0;
}

int store_list(struct store *store, const struct store_list *query, struct arena *arena,
               struct store_page *out, struct err *err)
{
    struct listing listing;
    struct coll *coll;

    *out = (struct store_page){0};
    TRY(check_query(query, err));
    TRY(batch_refresh(store, err));
    out->revision = store->now.revision;
    TRY(store_keyring_find(store, query->collection, &coll, err));
    if (coll == NULL)
        return 0;
    TRY(listing_open(&listing, coll, query, err));
    out->records = arena_alloc_array(arena, listing.limit, sizeof(*out->records));
    TRY(arena_check(arena, "a list", err));
    int full = list_all(store, &listing, arena, out, err);
    TRY(full);
    return full == 1 ? put_next(&listing, arena, out, err) : 0;
}
