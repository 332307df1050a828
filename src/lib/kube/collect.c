/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Garbage collection: an object whose owners (metadata.ownerReferences) have all gone follows them,
 * as on any cluster. Nothing is kept but a queue of what to look at: a queue that was lost is made
 * up for by one walk over everything at the start, so that a crash between an owner's end and its
 * dependents' changes nothing.
 *
 * An owner that is deleted with Orphan or Foreground carries a finalizer meanwhile; it is taken
 * away here, when its dependents no longer name it or have gone.
 */
#include "base/mem.h"
#include "kube/kube_internal.h"

#include <stdlib.h>

enum { PAGE = 100, FOREIGN_EVERY_SEC = 30 };

const struct kube_principal kube_collector_principal = {.name = "system:drun:garbage-collector"};

/* What to look at: one object (kind, namespace, name, without uid), the dependents of one (with its
 * uid), or everything (without kind). */
struct task {
    const struct kube_kind *kind;
    char *namespace, *name, *uid;
    TAILQ_ENTRY(task) entry;
};

struct kube_collector {
    TAILQ_HEAD(, task) tasks;
    bool owned;      /* some object names an owner */
    bool foreign;    /* ... of a kind that another role serves */
    bool taken_back; /* what was deleted may be there again */
    unsigned ticks;
    /* How far the first task is. */
    bool begun;
    bool orphans; /* its owner's dependents shall stay */
    size_t kind_at;
    char *from;
    size_t blocking; /* dependents that the owner must wait for */
};

static void push(struct kube_collector *collector, const struct kube_kind *kind,
                 const char *namespace, const char *name, const char *uid)
{
    struct task *task = mem_new(sizeof(*task));

    *task = (struct task){.kind = kind,
                          .namespace = mem_strdup(namespace),
                          .name = mem_strdup(name),
                          .uid = uid == NULL ? NULL : mem_strdup(uid)};
    TAILQ_INSERT_TAIL(&collector->tasks, task, entry);
}

static void pop(struct kube_collector *collector)
{
    struct task *task = TAILQ_FIRST(&collector->tasks);

    TAILQ_REMOVE(&collector->tasks, task, entry);
    free(task->namespace);
    free(task->name);
    free(task->uid);
    free(task);
    free(collector->from);
    collector->from = NULL;
    collector->begun = false;
    collector->kind_at = 0;
    collector->blocking = 0;
}

struct kube_collector *kube_collector_new(void)
{
    struct kube_collector *collector = mem_new(sizeof(*collector));

    TAILQ_INIT(&collector->tasks);
    push(collector, NULL, "", "", NULL);
    return collector;
}

void kube_collector_free(struct kube_collector *collector)
{
    if (collector == NULL)
        return;
    while (!TAILQ_EMPTY(&collector->tasks))
        pop(collector);
    free(collector);
}

/* Somebody else's write came between; that write is looked at itself. */
static int forgive(int result, struct err *err)
{
    if (result >= 0 || (err->code != ERR_CONFLICT && err->code != ERR_NOT_FOUND))
        return result;
    err_clear(err);
    return 0;
}

static void watch_over(struct kube_collector *collector, const struct kube_kind *kind,
                       const json_t *object)
{
    if (json_array_size(kube_references_of(object)) > 0)
        collector->owned = true;
    if (kube_is_draining(object) || kube_is_orphaning(object))
        push(collector, kind, kube_namespace_of(object), kube_name_of(object),
             codec_json_text(json_object_get(object, "metadata"), "uid", ""));
}

static int visit(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                 struct err *err)
{
    struct kube_collector *collector = server->collector;
    const struct task *task = TAILQ_FIRST(&collector->tasks);

    if (task->uid == NULL) {
        watch_over(collector, kind, object);
        return json_array_size(kube_references_of(object)) > 0
                   ? forgive(kube_owners_judge(server, kind, object, err), err)
                   : 0;
    }
    if (!kube_owner_named_by(object, task->uid))
        return 0;
    if (collector->orphans)
        return forgive(kube_owners_strip(server, kind, object, task->uid, err), err);
    bool blocking = kube_owner_blocked_by(object, task->uid);
    int stays = forgive(kube_owners_judge(server, kind, object, err), err);
    collector->blocking += stays == 1 && blocking;
    return stays;
}

