/* SPDX-License-Identifier: Apache-2.0 */
/* Going through the objects of a kind. */
#include "kube/kube_internal.h"

static bool matches(const struct kube_walk *walk, const json_t *object)
{
    return kube_selector_matches_labels(walk->labels, object) &&
           kube_selector_matches_fields(walk->fields, object);
}

static int visit(const struct kube_walk *walk, const struct kube_record *record, kube_walk_fn *fn,
                 void *ctx, size_t *count, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    TRY(kube_decode(record, &object, err));
    if (!matches(walk, object))
        return 0;
    (*count)++;
    return fn(ctx, object, err);
}

/* A selector that names one object needs no walk. */
static int walk_one(struct kube_server *server, struct kube_walk *walk, const char *name,
                    kube_walk_fn *fn, void *ctx, struct err *err)
{
    const struct kube_storage *storage = server->config.storage;
    struct kube_key key = kube_key_of(walk->kind, walk->namespace, name);
    struct kube_record record;
    size_t count = 0;

    walk->revision = storage->revision(storage->ctx);
    if (storage->get(storage->ctx, &key, walk->arena, &record, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        return 0;
    }
    return visit(walk, &record, fn, ctx, &count, err);
}

static int walk_page(struct kube_server *server, struct kube_walk *walk, kube_walk_fn *fn,
                     void *ctx, size_t *count, struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *scratch = arena_new(KUBE_PAGE_ARENA);
    const struct kube_storage *storage = server->config.storage;
    size_t limit = walk->limit > 0 ? walk->limit - *count : 0;
    char room[KUBE_TERM_SIZE];
    const char *term = walk->term != NULL ? walk->term : kube_term_for(walk, room);
    struct kube_page page;

    if (limit == 0 || limit > KUBE_PAGE_MAX)
        limit = KUBE_PAGE_MAX;
    const char *space = walk->kind->namespaced ? walk->namespace : "";
    TRY(storage->list(storage->ctx, kube_kind_resource(walk->kind), space, term, walk->from, limit,
                      scratch, &page, err));
    if (walk->revision == 0)
        walk->revision = page.revision;
    for (size_t i = 0; i < page.count; i++) {
        int result = visit(walk, &page.records[i], fn, ctx, count, err);
        if (result != 0)
            return result;
    }
    walk->next = page.next != NULL ? arena_strdup(walk->arena, page.next) : NULL;
    walk->from = walk->next;
    return arena_check(walk->arena, "the list", err);
}

int kube_walk(struct kube_server *server, struct kube_walk *walk, kube_walk_fn *fn, void *ctx,
              struct err *err)
{
    const char *name = kube_selector_demands(walk->fields, "metadata.name");
    size_t count = 0;

    if (name != NULL && walk->from == NULL && (walk->namespace != NULL || !walk->kind->namespaced))
        return walk_one(server, walk, name, fn, ctx, err);
    do {
        int result = walk_page(server, walk, fn, ctx, &count, err);
        if (result != 0)
            return result;
    } while (walk->next != NULL && (walk->limit == 0 || count < walk->limit));
    return 0;
}

int kube_walk_select(struct kube_call *call, struct kube_walk *walk)
{
    struct kube_selector *labels, *fields;
    struct err err = ERR_INIT;

    walk->kind = call->kind;
    walk->namespace = kube_scope(call);
    walk->arena = call->arena;
    if (kube_selector_labels(kube_query(call, "labelSelector"), call->arena, &labels, &err) < 0 ||
        kube_selector_fields(kube_query(call, "fieldSelector"), call->kind, call->arena, &fields,
                             &err) < 0)
        return kube_refuse_bad(call, "%s", err.msg);
    walk->labels = labels;
    walk->fields = fields;
    return 0;
}
