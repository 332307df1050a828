/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that are questions, and tokens of service accounts. */
#include "base/mem.h"
#include "kube/kube_internal.h"

static const char *text(const json_t *object, const char *name)
{
    return codec_json_text(object, name, "");
}

static json_t *decide(struct kube_call *call, const struct kube_principal *principal,
                      const json_t *spec)
{
    const struct kube_config *config = &call->server->config;
    const json_t *on = json_object_get(spec, "resourceAttributes");
    const json_t *at = json_object_get(spec, "nonResourceAttributes");
    struct kube_attributes attributes = {
        .principal = principal,
        .verb = text(on != NULL ? on : at, "verb"),
        .group = text(on, "group"),
        .version = text(on, "version"),
        .resource = on != NULL ? text(on, "resource") : NULL,
        .subresource = text(on, "subresource"),
        .namespace = text(on, "namespace"),
        .name = text(on, "name"),
        .path = text(at, "path"),
    };
    char reason[256] = "";
    bool allowed = config->authorize(config->ctx, &attributes, reason);
    json_t *status = json_pack("{s:b}", "allowed", allowed);

    if (reason[0] != '\0')
        json_object_set_new(status, "reason", json_string(reason));
    return status;
}

static int check_spec(struct kube_call *call, const json_t *object, struct kube_causes *causes)
{
    const json_t *spec = json_object_get(object, "spec");
    bool resource = json_object_get(spec, "resourceAttributes") != NULL;
    bool path = json_object_get(spec, "nonResourceAttributes") != NULL;

    kube_schema_validate(call->kind->shape, object, NULL, causes);
    if (resource == path && call->kind->special != KUBE_RULES_SELF &&
        call->kind->special != KUBE_TOKEN_REVIEW)
        kube_cause(causes, "FieldValueInvalid", "spec.resourceAttributes",
                   "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must "
                   "be specified");
    if (call->kind->special == KUBE_ACCESS_SUBJECT && text(spec, "user")[0] == '\0' &&
        json_array_size(json_object_get(spec, "groups")) == 0)
        kube_cause(causes, "FieldValueInvalid", "spec.user",
                   "Invalid value: \"\": at least one of user or group must be specified");
    if (causes->list == NULL)
        return 0;
    kube_keep(call, causes->list);
    return kube_refuse_invalid(call, kube_name_of(object), causes);
}

static int review_self(struct kube_call *call, json_t *object)
{
    json_object_set_new(object, "status",
                        decide(call, call->request->principal, json_object_get(object, "spec")));
    return 0;
}

static int review_subject(struct kube_call *call, json_t *object)
{
    json_t *spec = json_object_get(object, "spec");
    const json_t *groups = json_object_get(spec, "groups");
    size_t count = json_array_size(groups);
    CLEANUP_FREE const char **names = mem_new_array(count + 1, sizeof(*names));
    json_t *resource = json_object_get(spec, "resourceAttributes");

    for (size_t i = 0; i < count; i++)
        names[i] = json_string_value(json_array_get(groups, i));
    if (call->kind->namespaced && strcmp(text(resource, "namespace"), call->route.namespace) != 0)
        return kube_refuse_bad(call,
                               "spec.resourceAttributes.namespace must match the namespace of the "
                               "request");
    struct kube_principal principal = {
        .name = text(spec, "user"), .uid = text(spec, "uid"), .groups = names};
    json_object_set_new(object, "status", decide(call, &principal, spec));
    return 0;
}

static int review_rules(struct kube_call *call, json_t *object)
{
    const struct kube_config *config = &call->server->config;
    const char *space = text(json_object_get(object, "spec"), "namespace");
    json_t *resources = kube_keep(call, json_array()), *paths = kube_keep(call, json_array());
    struct err err = ERR_INIT;

    if (space[0] == '\0')
        return kube_refuse_bad(call, "no namespace on request");
    if (config->rules != NULL &&
        config->rules(config->ctx, call->request->principal, space, resources, paths, &err) < 0)
        return kube_refuse_err(call, &err);
    json_object_set_new(object, "status",
                        json_pack("{s:O, s:O, s:b}", "resourceRules", resources, "nonResourceRules",
                                  paths, "incomplete", config->rules == NULL));
    return 0;
}

