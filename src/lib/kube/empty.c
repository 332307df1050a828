/* SPDX-License-Identifier: Apache-2.0 */
/* A namespace at its end: its content goes first, kind by kind, and then its own finalizer. */
#include "kube/kube_internal.h"

static const struct kube_principal emptier_principal = {.name = "system:drun:namespace-controller"};

struct emptying {
    struct kube_server *server;
    struct kube_left *left;
    const struct kube_kind *kind;
    size_t limit;
};

static void note_held(struct kube_left *left, const struct kube_kind *kind, const json_t *object)
{
    const json_t *first = json_array_get(codec_json_at(object, "metadata", "finalizers", NULL), 0);

    if (left->held++ > 0)
        return;
    snprintf(left->example, sizeof(left->example), "%.100s/%.150s is held by %.120s",
             kube_kind_resource(kind), kube_name_of(object),
             json_is_string(first) ? json_string_value(first) : "a finalizer");
}

static int end_one(void *ctx, json_t *object, struct err *err)
{
    struct emptying *emptying = ctx;
    bool marked = codec_json_at(object, "metadata", "deletionTimestamp", NULL) != NULL;

    if (emptying->left->ended >= emptying->limit)
        return 1;
    int stays = marked && kube_is_held(emptying->kind, object)
                    ? 1
                    : kube_drop(emptying->server, emptying->kind, object, &emptier_principal, err);
    TRY(stays);
    if (stays == 1)
        note_held(emptying->left, emptying->kind, object);
    emptying->left->ended += stays == 0 || !marked;
    return 0;
}

int kube_namespace_empty(struct kube_server *server, const char *namespace, size_t limit,
                         struct kube_left *out, struct err *err)
{
    CLEANUP(arena_free_ptr) struct arena *arena = arena_new(KUBE_PAGE_ARENA);
    struct emptying emptying = {.server = server, .left = out, .limit = limit};

    *out = (struct kube_left){0};
    for (size_t i = 0; server->config.kinds[i] != NULL && out->ended < limit; i++) {
        emptying.kind = server->config.kinds[i];
        if (!emptying.kind->namespaced || emptying.kind->special != KUBE_STORED)
            continue;
        struct kube_walk walk = {.kind = emptying.kind, .namespace = namespace, .arena = arena};
        TRY(kube_walk(server, &walk, end_one, &emptying, err));
    }
    return 0;
}

int kube_namespace_finish(struct kube_server *server, const char *name, const char *uid,
                          struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    TRY(kube_object_get(server, &kube_namespace, "", name, &object, err));
    const json_t *meta = json_object_get(object, "metadata");
    if (strcmp(codec_json_text(meta, "uid", ""), uid) != 0 ||
        json_object_get(meta, "deletionTimestamp") == NULL)
        return err_set(err, ERR_CONFLICT, "the namespace %s is not being deleted", name);
    CLEANUP_JSON json_t *old = json_deep_copy(object);
    json_object_set_new(json_object_get(object, "spec"), "finalizers", json_array());
    if (json_equal(object, old))
        return 0;
    return kube_rewrite(server, &kube_namespace, object, old, &emptier_principal, err);
}
