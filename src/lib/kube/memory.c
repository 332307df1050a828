/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/num.h"
#include "kube/storage.h"

#include <stdlib.h>
#include <sys/queue.h>

struct record {
    char *resource, *namespace, *name;
    int64_t revision;
    char *value;
};

/* What happened; owns its texts. */
struct past {
    struct record record; /* value NULL: deleted */
    char *old;
};

struct watch {
    struct kube_memory *memory;
    struct kube_storage_watch spec;
    bool dead; /* removed while events are being delivered */
    LIST_ENTRY(watch) entry;
};

struct kube_memory {
    struct kube_storage storage;
    struct record *records; /* sorted by resource, namespace, name */
    size_t count, room;
    struct past *history;
    size_t history_count, history_room;
    int64_t revision, compacted;
    LIST_HEAD(, watch) watches;
    int delivering;
};

enum { HISTORY_MAX = 4096 };

static int compare(const struct record *record, const struct kube_key *key)
{
    int order = strcmp(record->resource, key->resource);

    if (order == 0)
        order = strcmp(record->namespace, key->namespace);
    return order != 0 ? order : strcmp(record->name, key->name);
}

/* The first record that is not before the key. */
static size_t position(const struct kube_memory *memory, const struct kube_key *key)
{
    size_t low = 0, high = memory->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&memory->records[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct record *find(const struct kube_memory *memory, const struct kube_key *key)
{
    size_t at = position(memory, key);

    if (at < memory->count && compare(&memory->records[at], key) == 0)
        return &memory->records[at];
    return NULL;
}

static void record_clear(struct record *record)
{
    free(record->resource);
    free(record->namespace);
    free(record->name);
    free(record->value);
}

static struct span value_span(const char *value)
{
    return value != NULL ? span_str(value) : (struct span){0};
}

static void copy_out(const struct record *record, struct arena *arena, struct kube_record *out)
{
    *out = (struct kube_record){
        .key = {.resource = arena_strdup(arena, record->resource),
                .namespace = arena_strdup(arena, record->namespace),
                .name = arena_strdup(arena, record->name)},
        .revision = record->revision,
        .value = {.p = (uint8_t *)arena_strdup(arena, record->value), .len = strlen(record->value)},
    };
}

static int not_found(const struct kube_key *key, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "%s \"%s\" not found", key->resource, key->name);
}

static int memory_get(void *ctx, const struct kube_key *key, struct arena *arena,
                      struct kube_record *out, struct err *err)
{
    const struct record *record = find(ctx, key);

    if (record == NULL)
        return not_found(key, err);
    copy_out(record, arena, out);
    return arena_check(arena, "the record", err);
}

/* `from` is "namespace/name" of the first record of the page. */
static size_t start_of(const struct kube_memory *memory, const char *resource,
                       const char *namespace, const char *from, struct arena *arena)
{
    struct kube_key key = {
        .resource = resource, .namespace = namespace != NULL ? namespace : "", .name = ""};
    const char *slash = from != NULL ? strchr(from, '/') : NULL;

    if (slash != NULL) {
        const char *space = arena_copy(arena, span_of(from, (size_t)(slash - from)));
        key.namespace = space != NULL ? space : "";
        key.name = slash + 1;
    }
    return position(memory, &key);
}

static int memory_list(void *ctx, const char *resource, const char *namespace,
                       const char *term UNUSED, const char *from, size_t limit, struct arena *arena,
                       struct kube_page *out, struct err *err)
{
    struct kube_memory *memory = ctx;
    size_t at = start_of(memory, resource, namespace, from, arena);

    limit = limit == 0 ? KUBE_PAGE_MAX : NUM_MIN(limit, (size_t)KUBE_PAGE_MAX);
    *out = (struct kube_page){.revision = memory->revision};
    out->records = arena_alloc_array(arena, limit, sizeof(*out->records));
    TRY(arena_check(arena, "the list", err));
    for (; at < memory->count; at++) {
        const struct record *record = &memory->records[at];
        if (strcmp(record->resource, resource) != 0 ||
            (namespace != NULL && strcmp(record->namespace, namespace) != 0))
            break;
        if (out->count == limit) {
            out->next = arena_printf(arena, "%s/%s", record->namespace, record->name);
            break;
        }
        copy_out(record, arena, &out->records[out->count++]);
    }
    return arena_check(arena, "the list", err);
}

static bool wanted(const struct watch *watch, const struct record *record)
{
    return strcmp(watch->spec.resource, record->resource) == 0 &&
           (watch->spec.namespace == NULL || strcmp(watch->spec.namespace, record->namespace) == 0);
}

static void deliver(struct watch *watch, const struct past *past)
{
    struct kube_event event = {
        .key = {past->record.resource, past->record.namespace, past->record.name},
        .revision = past->record.revision,
        .value = value_span(past->record.value),
        .old = value_span(past->old),
    };

    if (!watch->dead && wanted(watch, &past->record))
        watch->spec.on_event(watch->spec.ctx, &event);
}

static void sweep(struct kube_memory *memory)
{
    struct watch *watch = LIST_FIRST(&memory->watches);

    while (memory->delivering == 0 && watch != NULL) {
        struct watch *next = LIST_NEXT(watch, entry);
        if (watch->dead) {
            LIST_REMOVE(watch, entry);
            free(watch);
        }
        watch = next;
    }
}

void kube_memory_compact(struct kube_memory *memory, int64_t revision)
{
    size_t gone = 0;

    while (gone < memory->history_count && memory->history[gone].record.revision <= revision) {
        record_clear(&memory->history[gone].record);
        free(memory->history[gone].old);
        gone++;
    }
    memory->history_count -= gone;
    if (gone > 0)
        memmove(memory->history, memory->history + gone,
                memory->history_count * sizeof(struct past));
    memory->compacted = NUM_MAX(memory->compacted, NUM_MIN(revision, memory->revision));
}

/* Takes old. */
static void happened(struct kube_memory *memory, const struct kube_key *key, const char *value,
                     char *old)
{
    struct watch *watch;

    if (memory->history_count == HISTORY_MAX)
        kube_memory_compact(memory, memory->history[HISTORY_MAX / 4].record.revision);
    if (memory->history_count == memory->history_room) {
        memory->history_room = memory->history_room * 2 + 16;
        memory->history =
            mem_resize_array(memory->history, memory->history_room, sizeof(*memory->history));
    }
    struct past *past = &memory->history[memory->history_count++];
    *past = (struct past){
        .record = {.resource = mem_strdup(key->resource),
                   .namespace = mem_strdup(key->namespace),
                   .name = mem_strdup(key->name),
                   .revision = memory->revision,
                   .value = value != NULL ? mem_strdup(value) : NULL},
        .old = old,
    };
    /* A callback may write and so move the history. */
    struct past now = *past;
    memory->delivering++;
    LIST_FOREACH (watch, &memory->watches, entry)
        deliver(watch, &now);
    memory->delivering--;
    sweep(memory);
}

static int check_expected(const struct record *record, const struct kube_key *key, int64_t expected,
                          struct err *err)
{
    if (record != NULL && expected == 0)
        return err_set(err, ERR_EXISTS, "%s \"%s\" already exists", key->resource, key->name);
    if (record == NULL && expected != 0)
        return not_found(key, err);
    if (record != NULL && record->revision != expected)
        return err_set(err, ERR_CONFLICT, "the object has been modified");
    return 0;
}

static struct record *insert(struct kube_memory *memory, const struct kube_key *key)
{
    size_t at = position(memory, key);

    if (memory->count == memory->room) {
        memory->room = memory->room * 2 + 16;
        memory->records = mem_resize_array(memory->records, memory->room, sizeof(struct record));
    }
    memmove(memory->records + at + 1, memory->records + at,
            (memory->count - at) * sizeof(struct record));
    memory->count++;
    memory->records[at] = (struct record){
        .resource = mem_strdup(key->resource),
        .namespace = mem_strdup(key->namespace),
        .name = mem_strdup(key->name),
    };
    return &memory->records[at];
}

static int memory_put(void *ctx, const struct kube_key *key, struct span value,
                      const struct kube_terms *terms UNUSED, int64_t expected, int64_t *revision,
                      struct err *err)
{
    struct kube_memory *memory = ctx;
    struct record *record = find(memory, key);

    TRY(check_expected(record, key, expected, err));
    if (record == NULL)
        record = insert(memory, key);
    char *old = record->value;
    record->value = mem_strndup((const char *)value.p, value.len);
    record->revision = ++memory->revision;
    *revision = memory->revision;
    CLEANUP_FREE char *now = mem_strdup(record->value);
    happened(memory, key, now, old);
    return 0;
}

static int memory_remove(void *ctx, const struct kube_key *key, int64_t expected, int64_t *revision,
                         struct err *err)
{
    struct kube_memory *memory = ctx;
    struct record *record = find(memory, key);

    if (record == NULL)
        return not_found(key, err);
    TRY(check_expected(record, key, expected, err));
    char *old = record->value;
    record->value = NULL;
    record_clear(record);
    memory->count--;
    size_t at = (size_t)(record - memory->records);
    memmove(record, record + 1, (memory->count - at) * sizeof(struct record));
    *revision = ++memory->revision;
    happened(memory, key, NULL, old);
    return 0;
}

static int memory_watch(void *ctx, const struct kube_storage_watch *spec, void **out,
                        struct err *err)
{
    struct kube_memory *memory = ctx;

    if (spec->after < memory->compacted)
        return err_set(err, ERR_GONE, "too old resource version: %lld (%lld)",
                       (long long)spec->after, (long long)memory->compacted);
    struct watch *watch = mem_new(sizeof(*watch));
    *watch = (struct watch){.memory = memory, .spec = *spec};
    watch->spec.resource = mem_strdup(spec->resource);
    watch->spec.namespace = spec->namespace != NULL ? mem_strdup(spec->namespace) : NULL;
    for (size_t i = 0; i < memory->history_count; i++)
        if (memory->history[i].record.revision > spec->after)
            deliver(watch, &memory->history[i]);
    LIST_INSERT_HEAD(&memory->watches, watch, entry);
    *out = watch;
    return 0;
}

static void memory_unwatch(void *ctx, void *handle)
{
    struct kube_memory *memory = ctx;
    struct watch *watch = handle;

    if (watch == NULL)
        return;
    watch->dead = true;
    free((char *)watch->spec.resource);
    free((char *)watch->spec.namespace);
    sweep(memory);
}

static int64_t memory_revision(void *ctx)
{
    struct kube_memory *memory = ctx;

    return memory->revision;
}

struct kube_memory *kube_memory_new(void)
{
    struct kube_memory *memory = mem_new(sizeof(*memory));

    LIST_INIT(&memory->watches);
    memory->revision = 1; /* "0" means any revision to clients */
    memory->storage = (struct kube_storage){
        .ctx = memory,
        .get = memory_get,
        .list = memory_list,
        .put = memory_put,
        .remove = memory_remove,
        .watch = memory_watch,
        .unwatch = memory_unwatch,
        .revision = memory_revision,
    };
    return memory;
}

void kube_memory_free(struct kube_memory *memory)
{
    if (memory == NULL)
        return;
    INVARIANT(LIST_EMPTY(&memory->watches));
    for (size_t i = 0; i < memory->count; i++)
        record_clear(&memory->records[i]);
    kube_memory_compact(memory, INT64_MAX);
    free(memory->records);
    free(memory->history);
    free(memory);
}

const struct kube_storage *kube_memory_storage(struct kube_memory *memory)
{
    return &memory->storage;
}
