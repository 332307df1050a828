/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/mem.h"
#include "crypto/crypto.h"

/* A change with all that is known of its record before anything is written. */
struct slot {
    struct coll *coll;
    const char *scope;
    const char *name;
    struct span value;
    const char *terms[STORE_TERMS_MAX];
    size_t term_count;
    bool remove;
    bool exists;
    struct row_current old;
    uint8_t pos[ROW_POS_LEN];
};

/* ------------------------------------------------------------------ what may be asked */

int txn_check_text(const char *text, size_t min, size_t max, const char *what, struct err *err)
{
    size_t len = text == NULL ? 0 : strnlen(text, max + 1);

    if (text == NULL || len < min)
        return err_set(err, ERR_INVALID, "%s is missing", what);
    if (len > max)
        return err_set(err, ERR_INVALID, "%s is longer than %zu bytes", what, max);
    return 0;
}

int txn_check_key(struct store_key key, struct err *err)
{
    TRY(txn_check_text(key.collection, 1, STORE_COLLECTION_MAX, "a collection", err));
    TRY(txn_check_text(key.scope, 0, STORE_SCOPE_MAX, "a scope", err));
    TRY(txn_check_text(key.name, 1, STORE_NAME_MAX, "a record's name", err));
    if (strcmp(key.collection, STORE_SELF) == 0)
        return err_set(err, ERR_DENIED, "the collection %s is the store's own", STORE_SELF);
    return 0;
}

static int check_change(const struct store_change *change, struct err *err)
{
    TRY(txn_check_key(change->key, err));
    if (change->value.len > STORE_VALUE_MAX)
        return err_set(err, ERR_TOO_LARGE, "%s %s is larger than %d bytes", change->key.collection,
                       change->key.name, STORE_VALUE_MAX);
    if (change->term_count > STORE_TERMS_MAX)
        return err_set(err, ERR_INVALID, "%s %s has more than %d index terms",
                       change->key.collection, change->key.name, STORE_TERMS_MAX);
    for (size_t i = 0; i < change->term_count; i++)
        TRY(txn_check_text(change->terms[i], 1, STORE_TERM_MAX, "an index term", err));
    return 0;
}

static bool same_key(struct store_key a, struct store_key b)
{
    return strcmp(a.name, b.name) == 0 && strcmp(a.scope, b.scope) == 0 &&
           strcmp(a.collection, b.collection) == 0;
}

static int check_txn(const struct store_txn *txn, struct err *err)
{
    if (txn->check_count > STORE_TXN_MAX || txn->change_count > STORE_TXN_MAX)
        return err_set(err, ERR_TOO_LARGE, "a transaction has more than %d checks or changes",
                       STORE_TXN_MAX);
    for (size_t i = 0; i < txn->check_count; i++)
        TRY(txn_check_key(txn->checks[i].key, err));
    for (size_t i = 0; i < txn->change_count; i++) {
        TRY(check_change(&txn->changes[i], err));
        for (size_t j = 0; j < i; j++)
            if (same_key(txn->changes[i].key, txn->changes[j].key))
                return err_set(err, ERR_INVALID, "a transaction changes %s %s twice",
                               txn->changes[i].key.collection, txn->changes[i].key.name);
    }
    return 0;
}

/* ------------------------------------------------------------------ checks */

static int run_check(struct store *store, const struct store_check *check, struct err *err)
{
    struct row_current current = {0};
    uint8_t pos[ROW_POS_LEN];
    struct coll *coll;
    int found = 0;

    TRY(store_keyring_find(store, check->key.collection, &coll, err));
    if (coll != NULL) {
        hash_pos(coll, check->key.scope, check->key.name, pos);
        found = read_current(store, pos, &current, err);
        TRY(found);
    }
    if (check->is == STORE_ABSENT && found == 1)
        return err_set(err, ERR_EXISTS, "%s %s exists already", check->key.collection,
                       check->key.name);
    if (check->is != STORE_ABSENT && found == 0)
        return err_set(err, ERR_NOT_FOUND, "%s %s not found", check->key.collection,
                       check->key.name);
    if (check->is == STORE_AT_REVISION && row_revision(current.id) != check->mod_revision)
        return err_set(err, ERR_CONFLICT,
                       "%s %s was changed since revision %lld; read it again and repeat",
                       check->key.collection, check->key.name, (long long)check->mod_revision);
    return 0;
}

