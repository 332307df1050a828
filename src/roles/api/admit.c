/* SPDX-License-Identifier: Apache-2.0 */
/* Admission: what a valid object must obey beyond its schema. */
#include "api/api_internal.h"

#include "base/mem.h"
#include "codec/json.h"

static size_t groups_of(const struct kube_principal *principal, struct span *out, size_t room)
{
    size_t count = 0;

    for (; principal->groups != NULL && principal->groups[count] != NULL && count < room; count++)
        out[count] = span_str(principal->groups[count]);
    return count;
}

/* Nobody gives away a right that he does not have. */
static int admit_rbac(struct api *api, struct kube_change *change, struct err *err)
{
    struct span groups[AUTH_GROUPS_MAX];
    struct rbac_user user = {
        .name = span_str(change->principal->name),
        .groups = groups,
        .group_count = groups_of(change->principal, groups, ARRAY_LEN(groups)),
    };

    if (change->old != NULL)
        TRY(rbac_model_may_touch(policy_rbac(api->policy), &user, change->old, err));
    if (change->object == NULL)
        return 0;
    TRY(rbac_object_check(change->object, err));
    TRY(rbac_model_may_write(policy_rbac(api->policy), &user, change->object, err));
    return aggregate_admit(api, change->object, err);
}

/* A model service runs a model here or passes calls on, not both and not neither. */
static int admit_service(const struct kube_change *change, struct err *err)
{
    const json_t *spec = json_object_get(change->object, "spec");
    bool here = json_object_get(spec, "engine") != NULL;
    bool elsewhere = json_object_get(spec, "upstream") != NULL;

    if (here == elsewhere)
        return err_set(err, ERR_INVALID,
                       "spec must have either engine (run the model here) or upstream (pass calls "
                       "on)");
    if (here && json_object_get(spec, "modelRef") == NULL)
        return err_set(err, ERR_INVALID, "spec.modelRef is needed with spec.engine");
    return 0;
}

static int admit_deletion(const struct kube_change *change, struct err *err)
{
    static const char *const kept[] = {"default", "drun-system", "drun-posture"};

    if (change->kind != &kube_namespace)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (strcmp(change->name, kept[i]) == 0)
            return err_set(err, ERR_DENIED, "the namespace %s cannot be deleted", kept[i]);
    return 0;
}

int api_admit(void *ctx, struct kube_change *change, struct kube_causes *causes UNUSED,
              struct err *err)
{
    if (rbac_is_kind(change->kind->kind))
        return admit_rbac(ctx, change, err);
    if (change->object == NULL)
        return admit_deletion(change, err);
    if (change->kind == &kube_model_service)
        return admit_service(change, err);
    if (change->kind == &kube_waf_rule_set || change->kind == &kube_waf_policy)
        return waf_admit(change, err);
    if (change->kind == &kube_guard_policy)
        return guards_admit(change, err);
    if (change->kind == &kube_limit_policy)
        budget_use_admit(ctx, change);
    if (change->kind == &kube_price_list)
        return prices_admit(serve_kube(((struct api *)ctx)->serve), change, err);
    return 0;
}
