/* SPDX-License-Identifier: Apache-2.0 */
/* Who is in which Group, read once and again after a change; and who may put somebody into one. */
#include "idp/scim/scim_api.h"

#include "base/mem.h"
#include "codec/json.h"
#include "log/log.h"
#include "rbac/rbac.h"

#include <stdlib.h>

struct member {
    char *user;
    char *group;
};

struct members {
    struct idp *idp;
    struct member *items; /* by user */
    size_t count, room;
    bool current;
};

struct members *members_new(struct idp *idp)
{
    struct members *members = mem_new(sizeof(*members));

    members->idp = idp;
    return members;
}

static void forget(struct members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        free(members->items[i].user);
        free(members->items[i].group);
    }
    members->count = 0;
}

void members_free(struct members *members)
{
    if (members == NULL)
        return;
    forget(members);
    free(members->items);
    free(members);
}

void members_touch(struct members *members)
{
    members->current = false;
}

static int load_group(void *ctx, const json_t *object, struct err *err UNUSED)
{
    struct members *members = ctx;
    const char *group = codec_json_text(json_object_get(object, "metadata"), "name", "");
    const json_t *user;
    size_t i;

    json_array_foreach (codec_json_at(object, "spec", "members", NULL), i, user) {
        if (members->count == members->room) {
            members->room = members->room == 0 ? 64 : 2 * members->room;
            members->items =
                mem_resize_array(members->items, members->room, sizeof(*members->items));
        }
        members->items[members->count++] = (struct member){
            .user = mem_strdup(json_string_value(user)), .group = mem_strdup(group)};
    }
    return 0;
}

static int by_user(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->user, ((const struct member *)b)->user);
}

static int load(struct members *members, struct err *err)
{
    if (members->current)
        return 0;
    forget(members);
    TRY(kube_object_each(serve_kube(members->idp->serve), &kube_group, NULL, load_group, members,
                         err));
    if (members->count > 0)
        qsort(members->items, members->count, sizeof(*members->items), by_user);
    /* What is not durable may yet be undone. */
    members->current = !store_needs_flush(members->idp->store);
    return 0;
}

static bool has_text(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
            return true;
    return false;
}

int members_add_groups(struct members *members, const char *user, json_t *groups, struct err *err)
{
    size_t low = 0;

    TRY(load(members, err));
    for (size_t high = members->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(members->items[middle].user, user) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < members->count && strcmp(members->items[low].user, user) == 0; low++)
        if (!has_text(groups, members->items[low].group))
            json_array_append_new(groups, json_string(members->items[low].group));
    return 0;
}

/* ------------------------------------------------------------------ who may */

bool idp_in_group(const struct kube_principal *caller, const char *group)
{
    for (size_t i = 0; caller->groups != NULL && caller->groups[i] != NULL; i++)
        if (strcmp(caller->groups[i], group) == 0)
            return true;
    return false;
}

static bool decide(struct idp *idp, const struct kube_principal *caller,
                   const struct rbac_request *ask)
{
    const struct snapshot *policy = serve_policy(idp->serve);
    struct span groups[AUTH_GROUPS_MAX];
    struct rbac_request request = *ask;

    request.user = (struct rbac_user){.name = span_str(caller->name), .groups = groups};
    for (size_t i = 0; caller->groups != NULL && caller->groups[i] != NULL; i++)
        if (request.user.group_count < AUTH_GROUPS_MAX)
            groups[request.user.group_count++] = span_str(caller->groups[i]);
    return policy != NULL && rbac_decide(policy, &request, NULL);
}

bool idp_may_impersonate(struct idp *idp, const struct kube_principal *caller, const char *resource,
                         const char *namespace, const char *name)
{
    struct rbac_request request = {
        .verb = span_str("impersonate"),
        .resource = span_str(resource),
        .namespace = span_str(namespace),
        .name = span_str(name),
    };

    return decide(idp, caller, &request);
}

bool idp_may_suspend(struct idp *idp, const struct kube_principal *caller, const char *name)
{
    struct rbac_request request = {
        .verb = span_str("suspend"),
        .api_group = span_str("drun.io"),
        .resource = span_str("users"),
        .name = span_str(name),
    };

    return decide(idp, caller, &request);
}

bool idp_may_self(struct idp *idp, const struct kube_principal *caller, const char *verb,
                  const char *group, const char *resource, const char *namespace)
{
    struct rbac_request request = {
        .verb = span_str(verb),
        .api_group = span_str(group),
        .resource = span_str(resource),
        .subresource = span_str("self"),
        .namespace = span_str(namespace),
    };

    return decide(idp, caller, &request);
}

