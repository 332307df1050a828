/* SPDX-License-Identifier: Apache-2.0 */
/* GuardPolicies as what the policy snapshot says of each model. */
#include "api/api_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "guard/guard.h"

#include <stdlib.h>

/* The policies here are the default of all namespaces. */
#define DEFAULTS "drun-system"

struct guards {
    json_t *policies; /* namespace: the policies in it, by name */
};

static const char *name_of(const json_t *policy)
{
    return codec_json_text(json_object_get(policy, "metadata"), "name", "");
}

static int collect(void *ctx, const json_t *object, struct err *err UNUSED)
{
    json_t *policies = ctx;
    const char *namespace = codec_json_text(json_object_get(object, "metadata"), "namespace", "");
    json_t *list = json_object_get(policies, namespace);
    size_t at = 0;

    if (list == NULL) {
        list = json_array();
        json_object_set_new(policies, namespace, list);
    }
    while (at < json_array_size(list) &&
           strcmp(name_of(json_array_get(list, at)), name_of(object)) < 0)
        at++;
    json_array_insert_new(list, at, json_deep_copy(object));
    return 0;
}

int guards_read(struct kube_server *kube, struct guards **out, struct err *err)
{
    *out = mem_new(sizeof(**out));
    (*out)->policies = json_object();
    return kube_object_each(kube, &kube_guard_policy, NULL, collect, (*out)->policies, err);
}

void guards_free_ptr(struct guards **guards)
{
    if (*guards == NULL)
        return;
    json_decref((*guards)->policies);
    free(*guards);
}

/* ------------------------------------------------------------------ rules */

static int apply_rule(const json_t *rule, struct guard_policy *request, struct guard_policy *answer,
                      struct err *err)
{
    const char *detector = codec_json_text(rule, "detector", "");
    const char *action = codec_json_text(rule, "action", "");
    const char *direction = codec_json_text(rule, "direction", "both");

    if (strcmp(direction, "answer") != 0)
        TRY(guard_policy_set(request, detector, action, err));
    if (strcmp(direction, "request") != 0)
        TRY(guard_policy_set(answer, detector, action, err));
    return 0;
}

static int apply(const json_t *policy, struct guard_policy *request, struct guard_policy *answer,
                 struct err *err)
{
    const json_t *rules = codec_json_at(policy, "spec", "rules", NULL);
    const json_t *rule;
    size_t i;

    json_array_foreach (rules, i, rule)
        if (apply_rule(rule, request, answer, err) < 0)
            return err_wrap(err, "spec.rules[%zu]", i);
    return 0;
}

/* Admission saw them all; a detector that this version no longer has changes nothing. */
static void apply_all(const struct guards *guards, const char *namespace, const char *service,
                      struct guard_policy *request, struct guard_policy *answer)
{
    const json_t *list = json_object_get(guards->policies, namespace);
    const json_t *policy;
    size_t i;

    json_array_foreach (list, i, policy) {
        struct err err = ERR_INIT;
        const char *about = codec_json_text(json_object_get(policy, "spec"), "modelService", "");
        if (strcmp(about, service) == 0)
            (void)apply(policy, request, answer, &err);
    }
}

void guards_of(const struct guards *guards, const char *namespace, const char *service,
               struct policy_guard *out)
{
    struct guard_policy request;
    struct guard_policy answer;

    guard_policy_usual(&request);
    guard_policy_usual(&answer);
    apply_all(guards, DEFAULTS, "", &request, &answer);
    if (strcmp(namespace, DEFAULTS) != 0)
        apply_all(guards, namespace, "", &request, &answer);
    apply_all(guards, namespace, service, &request, &answer);
    memcpy(out->request, request.action, sizeof(out->request));
    memcpy(out->answer, answer.action, sizeof(out->answer));
}

/* ------------------------------------------------------------------ admission */

/* A policy that was let in is in force before the answer leaves; see policy.c. */
static json_t *status_in_force(void)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format_sec(clock_wall_sec(), now);
    return json_pack("{s:[{s:s, s:s, s:s, s:s, s:s}]}", "conditions", "type", "Ready", "status",
                     "True", "reason", "InForce", "message", "every gateway follows it",
                     "lastTransitionTime", now);
}

int guards_admit(struct kube_change *change, struct err *err)
{
    struct guard_policy request;
    struct guard_policy answer;

    guard_policy_usual(&request);
    guard_policy_usual(&answer);
    TRY(apply(change->object, &request, &answer, err));
    if (json_object_get(change->object, "status") == NULL)
        json_object_set_new(change->object, "status", status_in_force());
    return 0;
}