/* ------------------------------------------------------------------ changes */

static bool has_term(const char *const *terms, size_t count, const char *term)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(terms[i], term) == 0)
            return true;
    return false;
}

static void take_terms(const struct store_change *change, struct slot *slot)
{
    for (size_t i = 0; i < change->term_count && !change->remove; i++)
        if (!has_term(slot->terms, slot->term_count, change->terms[i]))
            slot->terms[slot->term_count++] = change->terms[i];
}

static int fill_slot(struct store *store, const struct store_change *change, struct slot *slot,
                     struct err *err)
{
    *slot = (struct slot){.scope = change->key.scope,
                          .name = change->key.name,
                          .value = change->value,
                          .remove = change->remove};
    take_terms(change, slot);
    TRY(store_keyring_find(store, change->key.collection, &slot->coll, err));
    if (slot->coll == NULL && change->remove)
        return 0;
    if (slot->coll == NULL)
        TRY(store_keyring_add_version(store, change->key.collection, &slot->coll, err));
    hash_pos(slot->coll, slot->scope, slot->name, slot->pos);
    int found = read_current(store, slot->pos, &slot->old, err);
    slot->exists = found == 1;
    return found;
}

/* One that is there already was left by a damaged record; the sum has it. */
static int add_term(struct store *store, struct span key, struct err *err)
{
    CLEANUP(buf_free) struct buf value = BUF_INIT(16);
    const struct span none = span_of("", 0);

    int found = store->backend->ops->get(store->backend, BACKEND_TERM, key, &value, err);
    if (found != 0)
        return found;
    return batch_replace(store, BACKEND_TERM, key, NULL, &none, err);
}

/* Terms that stay are not touched. */
static int change_terms(struct store *store, const struct slot *slot, const struct row_body *old,
                        struct err *err)
{
    const struct span none = span_of("", 0);
    uint8_t room[ROW_TERM_KEY_LEN];
    struct span key = span_of(room, sizeof(room));

    memcpy(room + ROW_TERM_LEN, slot->pos, ROW_POS_LEN);
    for (size_t i = 0; i < old->term_count; i++) {
        hash_term(slot->coll, old->terms[i], room);
        if (!has_term(slot->terms, slot->term_count, old->terms[i]))
            TRY(batch_replace(store, BACKEND_TERM, key, &none, NULL, err));
    }
    for (size_t i = 0; i < slot->term_count; i++) {
        hash_term(slot->coll, slot->terms[i], room);
        if (!has_term(old->terms, old->term_count, slot->terms[i]))
            TRY(add_term(store, key, err));
    }
    return 0;
}

/* What is there, or an empty body. A damaged record is replaced as if it were new: its terms stay
 * in the index, where lists pass over them. */
static int read_old(struct store *store, const struct slot *slot, struct row_body *old,
                    struct err *err)
{
    struct err why = ERR_INIT;
    struct row row;

    *old = (struct row_body){0};
    if (!slot->exists ||
        read_record(store, slot->coll, slot->pos, &slot->old, &row, old, &why) == 0)
        return 0;
    *old = (struct row_body){0};
    if (why.code == ERR_CORRUPT)
        return 0;
    *err = why;
    return -1;
}

static int write_row(struct store *store, const struct slot *slot, struct row *row,
                     const struct row_body *body, struct err *err)
{
    uint8_t key[ROW_ID_LEN];

    buf_reset(&store->body);
    buf_reset(&store->out);
    row_body_encode(body, &store->body);
    TRY(buf_check(&store->body, "a record", err));
    TRY(seal_row(store, slot->coll, row, buf_span(&store->body), &store->out, err));
    row_id_encode(row->id, key);
    return store->backend->ops->put(store->backend, BACKEND_CHANGE, span_of(key, sizeof(key)),
                                    buf_span(&store->out), err);
}

static int write_current(struct store *store, const struct slot *slot, const struct row *row,
                         struct err *err)
{
    uint8_t old_room[ROW_CURRENT_LEN + 1];
    uint8_t new_room[ROW_CURRENT_LEN + 1];
    struct buf old = {.data = old_room, .cap = sizeof(old_room), .max = ROW_CURRENT_LEN};
    struct buf new = {.data = new_room, .cap = sizeof(new_room), .max = ROW_CURRENT_LEN};
    struct row_current current = {.id = row->id};

