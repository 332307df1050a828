/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kube_store.h"

#include "base/mem.h"

#include <stdlib.h>

struct kube_store {
    struct store *store;
    struct kube_storage storage;
};

struct watch {
    struct store_watcher *watcher; /* NULL when the store has ended it */
    struct kube_storage_watch spec;
    bool lost; /* before the caller had the handle */
};

static struct store_key key_of(const struct kube_key *key)
{
    return (struct store_key){
        .collection = key->resource, .scope = key->namespace, .name = key->name};
}

static struct kube_record record_of(const struct store_record *record)
{
    return (struct kube_record){
        .key = {record->key.collection, record->key.scope, record->key.name},
        .revision = record->mod_revision,
        .value = record->value,
    };
}

static int get(void *ctx, const struct kube_key *key, struct arena *arena, struct kube_record *out,
               struct err *err)
{
    struct kube_store *objects = ctx;
    struct store_record record;

    TRY(store_get(objects->store, key_of(key), arena, &record, err));
    *out = record_of(&record);
    return 0;
}

static int list(void *ctx, const char *resource, const char *namespace, const char *term,
                const char *from, size_t limit, struct arena *arena, struct kube_page *out,
                struct err *err)
{
    struct kube_store *objects = ctx;
    struct store_list query = {
        .collection = resource, .scope = namespace, .term = term, .from = from, .limit = limit};
    struct store_page page;

    TRY(store_list(objects->store, &query, arena, &page, err));
    *out = (struct kube_page){.count = page.count, .next = page.next, .revision = page.revision};
    out->records = arena_alloc_array(arena, page.count + 1, sizeof(*out->records));
    TRY(arena_check(arena, "the list", err));
    for (size_t i = 0; i < page.count; i++)
        out->records[i] = record_of(&page.records[i]);
    return 0;
}

static int change(struct kube_store *objects, const struct store_change *change, int64_t expected,
                  int64_t *revision, struct err *err)
{
    struct store_check check = {
        .key = change->key,
        .is = expected == 0 ? STORE_ABSENT : STORE_AT_REVISION,
        .mod_revision = expected,
    };
    struct store_txn txn = {
        .checks = &check, .check_count = 1, .changes = change, .change_count = 1};
    struct store_result result;

    TRY(store_txn_commit(objects->store, &txn, &result, err));
    *revision = result.revision;
    return 0;
}

static int put(void *ctx, const struct kube_key *key, struct span value,
               const struct kube_terms *terms, int64_t expected, int64_t *revision, struct err *err)
{
    struct store_change set = {.key = key_of(key), .value = value, .term_count = terms->count};

    for (size_t i = 0; i < terms->count; i++)
        set.terms[i] = terms->items[i];
    return change(ctx, &set, expected, revision, err);
}

static int take_away(void *ctx, const struct kube_key *key, int64_t expected, int64_t *revision,
                     struct err *err)
{
    struct store_change removal = {.key = key_of(key), .remove = true};

    return change(ctx, &removal, expected, revision, err);
}

/* ------------------------------------------------------------------ watches */

static void on_event(void *ctx, const struct store_event *event)
{
    struct watch *watch = ctx;
    struct kube_event out = {
        .key = {event->record->key.collection, event->record->key.scope, event->record->key.name},
        .revision = event->revision,
    };

    if (!event->removed)
        out.value = event->record->value;
    if (event->previous != NULL)
        out.old = event->previous->value;
    watch->spec.on_event(watch->spec.ctx, &out);
}

static void on_lost(void *ctx, const struct err *why UNUSED)
{
    struct watch *watch = ctx;

    /* The handle stays until unwatch(): the caller may not have it yet. */
    watch->watcher = NULL;
    watch->lost = true;
    watch->spec.on_lost(watch->spec.ctx);
}

static int watch_add(void *ctx, const struct kube_storage_watch *spec, void **out, struct err *err)
{
    struct kube_store *objects = ctx;
    struct watch *watch = mem_new(sizeof(*watch));
    struct store_watcher *watcher = NULL;
    struct store_watch query = {
        .collection = spec->resource,
        .scope = spec->namespace,
        .from_revision = spec->after + 1,
        .on_event = on_event,
        .on_lost = on_lost,
        .ctx = watch,
    };

    watch->spec = *spec;
    if (store_watch_add(objects->store, &query, &watcher, err) < 0) {
        free(watch);
        return -1;
    }
    if (!watch->lost)
        watch->watcher = watcher;
    *out = watch;
    return 0;
}

static void unwatch(void *ctx UNUSED, void *handle)
{
    struct watch *watch = handle;

    if (watch == NULL)
        return;
    store_watch_remove(watch->watcher);
    free(watch);
}

static int64_t revision(void *ctx)
{
    struct kube_store *objects = ctx;

    return store_revision(objects->store);
}

struct kube_store *kube_store_new(struct store *store)
{
    struct kube_store *objects = mem_new(sizeof(*objects));

    objects->store = store;
    objects->storage = (struct kube_storage){
        .ctx = objects,
        .get = get,
        .list = list,
        .put = put,
        .remove = take_away,
        .watch = watch_add,
        .unwatch = unwatch,
        .revision = revision,
    };
    return objects;
}

void kube_store_free(struct kube_store *objects)
{
    free(objects);
}

void kube_store_free_ptr(struct kube_store **objects)
{
    kube_store_free(*objects);
}

const struct kube_storage *kube_store_storage(struct kube_store *objects)
{
    return &objects->storage;
}
