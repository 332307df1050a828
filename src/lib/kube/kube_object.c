/* SPDX-License-Identifier: Apache-2.0 */
/* The objects as the role itself reads and writes them. */
#include "base/clock.h"
#include "kube/kube_internal.h"

static int read_record(struct kube_server *server, const struct kube_key *key, json_t **out,
                       int64_t *revision, struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(KUBE_PAGE_ARENA);
    const struct kube_storage *storage = server->config.storage;
    struct kube_record record;

    TRY(storage->get(storage->ctx, key, arena, &record, err));
    *revision = record.revision;
    return kube_decode(&record, out, err);
}

int kube_object_get(struct kube_server *server, const struct kube_kind *kind, const char *namespace,
                    const char *name, json_t **out, struct err *err)
{
    struct kube_key key = kube_key_of(kind, namespace, name);
    int64_t revision;

    return read_record(server, &key, out, &revision, err);
}

struct each {
    kube_object_fn *fn;
    void *ctx;
};

static int call_back(void *ctx, json_t *object, struct err *err)
{
    struct each *each = ctx;

    return each->fn(each->ctx, object, err);
}

int kube_object_each(struct kube_server *server, const struct kube_kind *kind,
                     const char *namespace, kube_object_fn *fn, void *ctx, struct err *err)
{
    return kube_object_each_by(server, kind, namespace, NULL, fn, ctx, err);
}

int kube_object_each_by(struct kube_server *server, const struct kube_kind *kind,
                        const char *namespace, const char *term, kube_object_fn *fn, void *ctx,
                        struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(KUBE_PAGE_ARENA);
    struct kube_walk walk = {.kind = kind, .namespace = namespace, .term = term, .arena = arena};
    struct each each = {.fn = fn, .ctx = ctx};

    return kube_walk(server, &walk, call_back, &each, err);
}

static int write_record(struct kube_server *server, const struct kube_kind *kind,
                        const struct kube_key *key, json_t *object, int64_t expected,
                        struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf value = BUF_INIT(2 * KUBE_BODY_MAX);
    const struct kube_storage *storage = server->config.storage;
    struct kube_terms terms;
    int64_t revision;

    kube_encode(object, &value);
    kube_terms_of(kind, object, &terms);
    TRY(buf_check(&value, "the object", err));
    TRY(storage->put(storage->ctx, key, buf_span(&value), &terms, expected, &revision, err));
    kube_set_revision(object, revision);
    return 0;
}

static int judge(const struct kube_kind *kind, json_t *object, const json_t *old, struct err *err)
{
    struct kube_causes causes = {0};

    kube_schema_prune(kind->shape, object, NULL);
    kube_schema_defaults(kind->shape, object);
    kube_normalise(kind, object);
    if (kind->prepare != NULL)
        kind->prepare(object, old, NULL);
    kube_schema_validate(kind->shape, object, old, &causes);
    if (kind->validate != NULL)
        kind->validate(object, old, &causes);
    CLEANUP_JSON json_t *list = causes.list;
    const json_t *first = json_array_get(list, 0);
    if (first == NULL)
        return 0;
    return err_set(err, ERR_INVALID, "%s \"%s\" is invalid: %s: %s", kind->kind,
                   kube_name_of(object), codec_json_text(first, "field", ""),
                   codec_json_text(first, "message", ""));
}

static int put_history(json_t *object, const json_t *old, struct err *err)
{
    static const char *const kept[] = {"uid", "creationTimestamp", "generation", "managedFields"};
    const json_t *old_meta = json_object_get(old, "metadata");
    json_t *meta = kube_meta(object);
    char now[CLOCK_TEXT_SIZE];

    if (old == NULL) {
        clock_format_sec(clock_wall_sec(), now);
        json_object_set_new(meta, "creationTimestamp", json_string(now));
        json_object_set_new(meta, "generation", json_integer(1));
        return kube_put_uid(meta, err);
    }
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (json_object_get(old_meta, kept[i]) != NULL)
            json_object_set(meta, kept[i], json_object_get(old_meta, kept[i]));
    kube_count_generation(object, old);
    return 0;
}

int kube_object_put(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                    struct err *err)
{
    struct kube_key key = kube_key_of(kind, kube_namespace_of(object), kube_name_of(object));
    CLEANUP_JSON json_t *old = NULL;
    int64_t revision = 0, wanted = kube_revision_of(object);

    if (read_record(server, &key, &old, &revision, err) < 0) {
        if (err->code != ERR_NOT_FOUND || wanted != 0)
            return -1;
        err_clear(err);
    }
    if (wanted != 0 && wanted != revision)
        return err_set(err, ERR_CONFLICT, "%s \"%s\" has been modified", kind->kind, key.name);
    TRY(judge(kind, object, old, err));
    TRY(put_history(object, old, err));
    if (old != NULL) {
        kube_set_revision(object, revision);
        if (json_equal(object, old))
            return 0;
    }
    key = kube_key_of(kind, kube_namespace_of(object), kube_name_of(object));
    return write_record(server, kind, &key, object, revision, err);
}

int kube_object_put_status(struct kube_server *server, const struct kube_kind *kind,
                           const char *namespace, const char *name, json_t *status, struct err *err)
{
    struct kube_key key = kube_key_of(kind, namespace, name);
    CLEANUP_JSON json_t *object = NULL;
    int64_t revision;

    TRY(read_record(server, &key, &object, &revision, err));
    CLEANUP_JSON json_t *old = json_deep_copy(object);
    json_object_set(object, "status", status);
    TRY(judge(kind, object, old, err));
    json_t *managed = codec_json_at(old, "metadata", "managedFields", NULL);
    if (managed != NULL)
        json_object_set(kube_meta(object), "managedFields", managed);
    if (json_equal(object, old))
        return 0;
    return write_record(server, kind, &key, object, revision, err);
}

int kube_object_delete(struct kube_server *server, const struct kube_kind *kind,
                       const char *namespace, const char *name, struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(KUBE_PAGE_ARENA);
    const struct kube_storage *storage = server->config.storage;
    struct kube_key key = kube_key_of(kind, namespace, name);
    struct kube_record record;
    int64_t revision;

    TRY(storage->get(storage->ctx, &key, arena, &record, err));
    return storage->remove(storage->ctx, &key, record.revision, &revision, err);
}

int kube_object_index(struct kube_server *server, const struct kube_kind *kind, const char *from,
                      struct buf *next, struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(KUBE_PAGE_ARENA);
    const struct kube_storage *storage = server->config.storage;
    struct kube_page page;

    TRY(storage->list(storage->ctx, kube_kind_resource(kind), NULL, NULL, from, KUBE_PAGE_MAX,
                      arena, &page, err));
    for (size_t i = 0; i < page.count; i++) {
        CLEANUP_JSON json_t *object = NULL;
        TRY(kube_decode(&page.records[i], &object, err));
        TRY(write_record(server, kind, &page.records[i].key, object, page.records[i].revision,
                         err));
    }
    buf_reset(next);
    if (page.next == NULL)
        return 0;
    buf_put_str(next, page.next);
    TRY(buf_check(next, "where the list goes on", err));
    return 1;
}