    memcpy(current.salt, row->salt, ROW_SALT_LEN);
    row_current_encode(&current, &new);
    row_current_encode(&slot->old, &old);
    const struct span old_value = buf_span(&old);
    const struct span new_value = buf_span(&new);
    return batch_replace(store, BACKEND_CURRENT, span_of(slot->pos, ROW_POS_LEN),
                         slot->exists ? &old_value : NULL, slot->remove ? NULL : &new_value, err);
}

static int write_slot(struct store *store, const struct slot *slot, int64_t id, uint8_t count,
                      struct err *err)
{
    struct row row = {.id = id, .dead = slot->remove, .count = count};
    struct row_body old;

    memcpy(row.pos, slot->pos, ROW_POS_LEN);
    row.prev = slot->exists ? slot->old.id : 0;
    TRY(crypto_random(row.salt, ROW_SALT_LEN, err));
    TRY(read_old(store, slot, &old, err));
    struct row_body body = {
        .create_revision = old.version > 0 ? old.create_revision : row_revision(id),
        .version = old.version + 1,
        .scope = slot->scope,
        .name = slot->name,
        .term_count = slot->term_count,
        .value = slot->remove ? span_of("", 0) : slot->value,
    };
    for (size_t i = 0; i < slot->term_count; i++)
        body.terms[i] = slot->terms[i];
    TRY(change_terms(store, slot, &old, err));
    TRY(write_row(store, slot, &row, &body, err));
    return write_current(store, slot, &row, err);
}

/* A removal of what is not there changes nothing. */
static bool is_change(const struct slot *slot)
{
    return !slot->remove || slot->exists;
}

static int write_slots(struct store *store, const struct slot *slots, size_t count, size_t changes,
                       struct err *err)
{
    int64_t id = (store->now.revision + 1) * ROW_PER_REVISION;

    store->dirty = true;
    for (size_t i = 0; i < count; i++) {
        if (!is_change(&slots[i]))
            continue;
        if (write_slot(store, &slots[i], id++, (uint8_t)changes, err) < 0)
            return batch_break(store, err);
    }
    store->now.revision++;
    return 0;
}

int txn_put_self(struct store *store, const char *scope, const char *name, struct span value,
                 int64_t *out_id, struct err *err)
{
    struct slot slot = {.coll = store->self, .scope = scope, .name = name, .value = value};

    hash_pos(slot.coll, scope, name, slot.pos);
    *out_id = (store->now.revision + 1) * ROW_PER_REVISION;
    return write_slots(store, &slot, 1, 1, err);
}

static int run_checks(struct store *store, const struct store_txn *txn, struct store_result *result,
                      struct err *err)
{
    for (size_t i = 0; i < txn->check_count; i++) {
        result->failed_check = i;
        TRY(run_check(store, &txn->checks[i], err));
    }
    result->failed_check = txn->check_count;
    return 0;
}

static int run_changes(struct store *store, const struct store_txn *txn, struct slot *slots,
                       struct store_result *result, struct err *err)
{
    for (size_t i = 0; i < txn->change_count; i++) {
        TRY(fill_slot(store, &txn->changes[i], &slots[i], err));
        result->changed += is_change(&slots[i]);
    }
    if (result->changed == 0)
        return 0;
    return write_slots(store, slots, txn->change_count, result->changed, err);
}

int store_txn_commit(struct store *store, const struct store_txn *txn, struct store_result *result,
                     struct err *err)
{
    CLEANUP_FREE struct slot *slots = NULL;
    struct store_result local;

    if (result == NULL)
        result = &local;
    *result = (struct store_result){.failed_check = txn->check_count};
    TRY(check_txn(txn, err));
    TRY(batch_begin(store, err));
    TRY(run_checks(store, txn, result, err));
    slots = mem_new_array(txn->change_count + 1, sizeof(*slots));
    TRY(run_changes(store, txn, slots, result, err));
    result->revision = store->now.revision;
    return 0;
}

static int commit_one(struct store *store, const struct store_change *change, struct err *err)
{
    struct store_txn txn = {.changes = change, .change_count = 1};

    return store_txn_commit(store, &txn, NULL, err);
}

int store_put(struct store *store, struct store_key key, struct span value, struct err *err)
{
    struct store_change change = {.key = key, .value = value};

    return commit_one(store, &change, err);
}

int store_delete(struct store *store, struct store_key key, struct err *err)
{
    struct store_change change = {.key = key, .remove = true};

    return commit_one(store, &change, err);
}
