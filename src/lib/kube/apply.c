/* SPDX-License-Identifier: Apache-2.0 */
/* Server-side apply: what a manager applies it owns, and what it no longer applies goes. */
#include "base/clock.h"
#include "kube/kube_internal.h"
#include "kube/managed.h"
#include "kube/patch.h"

struct applying {
    struct kube_call *call;
    const char *manager;
    bool force;
    json_t *config;  /* what is applied */
    json_t *mine;    /* its fields */
    json_t *before;  /* the fields that this manager applied last; NULL: none */
    json_t *others;  /* array: the field trees of the other managers */
    json_t *entries; /* array: their entries, to be stored again */
    json_t *causes;
    const char *rival; /* whose tree is being compared */
};

/* Names that the merge below would take as orders. */
static bool has_directive(const json_t *value)
{
    static const char *const prefixes[] = {"$patch", "$retainKeys", "$setElementOrder/",
                                           "$deleteFromPrimitiveList/"};
    const char *name;
    json_t *item;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach (value, i, item) {
            if (has_directive(item))
                return true;
        }
    }
    if (!json_is_object(value))
        return false;
    json_object_foreach ((json_t *)value, name, item) {
        for (i = 0; i < ARRAY_LEN(prefixes); i++)
            if (span_has_prefix(span_str(name), prefixes[i]))
                return true;
        if (has_directive(item))
            return true;
    }
    return false;
}

static int read_config(struct applying *applying)
{
    struct kube_call *call = applying->call;
    const char *name = call->route.name;

    applying->manager = kube_query(call, "fieldManager");
    applying->force = kube_query_true(call, "force");
    if (applying->manager[0] == '\0' || strlen(applying->manager) > 128)
        return kube_refuse_bad(call, "fieldManager is required for apply patch");
    TRY(kube_read_object(call, call->kind, &applying->config));
    if (has_directive(applying->config))
        return kube_refuse_bad(call, "an applied object cannot have patch directives");
    const char *given = kube_name_of(applying->config);
    if (given[0] != '\0' && strcmp(given, name) != 0)
        return kube_refuse_bad(call,
                               "the name of the object (%.253s) does not match the name on the URL "
                               "(%.253s)",
                               given, name);
    json_object_set_new(kube_meta(applying->config), "name", json_string(name));
    applying->mine = kube_keep(call, kube_fields_of(call->kind->shape, applying->config));
    applying->others = kube_keep(call, json_array());
    applying->entries = kube_keep(call, json_array());
    applying->causes = kube_keep(call, json_array());
    return 0;
}

static bool is_mine(const struct applying *applying, const json_t *entry)
{
    return strcmp(codec_json_text(entry, "manager", ""), applying->manager) == 0 &&
           strcmp(codec_json_text(entry, "subresource", ""), applying->call->route.subresource) ==
               0;
}

static json_t *own_entry(struct applying *applying, const json_t *last)
{
    char now[CLOCK_TEXT_SIZE];

    if (last != NULL && json_equal(json_object_get(last, "fieldsV1"), applying->mine))
        return json_incref((json_t *)last);
    clock_format_sec(clock_wall_sec(), now);
    json_t *entry =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:O}", "manager", applying->manager, "operation",
                  "Apply", "apiVersion", kube_kind_api_version(applying->call->kind), "time", now,
                  "fieldsType", "FieldsV1", "fieldsV1", applying->mine);
    if (applying->call->route.subresource[0] != '\0')
        json_object_set_new(entry, "subresource", json_string(applying->call->route.subresource));
    return entry;
}

static void on_conflict(void *ctx, const char *path)
{
    struct applying *applying = ctx;

    json_array_append_new(applying->causes,
                          json_pack("{s:s, s:o, s:o}", "reason", "FieldManagerConflict", "message",
                                    json_sprintf("conflict with \"%s\"", applying->rival), "field",
                                    json_sprintf(".%s", path)));
}

/* Splits the entries of the stored object into mine and others' and finds conflicts. */
static void meet_others(struct applying *applying, const json_t *live)
{
    const json_t *last = NULL;
    size_t i;
    json_t *entry;

    json_array_foreach (codec_json_at(live, "metadata", "managedFields", NULL), i, entry) {
        if (is_mine(applying, entry)) {
            last = entry;
            applying->before = json_object_get(entry, "fieldsV1");
            continue;
        }
        json_t *copy = json_deep_copy(entry), *theirs = json_object_get(copy, "fieldsV1");
        size_t conflicts = json_array_size(applying->causes);
        applying->rival = codec_json_text(entry, "manager", "");
        kube_fields_conflicts(applying->mine, theirs, live, applying->config, on_conflict,
                              applying);
        if (applying->force && json_array_size(applying->causes) > conflicts)
            kube_fields_subtract(theirs, applying->mine);
        json_array_append(applying->others, theirs);
        json_array_append_new(applying->entries, copy);
    }
    json_array_append_new(applying->entries, own_entry(applying, last));
}

static int refuse_conflicts(struct applying *applying)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(64 * 1024);
    json_t *details = kube_details(applying->call, applying->call->route.name);
    size_t i, count = json_array_size(applying->causes);
    json_t *cause;

    json_array_foreach (applying->causes, i, cause)
        buf_printf(&text, "%s%s: %s", i > 0 ? "; " : "", codec_json_text(cause, "message", ""),
                   codec_json_text(cause, "field", ""));
    json_object_set(details, "causes", applying->causes);
    return kube_refuse(applying->call, 409, "Conflict", details,
                       "Apply failed with %zu conflict%s: %s", count, count == 1 ? "" : "s",
                       buf_text(&text));
}

static int create(struct applying *applying)
{
    struct kube_call *call = applying->call;
    char reason[256];

    if (call->status_part)
        return kube_refuse_not_found(call, call->route.name);
    if (!kube_authorized(call, "create", "", reason))
        return kube_refuse_forbidden(call, call->route.name,
                                     "applying a new object needs the right to create it");
    json_array_append_new(applying->entries, own_entry(applying, NULL));
    call->managed = applying->entries;
    return kube_create(call, applying->config);
}

static bool exists(struct kube_call *call)
{
    const struct kube_storage *storage = call->server->config.storage;
    struct kube_key key = kube_key_of(call->kind, call->route.namespace, call->route.name);
    struct kube_record record;
    struct err err = ERR_INIT;

    return storage->get(storage->ctx, &key, call->arena, &record, &err) == 0 ||
           err.code != ERR_NOT_FOUND;
}

int kube_do_apply(struct kube_call *call)
{
    struct applying applying = {.call = call};
    struct err err = ERR_INIT;
    int64_t revision;
    json_t *old;

    TRY(read_config(&applying));
    if (!exists(call))
        return create(&applying);
    TRY(kube_load(call, &old, &revision));
    meet_others(&applying, old);
    if (json_array_size(applying.causes) > 0 && !applying.force)
        return refuse_conflicts(&applying);
    json_t *object = json_deep_copy(old);
    int result = kube_patch_strategic(&object, applying.config, call->kind->shape, &err);
    kube_keep(call, object);
    if (result < 0)
        return kube_refuse_err(call, &err);
    if (applying.before != NULL)
        kube_fields_remove(object, applying.before, applying.mine, applying.others);
    call->managed = applying.entries;
    return kube_replace(call, object, old, revision);
}