void idp_caller_of(const struct auth_principal *principal, struct idp_caller *out)
{
    for (size_t i = 0; i < principal->group_count; i++)
        out->groups[i] = (const char *)auth_text(principal, principal->groups[i]).p;
    out->groups[principal->group_count] = NULL;
    out->who =
        (struct kube_principal){.name = (const char *)auth_text(principal, principal->name).p,
                                .uid = (const char *)auth_text(principal, principal->uid).p,
                                .groups = out->groups};
}

/* Does being the user, or in the groups, alone give rights in the whole cluster? In a namespace of
 * his own who manages it says that; this is what nobody may help himself to. */
static bool has_cluster_rights(struct idp *idp, const struct rbac_user *user)
{
    const struct snapshot *policy = serve_policy(idp->serve);

    if (policy == NULL)
        return true;
    CLEANUP_JSON json_t *rules = rbac_rules_review(policy, user, span_str(""));
    return json_array_size(json_object_get(rules, "resourceRules")) > 0 ||
           json_array_size(json_object_get(rules, "nonResourceRules")) > 0;
}

static bool is_above_all(struct idp *idp, const char *group)
{
    struct span name = span_str(group);
    struct rbac_user user = {.name = span_str(""), .groups = &name, .group_count = 1};

    return strncmp(group, "drun:", 5) == 0 || has_cluster_rights(idp, &user);
}

int members_may_become_user(struct idp *idp, const struct kube_principal *caller, const char *name,
                            struct err *err)
{
    struct rbac_user user = {.name = span_str(name)};

    if (strcmp(caller->name, name) == 0 || !has_cluster_rights(idp, &user) ||
        idp_may_impersonate(idp, caller, "users", "", name))
        return 0;
    return err_set(err, ERR_DENIED,
                   "the name %s has rights in the whole cluster, and %s has no right to "
                   "impersonate it",
                   name, caller->name);
}

int members_may_become_account(struct idp *idp, const struct kube_principal *caller,
                               const char *namespace, const char *name, struct err *err)
{
    CLEANUP_FREE char *subject = mem_printf("system:serviceaccount:%s:%s", namespace, name);
    CLEANUP_FREE char *all = mem_printf("system:serviceaccounts:%s", namespace);
    struct span groups[] = {span_str("system:serviceaccounts"), span_str(all)};
    struct rbac_user user = {
        .name = span_str(subject), .groups = groups, .group_count = ARRAY_LEN(groups)};

    if (!has_cluster_rights(idp, &user) ||
        idp_may_impersonate(idp, caller, "serviceaccounts", namespace, name))
        return 0;
    return err_set(err, ERR_DENIED,
                   "the service account %s/%s has rights in the whole cluster, and %s has no right "
                   "to impersonate it",
                   namespace, name, caller->name);
}

int members_may_add(struct idp *idp, const struct kube_principal *caller, const json_t *before,
                    const json_t *after, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach (after, i, item) {
        const char *group = json_string_value(item);
        if (group == NULL || has_text(before, group))
            continue;
        if (strncmp(group, "system:", 7) == 0)
            return err_set(err, ERR_DENIED, "nobody can be put into the group %s", group);
        if (!idp_in_group(caller, group) && is_above_all(idp, group) &&
            !idp_may_impersonate(idp, caller, "groups", "", group))
            return err_set(err, ERR_DENIED,
                           "%s is not in the group %s and has no right to impersonate it, so may "
                           "not say who is in it",
                           caller->name, group);
    }
    return 0;
}

int group_admit(struct idp *idp, struct kube_change *change, struct err *err)
{
    const json_t *before = codec_json_at(change->old, "spec", "members", NULL);
    const json_t *after = codec_json_at(change->object, "spec", "members", NULL);

    if (json_equal(before, after) || (change->object == NULL && json_array_size(before) == 0))
        return 0;
    CLEANUP_JSON json_t *group = json_pack("[s]", change->name);
    return members_may_add(idp, change->principal, NULL, group, err);
}

static int void_who_left(struct idp *idp, const struct kube_change *change, struct err *err)
{
    const json_t *after = codec_json_at(change->object, "spec", "members", NULL);
    const json_t *user;
    size_t i;

    json_array_foreach (codec_json_at(change->old, "spec", "members", NULL), i, user)
        if (!has_text(after, json_string_value(user)))
            TRY(publish_void_user(idp->publish, json_string_value(user), err));
    return 0;
}

void group_changed(struct idp *idp, const struct kube_change *change)
{
    struct err err = ERR_INIT;

    members_touch(idp->members);
    if (scim_index(idp, &kube_group, change->old, change->object, &err) < 0 ||
        void_who_left(idp, change, &err) < 0)
        log_error("idp.group", &err);
    publish_touch(idp->publish, &kube_group, "", change->name);
}
