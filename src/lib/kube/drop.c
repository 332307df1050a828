/* SPDX-License-Identifier: Apache-2.0 */
/* How an object ends: at once, or marked until the last of its finalizers is taken away. */
#include "base/clock.h"
#include "kube/kube_internal.h"

bool kube_is_held(const struct kube_kind *kind, const json_t *object)
{
    const json_t *meta = json_object_get(object, "metadata");

    if (json_array_size(json_object_get(meta, "finalizers")) > 0)
        return true;
    if (kind != &kube_namespace)
        return false;
    /* A namespace that nobody has begun to empty is not empty. */
    return json_object_get(meta, "deletionTimestamp") == NULL ||
           json_array_size(codec_json_at(object, "spec", "finalizers", NULL)) > 0;
}

static void tell(struct kube_server *server, const struct kube_kind *kind, const char *verb,
                 json_t *object, const json_t *old, const struct kube_principal *by)
{
    const struct kube_change change = {
        .kind = kind,
        .verb = verb,
        .subresource = "",
        .namespace = kind->namespaced ? kube_namespace_of(old) : "",
        .name = kube_name_of(old),
        .old = old,
        .object = object,
        .principal = by,
    };

    kube_tell_changed(server, &change);
}

static int put(struct kube_server *server, const struct kube_kind *kind, json_t *object,
               struct err *err)
{
    const struct kube_storage *storage = server->config.storage;
    CLEANUP(buf_free_wiped) struct buf value = BUF_INIT(2 * KUBE_BODY_MAX);
    struct kube_key key = kube_key_of(kind, kube_namespace_of(object), kube_name_of(object));
    int64_t revision = kube_revision_of(object);
    struct kube_terms terms;

    kube_encode(object, &value);
    kube_terms_of(kind, object, &terms);
    TRY(buf_check(&value, "the object", err));
    TRY(storage->put(storage->ctx, &key, buf_span(&value), &terms, revision, &revision, err));
    kube_set_revision(object, revision);
    return 0;
}

static int mark(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                const struct kube_principal *by, struct err *err)
{
    CLEANUP_JSON json_t *old = json_deep_copy(object);
    json_t *meta = kube_meta(object);
    char now[CLOCK_TEXT_SIZE];

    if (json_object_get(meta, "deletionTimestamp") != NULL)
        return 1;
    clock_format_sec(clock_wall_sec(), now);
    json_object_set_new(meta, "deletionTimestamp", json_string(now));
    json_object_set_new(meta, "deletionGracePeriodSeconds", json_integer(0));
    json_t *generation = json_object_get(meta, "generation");
    if (generation != NULL)
        json_object_set_new(meta, "generation", json_integer(json_integer_value(generation) + 1));
    if (kind->prepare != NULL)
        kind->prepare(object, old, by);
    TRY(put(server, kind, object, err));
    tell(server, kind, "delete", object, old, by);
    return 1;
}

static int take_away(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                     const struct kube_principal *by, struct err *err)
{
    const struct kube_storage *storage = server->config.storage;
    struct kube_key key = kube_key_of(kind, kube_namespace_of(object), kube_name_of(object));
    int64_t revision;

    TRY(storage->remove(storage->ctx, &key, kube_revision_of(object), &revision, err));
    tell(server, kind, "delete", NULL, object, by);
    return 0;
}

int kube_drop(struct kube_server *server, const struct kube_kind *kind, json_t *object,
              const struct kube_principal *by, struct err *err)
{
    if (kube_is_held(kind, object))
        return mark(server, kind, object, by, err);
    return take_away(server, kind, object, by, err);
}

int kube_rewrite(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                 const json_t *old, const struct kube_principal *by, struct err *err)
{
    if (codec_json_at(object, "metadata", "deletionTimestamp", NULL) != NULL &&
        !kube_is_held(kind, object))
        return take_away(server, kind, object, by, err);
    TRY(put(server, kind, object, err));
    tell(server, kind, "update", object, old, by);
    return 0;
}
