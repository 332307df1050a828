/* SPDX-License-Identifier: Apache-2.0 */
/* create and update, and the part of a patch that is one. */
#include "base/clock.h"
#include "kube/kube_internal.h"

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, json_string(text));
}

/* A random uid (RFC 9562 section 5.4). */
int kube_put_uid(json_t *meta, struct err *err)
{
    uint8_t b[16];

    TRY(crypto_random(b, sizeof(b), err));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    json_object_set_new(meta, "uid",
                        json_sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x"
                                     "%02x%02x",
                                     b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
                                     b[10], b[11], b[12], b[13], b[14], b[15]));
    return 0;
}

static int put_generated_name(json_t *meta, struct err *err)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    const char *prefix = codec_json_text(meta, "generateName", "");
    uint8_t random[5];
    char suffix[6] = "";

    if (codec_json_text(meta, "name", "")[0] != '\0' || prefix[0] == '\0')
        return 0;
    TRY(crypto_random(random, sizeof(random), err));
    for (size_t i = 0; i < sizeof(random); i++)
        suffix[i] = letters[random[i] % (sizeof(letters) - 1)];
    /* As everywhere, a long prefix is cut to leave room in a label. */
    json_object_set_new(meta, "name", json_sprintf("%.58s%s", prefix, suffix));
    return 0;
}

static int check_namespace(struct kube_call *call, json_t *meta)
{
    const char *given = codec_json_text(meta, "namespace", "");
    const char *space = call->kind->namespaced ? call->route.namespace : "";

    if (!call->kind->namespaced && given[0] != '\0')
        return kube_refuse_bad(call, "namespace is not allowed on this type");
    if (given[0] != '\0' && strcmp(given, space) != 0)
        return kube_refuse_bad(call,
                               "the namespace of the provided object does not match the namespace "
                               "sent on the request");
    if (space[0] != '\0')
        set_text(meta, "namespace", space);
    else
        json_object_del(meta, "namespace");
    return 0;
}

static enum kube_namespace_state namespace_state(struct kube_call *call, const char *name)
{
    const struct kube_config *config = &call->server->config;
    const struct kube_key key = {"namespaces", "", name};
    struct kube_record record;
    struct err err = ERR_INIT;
    json_t *object = NULL;

    if (config->namespace_state != NULL)
        return config->namespace_state(config->ctx, name);
    if (!kube_serves(call->server, &kube_namespace))
        return KUBE_NAMESPACE_ACTIVE;
    if (config->storage->get(config->storage->ctx, &key, call->arena, &record, &err) < 0 ||
        kube_decode(&record, &object, &err) < 0)
        return KUBE_NAMESPACE_MISSING;
    bool going = codec_json_at(object, "metadata", "deletionTimestamp", NULL) != NULL;
    json_decref(object);
    return going ? KUBE_NAMESPACE_GOING : KUBE_NAMESPACE_ACTIVE;
}

static int require_namespace(struct kube_call *call, const char *name)
{
    const char *space = call->route.namespace;

    if (!call->kind->namespaced)
        return 0;
    switch (namespace_state(call, space)) {
    case KUBE_NAMESPACE_ACTIVE: return 0;
    case KUBE_NAMESPACE_MISSING:
        return kube_refuse(call, 404, "NotFound",
                           json_pack("{s:s, s:s}", "name", space, "kind", "namespaces"),
                           "namespaces \"%s\" not found", space);
    case KUBE_NAMESPACE_GOING: break;
    }
    char why[384];
    snprintf(why, sizeof(why),
             "unable to create new content in namespace %s because it is being terminated", space);
    return kube_refuse_forbidden(call, name, why);
}

