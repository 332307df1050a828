/* SPDX-License-Identifier: Apache-2.0 */
/* What an object says of its owners, and what becomes of it when they go. */
#include "kube/kube_internal.h"

/* ------------------------------------------------------------------ what objects say */

json_t *kube_references_of(const json_t *object)
{
    return codec_json_at(object, "metadata", "ownerReferences", NULL);
}

static bool has_finalizer(const json_t *object, const char *name)
{
    const json_t *list = codec_json_at(object, "metadata", "finalizers", NULL);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text != NULL && strcmp(text, name) == 0)
            return true;
    }
    return false;
}

bool kube_is_going(const json_t *object)
{
    return codec_json_at(object, "metadata", "deletionTimestamp", NULL) != NULL;
}

/* Does it wait for its dependents? */
bool kube_is_draining(const json_t *object)
{
    return kube_is_going(object) && has_finalizer(object, KUBE_FINALIZER_FOREGROUND);
}

bool kube_is_orphaning(const json_t *object)
{
    return kube_is_going(object) && has_finalizer(object, KUBE_FINALIZER_ORPHAN);
}

const struct kube_kind *kube_kind_of_reference(const json_t *reference)
{
    const char *version = codec_json_text(reference, "apiVersion", "");
    const char *slash = strchr(version, '/');
    char group[256];

    snprintf(group, sizeof(group), "%.*s", slash == NULL ? 0 : (int)(slash - version), version);
    return kube_kind_by_name(group, codec_json_text(reference, "kind", ""));
}

enum owner { OWNER_THERE, OWNER_DRAINING, OWNER_GONE };

static enum owner look_up(struct kube_server *server, const struct kube_kind *kind,
                          const char *namespace, const json_t *reference)
{
    CLEANUP_JSON json_t *owner = NULL;
    const char *uid = codec_json_text(reference, "uid", "");
    struct err err = ERR_INIT;

    if (kube_object_get(server, kind, namespace, codec_json_text(reference, "name", ""), &owner,
                        &err) < 0)
        return err.code == ERR_NOT_FOUND ? OWNER_GONE : OWNER_THERE;
    if (strcmp(codec_json_text(json_object_get(owner, "metadata"), "uid", ""), uid) != 0)
        return OWNER_GONE;
    return kube_is_draining(owner) ? OWNER_DRAINING : OWNER_THERE;
}

/* An owner that cannot be looked up from here counts as there: nothing is deleted on a guess. */
static enum owner state_of(struct kube_server *server, const struct kube_kind *of,
                           const json_t *object, const json_t *reference)
{
    const struct kube_config *config = &server->config;
    const struct kube_kind *kind = kube_kind_of_reference(reference);
    const char *namespace = kube_namespace_of(object);

    if (kind == NULL || kind->special != KUBE_STORED || (kind->namespaced && !of->namespaced))
        return OWNER_THERE;
    if (kube_serves(server, kind))
        return look_up(server, kind, namespace, reference);
    kube_collect_foreign(server);
    if (config->owner_is_gone != NULL &&
        config->owner_is_gone(config->ctx, kind, kind->namespaced ? namespace : "",
                              codec_json_text(reference, "name", ""),
                              codec_json_text(reference, "uid", "")))
        return OWNER_GONE;
    return OWNER_THERE;
}

/* ------------------------------------------------------------------ judging one object */

/* The object without those references that `uid` (or, when NULL, a look at the owner) condemns. */
int kube_owners_strip(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                      const char *uid, struct err *err)
{
    CLEANUP_JSON json_t *old = json_deep_copy(object);
    json_t *references = kube_references_of(object);

    for (size_t i = json_array_size(references); i-- > 0;) {
        const json_t *reference = json_array_get(references, i);
        bool condemned = uid != NULL ? strcmp(codec_json_text(reference, "uid", ""), uid) == 0
                                     : state_of(server, kind, old, reference) != OWNER_THERE;
        if (condemned)
            json_array_remove(references, i);
    }
    if (json_array_size(references) == 0)
        json_object_del(kube_meta(object), "ownerReferences");
    return kube_rewrite(server, kind, object, old, &kube_collector_principal, err);
}

/* 1 when it is still there. */
int kube_owners_judge(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                      struct err *err)
{
    const json_t *references = kube_references_of(object);
    size_t count[3] = {0};

    for (size_t i = 0; i < json_array_size(references); i++)
        count[state_of(server, kind, object, json_array_get(references, i))]++;
    if (count[OWNER_DRAINING] + count[OWNER_GONE] == 0)
        return 1;
    if (count[OWNER_THERE] == 0)
        return kube_drop(server, kind, object, &kube_collector_principal, err);
    return kube_owners_strip(server, kind, object, NULL, err);
}

bool kube_owner_blocked_by(const json_t *object, const char *uid)
{
    const json_t *references = kube_references_of(object);

    for (size_t i = 0; i < json_array_size(references); i++) {
        const json_t *reference = json_array_get(references, i);
        if (strcmp(codec_json_text(reference, "uid", ""), uid) == 0)
            return json_is_true(json_object_get(reference, "blockOwnerDeletion"));
    }
    return false;
}

bool kube_owner_named_by(const json_t *object, const char *uid)
{
    const json_t *references = kube_references_of(object);

    for (size_t i = 0; i < json_array_size(references); i++)
        if (strcmp(codec_json_text(json_array_get(references, i), "uid", ""), uid) == 0)
            return true;
    return false;
}
