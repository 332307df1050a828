/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateways say is used of budgets, as the status of LimitPolicies: of several their sum.
 * It is written when it changes, and is not part of the policy snapshot. */
#include "api/api_internal.h"

#include "base/clock.h"
#include "base/num.h"
#include "codec/json.h"
#include "wire/orders.h"

struct telling {
    const struct api *api;
    json_t *todo; /* [policy, status] of those whose status is another now */
};

static bool same(const json_t *a, const char *name_a, const json_t *b, const char *name_b,
                 const char *otherwise)
{
    return strcmp(codec_json_text(a, name_a, otherwise), codec_json_text(b, name_b, otherwise)) ==
           0;
}

/* A gateway's word on a rule, NULL when nothing is used of it there. */
static const json_t *find(const json_t *told, const json_t *policy, const json_t *rule)
{
    const json_t *metadata = json_object_get(policy, "metadata");
    const char *name;
    json_t *entry;

    json_object_foreach ((json_t *)(uintptr_t)told, name, entry)
        if (same(entry, "namespace", metadata, "namespace", "") &&
            same(entry, "policy", metadata, "name", "") && same(entry, "rule", rule, "name", "") &&
            same(entry, "measure", rule, "measure", "") &&
            same(entry, "window", rule, "window", "") &&
            same(entry, "per", rule, "per", "namespace"))
            return entry;
    return NULL;
}

static json_int_t number(const json_t *entry, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(entry, name));

    return value < 0 ? 0 : value;
}

/* ------------------------------------------------------------------ several gateways */

static json_int_t total(const json_t *entry)
{
    return number(entry, "used") + number(entry, "elsewhere");
}

static void set(json_t *entry, const char *name, json_int_t value)
{
    json_object_set_new(entry, name, json_integer(value));
}

/* Of the owner who has used most, wherever: what both gateways say of him, or what one says of the
 * other. Both know the owners that they have in common. A window that is over says nothing. */
static json_t *add_up(const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL || number(a, "ends") != number(b, "ends")) {
        bool is_b = a == NULL || number(b, "ends") > number(a, "ends");
        return json_copy((json_t *)(uintptr_t)(is_b ? b : a));
    }
    bool same_owner = same(a, "owner", b, "owner", "");
    const json_t *more = total(a) >= total(b) ? a : b;
    json_int_t common = NUM_MAX(number(a, "common"), number(b, "common"));
    json_t *sum = json_copy((json_t *)(uintptr_t)more);

    set(sum, "used", same_owner ? number(a, "used") + number(b, "used") : total(more));
    set(sum, "elsewhere", 0);
    if (same_owner)
        set(sum, "reserved", number(a, "reserved") + number(b, "reserved"));
    set(sum, "owners", number(a, "owners") + number(b, "owners") - common);
    set(sum, "common", 0);
    return sum;
}

/* What is used of a rule, for the caller to release; NULL: nothing. */
static json_t *look_up(const struct api *api, const json_t *policy, const json_t *rule)
{
    json_t *sum = NULL;

    for (size_t i = 0; i < ROLE_GATEWAYS_MAX; i++) {
        const json_t *entry = find(api->budget_use[i], policy, rule);
        if (entry == NULL)
            continue;
        json_t *added = add_up(sum, entry);
        json_decref(sum);
        sum = added;
    }
    return sum;
}

/* ------------------------------------------------------------------ the status */

static json_t *use_of(const json_t *rule, const json_t *entry)
{
    json_t *use = json_pack("{s:s, s:I, s:I, s:I}", "name", codec_json_text(rule, "name", ""),
                            "used", total(entry), "reserved", number(entry, "reserved"), "limit",
                            number(rule, "limit"));
    const char *owner = codec_json_text(entry, "owner", "");
    char ends[CLOCK_TEXT_SIZE];

    if (entry == NULL)
        return use;
    clock_format_sec(number(entry, "ends"), ends);
    json_object_set_new(use, "resetsAt", json_string(ends));
    if (owner[0] == '\0')
        return use;
    json_object_set_new(use, "owner", json_string(owner));
    json_object_set_new(use, "owners", json_integer(number(entry, "owners")));
    return use;
}

static json_t *status_of(const struct api *api, const json_t *policy)
{
    json_t *budgets = json_array();
    const json_t *rule;
    size_t i;

    /* What is used of a rate is over before anybody reads it. */
    json_array_foreach (codec_json_at(policy, "spec", "rules", NULL), i, rule)
        if (json_object_get(rule, "algorithm") == NULL) {
            CLEANUP_JSON json_t *entry = look_up(api, policy, rule);
            json_array_append_new(budgets, use_of(rule, entry));
        }
    return json_pack("{s:o}", "budgets", budgets);
}

void budget_use_admit(const struct api *api, struct kube_change *change)
{
    json_object_set_new(change->object, "status", status_of(api, change->object));
}

static int add_policy(void *ctx, const json_t *policy, struct err *err UNUSED)
{
    struct telling *telling = ctx;
    CLEANUP_JSON json_t *status = status_of(telling->api, policy);

    if (!json_equal(status, json_object_get(policy, "status")))
        json_array_append_new(telling->todo,
                              json_pack("[O, O]", json_object_get(policy, "metadata"), status));
    return 0;
}

/* A namespace made anew under an old name has used nothing. */
static void drop_others(struct kube_server *kube, json_t *told)
{
    const char *name;
    json_t *entry;
    void *next;

    json_object_foreach_safe(told, next, name, entry)
    {
        CLEANUP_JSON json_t *ns = NULL;
        struct err err = ERR_INIT;
        if (kube_object_get(kube, &kube_namespace, NULL, codec_json_text(entry, "namespace", ""),
                            &ns, &err) < 0 ||
            !same(json_object_get(ns, "metadata"), "uid", entry, "uid", ""))
            json_object_del(told, name);
    }
}

int budget_use_handle(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                      struct err *err)
{
    struct api *api = ctx;
    CLEANUP_JSON json_t *told = NULL;
    CLEANUP_JSON json_t *todo = json_array();
    struct kube_server *kube = serve_kube(api->serve);
    struct telling telling = {.api = api, .todo = todo};
    json_t **own = &api->budget_use[role_gateway_number(request->peer)];
    const json_t *item;
    size_t i;

    TRY(codec_json_parse(request->body, "the use of budgets", &told, err));
    drop_others(kube, told);
    json_decref(*own);
    *own = json_incref(told);
    TRY(kube_object_each(kube, &kube_limit_policy, NULL, add_policy, &telling, err));
    json_array_foreach (todo, i, item) {
        const json_t *metadata = json_array_get(item, 0);
        TRY(kube_object_put_status(
            kube, &kube_limit_policy, codec_json_text(metadata, "namespace", ""),
            codec_json_text(metadata, "name", ""), json_array_get(item, 1), err));
    }
    return IPC_ANSWER;
}
