/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may change whom. Somebody who has rights in the whole cluster, by name or by a group, is out
 * of reach of those who could not give themselves the same: an address that is changed is a way
 * into the account (linkByEmail), and an account that is ended sees nothing any more. Ending one,
 * and nothing else, is a right of its own, the verb `suspend` on users, which security officers
 * have.
 */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "codec/json.h"

int rank_check(struct idp *idp, const struct kube_principal *caller, const char *name,
               const json_t *groups, struct err *err)
{
    if (idp_may_impersonate(idp, caller, "users", "", name))
        return 0;
    if (members_may_become_user(idp, caller, name, err) < 0 ||
        members_may_add(idp, caller, NULL, groups, err) < 0)
        return err_wrap(err, "%s may not be changed by %s", name, caller->name);
    return 0;
}

static bool is_within(const json_t *some, const json_t *all)
{
    const json_t *one;
    const json_t *other;
    size_t i;
    size_t j;

    json_array_foreach (some, i, one) {
        bool found = false;
        json_array_foreach (all, j, other)
            found |= json_equal(one, other);
        if (!found)
            return false;
    }
    return true;
}

static bool is_earlier(const json_t *before, const json_t *after)
{
    struct err err = ERR_INIT;
    int64_t was = INT64_MAX;
    int64_t is;

    if (!json_is_string(after) || clock_parse(span_str(json_string_value(after)), &is, &err) < 0 ||
        (before != NULL && clock_parse(span_str(json_string_value(before)), &was, &err) < 0))
        return false;
    return is < was;
}

/* What a suspension may say. */
static bool only_ends(const json_t *before, const json_t *after)
{
    const char *member;
    const json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)after, member, value) {
        const json_t *was = json_object_get(before, member);
        if (json_equal(was, value) || (strcmp(member, "disabled") == 0 && json_is_true(value)) ||
            (strcmp(member, "groups") == 0 && is_within(value, was)) ||
            (strcmp(member, "expiresAt") == 0 && is_earlier(was, value)))
            continue;
        return false;
    }
    json_object_foreach ((json_t *)(uintptr_t)before, member, value)
        if (json_object_get(after, member) == NULL && strcmp(member, "groups") != 0)
            return false;
    return true;
}

int rank_admit(struct idp *idp, const struct kube_change *change, struct err *err)
{
    const json_t *before = json_object_get(change->old, "spec");
    const json_t *after = json_object_get(change->object, "spec");
    CLEANUP_JSON json_t *groups = json_copy(json_object_get(before, "groups"));

    if (change->object != NULL && json_equal(before, after))
        return 0;
    if (groups == NULL)
        groups = json_array();
    TRY(members_add_groups(idp->members, change->name, groups, err));
    if (rank_check(idp, change->principal, change->name, groups, err) == 0)
        return 0;
    if ((change->object == NULL || only_ends(before, after)) &&
        idp_may_suspend(idp, change->principal, change->name)) {
        err_clear(err);
        return 0;
    }
    return -1;
}