static void start_history(const struct kube_kind *kind, json_t *object)
{
    static const char *const dropped[] = {"resourceVersion", "deletionTimestamp",
                                          "deletionGracePeriodSeconds", "generation"};
    json_t *meta = kube_meta(object);
    char now[CLOCK_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        json_object_del(meta, dropped[i]);
    clock_format_sec(clock_wall_sec(), now);
    set_text(meta, "creationTimestamp", now);
    if (kube_shape_field(kind->shape, "spec") != NULL)
        json_object_set_new(meta, "generation", json_integer(1));
    if (kind->has_status)
        json_object_del(object, "status");
}

static int prepare_new(struct kube_call *call, json_t *object)
{
    json_t *meta = kube_meta(object);
    struct err err = ERR_INIT;

    if (kube_revision_of(object) != 0)
        return kube_refuse_bad(call, "resourceVersion should not be set on objects to be created");
    TRY(check_namespace(call, meta));
    if (put_generated_name(meta, &err) < 0 || kube_put_uid(meta, &err) < 0)
        return kube_refuse_err(call, &err);
    start_history(call->kind, object);
    if (call->managed != NULL)
        json_object_set(meta, "managedFields", call->managed);
    return require_namespace(call, kube_name_of(object));
}

/* Stores the object under the revision it had and sets the new one; `expected` 0 creates it. */
static int store(struct kube_call *call, json_t *object, int64_t expected)
{
    const struct kube_storage *storage = call->server->config.storage;
    CLEANUP(buf_free_wiped) struct buf value = BUF_INIT(2 * KUBE_BODY_MAX);
    struct kube_key key = kube_key_of(call->kind, call->route.namespace, kube_name_of(object));
    struct kube_terms terms;
    struct err err = ERR_INIT;
    int64_t revision;

    kube_encode(object, &value);
    kube_terms_of(call->kind, object, &terms);
    if (buf_check(&value, "the object", &err) < 0)
        return kube_refuse_err(call, &err);
    if (storage->put(storage->ctx, &key, buf_span(&value), &terms, expected, &revision, &err) < 0) {
        switch (err.code) {
        case ERR_EXISTS: return kube_refuse_exists(call, key.name);
        case ERR_NOT_FOUND: return kube_refuse_not_found(call, key.name);
        case ERR_CONFLICT: return kube_refuse_conflict(call, key.name, NULL);
        default: return kube_refuse_err(call, &err);
        }
    }
    kube_set_revision(object, revision);
    return 0;
}

static int check_absent(struct kube_call *call, const char *name)
{
    const struct kube_storage *storage = call->server->config.storage;
    struct kube_key key = kube_key_of(call->kind, call->route.namespace, name);
    struct kube_record record;
    struct err err = ERR_INIT;

    if (name[0] != '\0' && storage->get(storage->ctx, &key, call->arena, &record, &err) == 0)
        return kube_refuse_exists(call, name);
    return 0;
}

int kube_create(struct kube_call *call, json_t *object)
{
    int dry_run = kube_query_dry_run(call);

    TRY(dry_run);
    TRY(prepare_new(call, object));
    TRY(check_absent(call, kube_name_of(object)));
    TRY(kube_admit(call, object, NULL, dry_run == 1));
    if (dry_run == 0) {
        TRY(store(call, object, 0));
        kube_changed(call, object, NULL);
    }
    kube_respond(call, 201, object);
    return 0;
}

int kube_do_create(struct kube_call *call)
{
    json_t *object;

    TRY(kube_read_object(call, call->kind, &object));
    return kube_create(call, object);
}

/* ------------------------------------------------------------------ replacing */

/* Only the server says what these are. */
static void keep_history(json_t *meta, const json_t *old_meta)
{
    static const char *const kept[] = {"name",
                                       "namespace",
                                       "uid",
                                       "creationTimestamp",
                                       "deletionTimestamp",
                                       "deletionGracePeriodSeconds",
                                       "generation",
                                       "generateName",
                                       "managedFields"};

    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        json_t *value = json_object_get(old_meta, kept[i]);
        if (value != NULL)
            json_object_set(meta, kept[i], value);
        else
            json_object_del(meta, kept[i]);
    }
}

static void keep_member(json_t *object, const json_t *old, const char *name)
{
    json_t *value = json_object_get(old, name);

    if (value != NULL)
        json_object_set(object, name, value);
    else
        json_object_del(object, name);
}

/* A write to the status leaves the rest alone, and the other way round. */
static void keep_other_part(const struct kube_call *call, json_t *object, const json_t *old)
{
    const char *name;
    json_t *value;

    if (!call->kind->has_status)
        return;
    if (!call->status_part) {
        keep_member(object, old, "status");
        return;
    }
    CLEANUP_JSON json_t *status = json_incref(json_object_get(object, "status"));
    json_object_clear(object);
    json_object_foreach ((json_t *)old, name, value)
        json_object_set_new(object, name, json_deep_copy(value));
    if (status != NULL)
        json_object_set(object, "status", status);
    else
        json_object_del(object, "status");
}