/* ------------------------------------------------------------------ walking */

/* One page of one kind: 1 when there is more of the kind. */
static int walk_page(struct kube_server *server, const struct kube_kind *kind,
                     const char *namespace, struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(KUBE_PAGE_ARENA);
    struct kube_collector *collector = server->collector;
    const struct kube_storage *storage = server->config.storage;
    struct kube_page page;

    TRY(storage->list(storage->ctx, kube_kind_resource(kind), kind->namespaced ? namespace : "",
                      NULL, collector->from, PAGE, arena, &page, err));
    for (size_t i = 0; i < page.count; i++) {
        CLEANUP_JSON json_t *object = NULL;
        struct err damaged = ERR_INIT;
        if (kube_decode(&page.records[i], &object, &damaged) == 0)
            TRY(visit(server, kind, object, err));
    }
    free(collector->from);
    collector->from = page.next == NULL ? NULL : mem_strdup(page.next);
    return page.next != NULL;
}

/* A namespaced owner has its dependents in its own namespace. */
static bool concerns(const struct task *task, const struct kube_kind *kind)
{
    return kind->special == KUBE_STORED &&
           (task->kind == NULL || !task->kind->namespaced || kind->namespaced);
}

/* 1 while there is more to walk. */
static int walk(struct kube_server *server, const struct task *task, struct err *err)
{
    struct kube_collector *collector = server->collector;
    const struct kube_kind *kind = server->config.kinds[collector->kind_at];
    const char *namespace = task->kind != NULL && task->kind->namespaced ? task->namespace : NULL;

    if (kind == NULL)
        return 0;
    int more = concerns(task, kind) ? walk_page(server, kind, namespace, err) : 0;
    if (more == 0)
        collector->kind_at++;
    return more < 0 ? -1 : 1;
}

/* ------------------------------------------------------------------ owners */

/* Need its dependents be looked at? They need when it has gone, or goes and waits for them. */
static bool begin(struct kube_server *server, const struct task *task)
{
    CLEANUP_JSON json_t *owner = NULL;
    struct err err = ERR_INIT;

    server->collector->begun = true;
    server->collector->orphans = false;
    if (task->kind == NULL || !kube_serves(server, task->kind) ||
        kube_object_get(server, task->kind, task->namespace, task->name, &owner, &err) < 0 ||
        strcmp(codec_json_text(json_object_get(owner, "metadata"), "uid", ""), task->uid) != 0)
        return true;
    server->collector->orphans = kube_is_orphaning(owner);
    return kube_is_draining(owner) || kube_is_orphaning(owner);
}

static void take_finalizer(json_t *object, const char *name)
{
    json_t *meta = kube_meta(object);
    json_t *list = json_object_get(meta, "finalizers");

    for (size_t i = json_array_size(list); i-- > 0;)
        if (strcmp(json_string_value(json_array_get(list, i)), name) == 0)
            json_array_remove(list, i);
    if (json_array_size(list) == 0)
        json_object_del(meta, "finalizers");
}

/* Its dependents were dealt with: nobody of us holds the owner any more. */
static int let_go(struct kube_server *server, const struct task *task, struct err *err)
{
    CLEANUP_JSON json_t *owner = NULL;

    if (!kube_serves(server, task->kind) || server->collector->blocking > 0)
        return 0;
    if (kube_object_get(server, task->kind, task->namespace, task->name, &owner, err) < 0)
        return forgive(-1, err);
    if (strcmp(codec_json_text(json_object_get(owner, "metadata"), "uid", ""), task->uid) != 0 ||
        !kube_is_going(owner) || (!kube_is_draining(owner) && !kube_is_orphaning(owner)))
        return 0;
    CLEANUP_JSON json_t *old = json_deep_copy(owner);
    take_finalizer(owner, KUBE_FINALIZER_FOREGROUND);
    take_finalizer(owner, KUBE_FINALIZER_ORPHAN);
    return forgive(kube_rewrite(server, task->kind, owner, old, &kube_collector_principal, err),
                   err);
}

