/* SPDX-License-Identifier: Apache-2.0 */
/* What every write goes through: defaults, the kind's own rules, the role's admission. */
#include "kube/kube_internal.h"

static void check_name(const struct kube_kind *kind, const json_t *object,
                       struct kube_causes *causes)
{
    const char *name = kube_name_of(object);
    const char *fault = kube_format_check(kind->name_format, name);

    if (name[0] == '\0')
        kube_cause(causes, "FieldValueRequired", "metadata.name",
                   "Required value: name or generateName is required");
    else if (fault != NULL)
        kube_cause(causes, "FieldValueInvalid", "metadata.name", "Invalid value: \"%.128s\": %s",
                   name, fault);
}

static void check_annotations(const json_t *object, struct kube_causes *causes)
{
    enum { TOTAL_MAX = 256 * 1024 };
    size_t total = 0;
    const char *name;
    json_t *value;

    json_object_foreach (codec_json_at(object, "metadata", "annotations", NULL), name, value)
        total += strlen(name) + json_string_length(value);
    if (total > TOTAL_MAX)
        kube_cause(causes, "FieldValueTooLong", "metadata.annotations",
                   "Too long: may not be more than %d bytes", TOTAL_MAX);
}

static struct kube_change change_of(struct kube_call *call, json_t *object, const json_t *old)
{
    return (struct kube_change){
        .kind = call->kind,
        .verb = call->verb,
        .subresource = call->route.subresource,
        .namespace = call->route.namespace,
        .name = kube_name_of(object != NULL ? object : old),
        .old = old,
        .object = object,
        .principal = call->request->principal,
    };
}

static int ask_role(struct kube_call *call, json_t *object, const json_t *old, bool dry_run,
                    struct kube_causes *causes)
{
    const struct kube_config *config = &call->server->config;
    struct kube_change change = change_of(call, object, old);
    struct err err = ERR_INIT;

    change.dry_run = dry_run;
    if (config->admit == NULL || config->admit(config->ctx, &change, causes, &err) == 0)
        return 0;
    if (err.code == ERR_DENIED)
        return kube_refuse_forbidden(call, change.name, err.msg);
    if (err.code == ERR_CONFLICT)
        return kube_refuse_conflict(call, change.name, err.msg);
    if (err.code != ERR_INVALID)
        return kube_refuse_err(call, &err);
    if (json_array_size(causes->list) == 0)
        kube_cause(causes, "FieldValueInvalid", "", "Invalid value: %s", err.msg);
    return 0;
}

static int finish(struct kube_call *call, const char *name, struct kube_causes *causes, int result)
{
    if (causes->list != NULL)
        kube_keep(call, causes->list);
    TRY(result);
    return causes->list != NULL ? kube_refuse_invalid(call, name, causes) : 0;
}

static int admit_deletion(struct kube_call *call, const json_t *old, bool dry_run)
{
    struct kube_causes causes = {0};
    int result = ask_role(call, NULL, old, dry_run, &causes);

    return finish(call, kube_name_of(old), &causes, result);
}

int kube_admit(struct kube_call *call, json_t *object, const json_t *old, bool dry_run)
{
    const struct kube_kind *kind = call->kind;
    struct kube_causes causes = {0};

    if (object == NULL)
        return admit_deletion(call, old, dry_run);
    kube_schema_defaults(kind->shape, object);
    if (kind->prepare != NULL)
        kind->prepare(object, old, call->request->principal);
    int result = ask_role(call, object, old, dry_run, &causes);
    if (result == 0) {
        check_name(kind, object, &causes);
        check_annotations(object, &causes);
        kube_schema_validate(kind->shape, object, old, &causes);
        if (kind->validate != NULL)
            kind->validate(object, old, &causes);
    }
    return finish(call, kube_name_of(object), &causes, result);
}

void kube_changed(struct kube_call *call, json_t *object, const json_t *old)
{
    struct kube_change change = change_of(call, object, old);

    kube_tell_changed(call->server, &change);
}

void kube_tell_changed(struct kube_server *server, const struct kube_change *change)
{
    kube_collect_note(server, change);
    if (server->config.changed != NULL)
        server->config.changed(server->config.ctx, change);
}