static bool same_desired_state(const json_t *a, const json_t *b)
{
    const char *name;
    json_t *value;
    size_t compared = 0, other = 0;

    json_object_foreach ((json_t *)a, name, value) {
        if (strcmp(name, "metadata") == 0 || strcmp(name, "status") == 0)
            continue;
        compared++;
        if (!json_equal(value, json_object_get(b, name)))
            return false;
    }
    json_object_foreach ((json_t *)b, name, value)
        other += strcmp(name, "metadata") != 0 && strcmp(name, "status") != 0;
    return compared == other;
}

void kube_count_generation(json_t *object, const json_t *old)
{
    json_t *meta = kube_meta(object);
    json_t *generation = json_object_get(meta, "generation");

    if (generation != NULL && !same_desired_state(object, old))
        json_object_set_new(meta, "generation", json_integer(json_integer_value(generation) + 1));
}

static int check_same(struct kube_call *call, const json_t *object, const json_t *old,
                      int64_t revision)
{
    const json_t *uid = codec_json_at(object, "metadata", "uid", NULL);
    const json_t *old_uid = codec_json_at(old, "metadata", "uid", NULL);
    int64_t given = kube_revision_of(object);
    const char *name = kube_name_of(object);

    if (name[0] != '\0' && strcmp(name, kube_name_of(old)) != 0)
        return kube_refuse_bad(call,
                               "the name of the object (%.253s) does not match the name on the URL "
                               "(%.253s)",
                               name, kube_name_of(old));
    if (uid != NULL && !json_equal(uid, old_uid))
        return kube_refuse_conflict(call, kube_name_of(old),
                                    "Precondition failed: the UID in the object is not the one "
                                    "that is stored");
    if (given < 0)
        return kube_refuse_bad(call, "metadata.resourceVersion must be a number");
    if (given > 0 && given != revision)
        return kube_refuse_conflict(call, kube_name_of(old), NULL);
    return 0;
}

static bool is_finished(const struct kube_kind *kind, const json_t *object)
{
    return codec_json_at(object, "metadata", "deletionTimestamp", NULL) != NULL &&
           !kube_is_held(kind, object);
}

static int remove_finished(struct kube_call *call, json_t *object, const json_t *old,
                           int64_t revision)
{
    const struct kube_storage *storage = call->server->config.storage;
    struct kube_key key = kube_key_of(call->kind, call->route.namespace, kube_name_of(old));
    struct err err = ERR_INIT;

    if (storage->remove(storage->ctx, &key, revision, &revision, &err) < 0)
        return err.code == ERR_CONFLICT ? kube_refuse_conflict(call, key.name, NULL)
                                        : kube_refuse_err(call, &err);
    kube_set_revision(object, revision);
    call->verb = "delete";
    kube_changed(call, NULL, old);
    return 0;
}

int kube_replace(struct kube_call *call, json_t *object, const json_t *old, int64_t revision)
{
    int dry_run = kube_query_dry_run(call);

    TRY(dry_run);
    TRY(check_namespace(call, kube_meta(object)));
    TRY(check_same(call, object, old, revision));
    keep_other_part(call, object, old);
    keep_history(kube_meta(object), json_object_get(old, "metadata"));
    if (call->managed != NULL)
        json_object_set(kube_meta(object), "managedFields", call->managed);
    kube_set_revision(object, revision);
    TRY(kube_admit(call, object, old, dry_run == 1));
    kube_count_generation(object, old);
    if (dry_run == 0 && !json_equal(object, old)) {
        if (is_finished(call->kind, object)) {
            TRY(remove_finished(call, object, old, revision));
        } else {
            TRY(store(call, object, revision));
            kube_changed(call, object, old);
        }
    }
    kube_respond(call, 200, object);
    return 0;
}

int kube_do_update(struct kube_call *call)
{
    json_t *object, *old;
    int64_t revision;

    bool scale = kube_is_scale(call);

    TRY(kube_read_object(call, scale ? call->other->body : call->kind, &object));
    TRY(kube_load(call, &old, &revision));
    return scale ? kube_put_scale(call, object, old, revision)
                 : kube_replace(call, object, old, revision);
}