static int look_at_one(struct kube_server *server, const struct task *task, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    if (kube_object_get(server, task->kind, task->namespace, task->name, &object, err) < 0)
        return forgive(-1, err);
    return forgive(kube_owners_judge(server, task->kind, object, err), err);
}

static int step(struct kube_server *server, const struct task *task, struct err *err)
{
    struct kube_collector *collector = server->collector;
    int more;

    if (task->kind != NULL && task->uid == NULL) {
        TRY(look_at_one(server, task, err));
        pop(collector);
        return 0;
    }
    if (!collector->begun && !begin(server, task)) {
        pop(collector);
        return 0;
    }
    more = walk(server, task, err);
    TRY(more);
    if (more == 1)
        return 0;
    if (task->uid != NULL)
        TRY(let_go(server, task, err));
    pop(collector);
    return 0;
}

int kube_server_collect(struct kube_server *server, struct err *err)
{
    struct kube_collector *collector = server->collector;
    const struct task *task = TAILQ_FIRST(&collector->tasks);

    if (task != NULL)
        TRY(step(server, task, err));
    return !TAILQ_EMPTY(&collector->tasks);
}

bool kube_server_has_garbage(const struct kube_server *server)
{
    return !TAILQ_EMPTY(&server->collector->tasks);
}

void kube_collect_foreign(struct kube_server *server)
{
    server->collector->foreign = true;
}

void kube_server_taken_back(struct kube_server *server)
{
    server->collector->taken_back = true;
}

/* Owners elsewhere are asked for now and then; what was taken back is tried again. */
void kube_collect_tick(struct kube_server *server)
{
    struct kube_collector *collector = server->collector;
    bool ask = collector->foreign && ++collector->ticks % FOREIGN_EVERY_SEC == 0;

    if ((!ask && !collector->taken_back) || !TAILQ_EMPTY(&collector->tasks))
        return;
    collector->foreign = false;
    collector->taken_back = false;
    push(collector, NULL, "", "", NULL);
}

/* ------------------------------------------------------------------ what happened */

/* Its owners may wait for it. */
static void note_owners(struct kube_server *server, const json_t *object)
{
    const json_t *references = kube_references_of(object);

    for (size_t i = 0; i < json_array_size(references); i++) {
        const json_t *reference = json_array_get(references, i);
        const struct kube_kind *kind = kube_kind_of_reference(reference);
        if (kind != NULL && kube_serves(server, kind))
            push(server->collector, kind, kind->namespaced ? kube_namespace_of(object) : "",
                 codec_json_text(reference, "name", ""), codec_json_text(reference, "uid", ""));
    }
}

void kube_collect_note(struct kube_server *server, const struct kube_change *change)
{
    struct kube_collector *collector = server->collector;
    const char *uid = codec_json_text(
        json_object_get(change->object != NULL ? change->object : change->old, "metadata"), "uid",
        "");

    if (change->object == NULL) {
        note_owners(server, change->old);
        if (collector->owned)
            push(collector, change->kind, change->namespace, change->name, uid);
        return;
    }
    if (kube_is_going(change->object) && (change->old == NULL || !kube_is_going(change->old)))
        watch_over(collector, change->kind, change->object);
    if (json_array_size(kube_references_of(change->object)) == 0 ||
        (change->old != NULL &&
         json_equal(kube_references_of(change->object), kube_references_of(change->old))))
        return;
    collector->owned = true;
    push(collector, change->kind, change->namespace, change->name, NULL);
}
