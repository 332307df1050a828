/* SPDX-License-Identifier: Apache-2.0 */
/* delete and deletecollection. */
#include "kube/kube_internal.h"

/* What becomes of the objects that name this one as their owner. */
static const char *const policies[] = {"Background", "Orphan", "Foreground"};

struct options {
    const char *uid, *revision;
    const char
        *finalizer; /* who deals with the dependents first; NULL: they follow by themselves */
    bool dry_run;
};

static const struct kube_field precondition_fields[] = {
    {"uid", KUBE_STRING, "The uid that the object must have.", .wire = 1},
    {"resourceVersion", KUBE_STRING, "The revision that the object must have.", .wire = 2},
    {0},
};

static const struct kube_shape precondition_shape = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions",
    "What must hold before a write.",
    precondition_fields,
};

static const struct kube_field option_fields[] = {
    {"gracePeriodSeconds", KUBE_INT64, "Taken, without effect.", .wire = 1},
    {"preconditions", KUBE_OBJECT, "What must hold.", .shape = &precondition_shape, .wire = 2},
    {"orphanDependents", KUBE_BOOL, "The old way to say Orphan.", .wire = 3},
    {"propagationPolicy", KUBE_STRING,
     "What becomes of the objects that this one owns: Background (they are deleted after it), "
     "Foreground (before it) or Orphan (they stay).",
     .wire = 4},
    {"dryRun", KUBE_LIST, "All: check only.", .item = KUBE_STRING, .wire = 5},
    {0},
};

static const struct kube_shape options_shape = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "How to delete.",
    option_fields,
};

static int take_policy(struct kube_call *call, const char *policy, struct options *options)
{
    if (policy[0] == '\0' || strcmp(policy, policies[0]) == 0)
        return 0;
    if (strcmp(policy, policies[1]) == 0)
        options->finalizer = KUBE_FINALIZER_ORPHAN;
    else if (strcmp(policy, policies[2]) == 0)
        options->finalizer = KUBE_FINALIZER_FOREGROUND;
    else
        return kube_refuse_bad(call,
                               "propagationPolicy: Unsupported value: \"%.32s\": supported values: "
                               "\"Background\", \"Foreground\", \"Orphan\"",
                               policy);
    return 0;
}

/* DeleteOptions may come as the body, as query arguments, or not at all. */
static int read_options(struct kube_call *call, struct options *options)
{
    json_t *body;
    int dry_run = kube_query_dry_run(call);

    TRY(dry_run);
    *options = (struct options){.dry_run = dry_run == 1};
    TRY(take_policy(call, kube_query(call, "propagationPolicy"), options));
    TRY(kube_read_body(call, &options_shape, &body));
    if (body == NULL)
        return 0;
    if (!json_is_object(body))
        return kube_refuse_bad(call, "the body of a deletion must be DeleteOptions");
    if (json_is_true(json_object_get(body, "orphanDependents")))
        options->finalizer = KUBE_FINALIZER_ORPHAN;
    TRY(take_policy(call, codec_json_text(body, "propagationPolicy", ""), options));
    const json_t *preconditions = json_object_get(body, "preconditions");
    options->uid = codec_json_text(preconditions, "uid", NULL);
    options->revision = codec_json_text(preconditions, "resourceVersion", NULL);
    const json_t *list = json_object_get(body, "dryRun");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL || strcmp(text, "All") != 0)
            return kube_refuse_bad(call, "dryRun: Unsupported value: supported values: \"All\"");
        options->dry_run = true;
    }
    return 0;
}

static int check_preconditions(struct kube_call *call, const struct options *options,
                               const json_t *object)
{
    const json_t *meta = json_object_get(object, "metadata");
    const char *uid = codec_json_text(meta, "uid", "");
    const char *revision = codec_json_text(meta, "resourceVersion", "");
    char why[512];

    if (options->uid != NULL && strcmp(options->uid, uid) != 0) {
        snprintf(why, sizeof(why),
                 "Precondition failed: UID in precondition: %.64s, UID in object meta: %s",
                 options->uid, uid);
        return kube_refuse_conflict(call, kube_name_of(object), why);
    }
    if (options->revision != NULL && strcmp(options->revision, revision) != 0) {
        snprintf(why, sizeof(why),
                 "Precondition failed: ResourceVersion in precondition: %.32s, ResourceVersion in "
                 "object meta: %s",
                 options->revision, revision);
        return kube_refuse_conflict(call, kube_name_of(object), why);
    }
    return 0;
}

static void add_finalizer(json_t *object, const char *name)
{
    json_t *meta = kube_meta(object);
    json_t *list = json_object_get(meta, "finalizers");

    if (json_object_get(meta, "deletionTimestamp") != NULL)
        return;
    if (!json_is_array(list))
        json_object_set_new(meta, "finalizers", list = json_array());
    json_array_append_new(list, json_string(name));
}

/* 1 when the object is still there because somebody must finish first. */
static int delete_one(struct kube_call *call, const struct options *options, json_t *object)
{
    struct err err = ERR_INIT;

    TRY(check_preconditions(call, options, object));
    TRY(kube_admit(call, NULL, object, options->dry_run));
    if (options->finalizer != NULL)
        add_finalizer(object, options->finalizer);
    if (options->dry_run)
        return kube_is_held(call->kind, object);
    int stays = kube_drop(call->server, call->kind, object, call->request->principal, &err);
    if (stays < 0)
        return err.code == ERR_CONFLICT ? kube_refuse_conflict(call, kube_name_of(object), NULL)
                                        : kube_refuse_err(call, &err);
    return stays;
}

int kube_do_delete(struct kube_call *call)
{
    struct options options;
    json_t *object;

    TRY(read_options(call, &options));
    TRY(kube_load(call, &object, NULL));
    int stays = delete_one(call, &options, object);
    TRY(stays);
    if (stays == 1) {
        kube_respond(call, 200, object);
        return 0;
    }
    json_t *details = kube_details(call, kube_name_of(object));
    json_object_set(details, "uid", codec_json_at(object, "metadata", "uid", NULL));
    kube_put(call, 200, kube_keep(call, kube_status_new(200, NULL, "", details)));
    return 0;
}

static int collect(void *ctx, json_t *object, struct err *err UNUSED)
{
    json_array_append(ctx, object);
    return 0;
}

int kube_do_delete_collection(struct kube_call *call)
{
    json_t *items = kube_keep(call, json_array());
    struct kube_walk walk = {0};
    struct options options;
    struct err err = ERR_INIT;
    char name[128];
    size_t i;
    json_t *item;

    TRY(read_options(call, &options));
    TRY(kube_walk_select(call, &walk));
    if (kube_walk(call->server, &walk, collect, items, &err) < 0)
        return kube_refuse_err(call, &err);
    /* One that may not be deleted keeps the others. */
    struct options look = {.dry_run = true};
    json_array_foreach (items, i, item)
        TRY(delete_one(call, &look, item));
    json_array_foreach (items, i, item)
        TRY(delete_one(call, &options, item));
    snprintf(name, sizeof(name), "%sList", call->kind->kind);
    json_t *list =
        kube_keep(call, json_pack("{s:s, s:s, s:{}, s:O}", "kind", name, "apiVersion",
                                  kube_kind_api_version(call->kind), "metadata", "items", items));
    kube_set_revision(list,
                      call->server->config.storage->revision(call->server->config.storage->ctx));
    kube_respond(call, 200, list);
    return 0;
}