static int review_who(struct kube_call *call, json_t *object)
{
    const struct kube_principal *principal = call->request->principal;
    json_t *info = json_object(), *groups = json_array();

    if (principal->name != NULL)
        json_object_set_new(info, "username", json_string(principal->name));
    if (principal->uid != NULL && principal->uid[0] != '\0')
        json_object_set_new(info, "uid", json_string(principal->uid));
    for (size_t i = 0; principal->groups != NULL && principal->groups[i] != NULL; i++)
        json_array_append_new(groups, json_string(principal->groups[i]));
    json_object_set_new(info, "groups", groups);
    json_object_set_new(object, "status", json_pack("{s:o}", "userInfo", info));
    return 0;
}

static int review_token(struct kube_call *call, json_t *object)
{
    const struct kube_config *config = &call->server->config;
    json_t *spec = json_object_get(object, "spec");
    json_t *status = json_pack("{s:b}", "authenticated", 0);
    struct err err = ERR_INIT;

    if (config->review_token == NULL) {
        json_decref(status);
        return kube_refuse_missing_path(call);
    }
    json_object_set_new(object, "status", status);
    if (config->review_token(config->ctx, text(spec, "token"), json_object_get(spec, "audiences"),
                             status, &err) < 0)
        return kube_refuse_err(call, &err);
    json_object_del(spec, "token");
    return 0;
}

static int answer(struct kube_call *call, json_t *object)
{
    switch (call->kind->special) {
    case KUBE_ACCESS_SELF: return review_self(call, object);
    case KUBE_ACCESS_SUBJECT: return review_subject(call, object);
    case KUBE_RULES_SELF: return review_rules(call, object);
    case KUBE_WHO_AM_I: return review_who(call, object);
    case KUBE_TOKEN_REVIEW: return review_token(call, object);
    case KUBE_STORED:
    case KUBE_SUBRESOURCE_KIND: break;
    }
    return kube_refuse_missing_path(call);
}

int kube_do_review(struct kube_call *call)
{
    struct kube_causes causes = {0};
    json_t *object;

    TRY(kube_read_object(call, call->kind, &object));
    json_object_del(object, "status");
    if (call->kind->special != KUBE_WHO_AM_I)
        TRY(check_spec(call, object, &causes));
    TRY(answer(call, object));
    kube_put(call, 201, object);
    return 0;
}

int kube_do_token(struct kube_call *call)
{
    const struct kube_config *config = &call->server->config;
    const struct kube_kind *kind = call->other->body;
    struct kube_causes causes = {0};
    struct err err = ERR_INIT;
    json_t *account, *object;

    if (config->issue_token == NULL)
        return kube_refuse_missing_path(call);
    TRY(kube_load(call, &account, NULL));
    TRY(kube_read_object(call, kind, &object));
    kube_schema_defaults(kind->shape, object);
    kube_schema_validate(kind->shape, object, NULL, &causes);
    if (causes.list != NULL) {
        kube_keep(call, causes.list);
        return kube_refuse_invalid(call, call->route.name, &causes);
    }
    json_object_set_new(kube_meta(object), "name", json_string(call->route.name));
    json_object_set_new(kube_meta(object), "namespace", json_string(call->route.namespace));
    if (config->issue_token(config->ctx, call->request->principal, account, object, &err) < 0)
        return err.code == ERR_DENIED ? kube_refuse_forbidden(call, call->route.name, err.msg)
                                      : kube_refuse_err(call, &err);
    kube_put(call, 201, object);
    return 0;
}
