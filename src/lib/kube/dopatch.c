/* SPDX-License-Identifier: Apache-2.0 */
/* The verb patch: which patch it is, and a replacement by its result. */
#include "kube/kube_internal.h"
#include "kube/patch.h"

static bool is_type(const char *content_type, const char *name)
{
    size_t len = strlen(name);

    return content_type != NULL && strncasecmp(content_type, name, len) == 0 &&
           (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

static const struct kube_kind *kind_of(const struct kube_call *call)
{
    return kube_is_scale(call) ? call->other->body : call->kind;
}

static int apply(struct kube_call *call, json_t **target, const json_t *patch, struct err *err)
{
    const char *type = call->request->content_type;

    if (is_type(type, "application/json-patch+json"))
        return kube_patch_json(target, patch, err);
    if (is_type(type, "application/merge-patch+json"))
        return kube_patch_merge(target, patch, err);
    return kube_patch_strategic(target, patch, kind_of(call)->shape, err);
}

static int refuse_patch(struct kube_call *call, const struct err *err)
{
    json_t *details = kube_details(call, call->route.name);

    if (err->code == ERR_TOO_LARGE) {
        json_decref(details);
        return kube_refuse(call, 413, "RequestEntityTooLarge", NULL, "%s", err->msg);
    }
    if (err->code == ERR_INVALID &&
        !is_type(call->request->content_type, "application/json-patch+json")) {
        json_decref(details);
        return kube_refuse_bad(call, "%s", err->msg);
    }
    json_object_set_new(
        details, "causes",
        json_pack("[{s:s, s:s}]", "reason", "UnexpectedServerResponse", "message", err->msg));
    return kube_refuse(call, 422, "Invalid", details,
                       "the server rejected our request due to an error in our request: %s",
                       err->msg);
}

static int patched(struct kube_call *call, const json_t *old, const json_t *patch, json_t **out)
{
    json_t *object = json_deep_copy(old);
    struct err err = ERR_INIT;
    int result = apply(call, &object, patch, &err);

    kube_keep(call, object);
    if (result < 0)
        return refuse_patch(call, &err);
    const json_t *meta = json_object_get(object, "metadata");
    if (!json_is_object(object) || !json_is_object(meta))
        return kube_refuse_bad(call, "the patch leaves no object");
    /* Renaming something is never meant. */
    if (strcmp(kube_name_of(object), kube_name_of(old)) != 0) {
        struct kube_causes causes = {0};
        kube_cause(&causes, "FieldValueInvalid", "metadata.name",
                   "Invalid value: \"%.128s\": field is immutable", kube_name_of(object));
        kube_keep(call, causes.list);
        return kube_refuse_invalid(call, kube_name_of(old), &causes);
    }
    *out = object;
    return 0;
}

static int check_kind(struct kube_call *call, const json_t *object)
{
    const struct kube_kind *kind = kind_of(call);

    if (strcmp(codec_json_text(object, "apiVersion", ""), kube_kind_api_version(kind)) == 0 &&
        strcmp(codec_json_text(object, "kind", ""), kind->kind) == 0)
        return 0;
    return kube_refuse_bad(call, "a patch cannot change apiVersion or kind");
}

int kube_do_patch(struct kube_call *call)
{
    const char *type = call->request->content_type;
    json_t *patch, *old, *object;
    int64_t revision;

    if (is_type(type, "application/apply-patch+yaml") && call->other == NULL)
        return kube_do_apply(call);
    if (!is_type(type, "application/json-patch+json") &&
        !is_type(type, "application/merge-patch+json") &&
        !is_type(type, "application/strategic-merge-patch+json"))
        return kube_refuse(call, 415, "UnsupportedMediaType", NULL,
                           "the body of the request was in an unknown format - accepted media "
                           "types include: application/json-patch+json, "
                           "application/merge-patch+json, application/strategic-merge-patch+json, "
                           "application/apply-patch+yaml");
    TRY(kube_read_body(call, NULL, &patch));
    if (patch == NULL)
        return kube_refuse_bad(call, "the request has no body");
    TRY(kube_load(call, &old, &revision));
    bool scale = kube_is_scale(call);
    const json_t *base = scale ? kube_keep(call, kube_scale_of(old)) : old;
    TRY(patched(call, base, patch, &object));
    TRY(check_kind(call, object));
    TRY(kube_check_fields(call, kind_of(call), object));
    return scale ? kube_put_scale(call, object, old, revision)
                 : kube_replace(call, object, old, revision);
}
