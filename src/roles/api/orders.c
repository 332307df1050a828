/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent is to do, the exporter with the services of outside engines, and waf with rules
 * and policies of the firewall. Each asks "what next?" with the place up to which it knows, and the
 * answer is the next object that changed since, at once or when there is one. It starts at 0 and so
 * gets everything; another epoch (api was restarted) makes it start anew. docs/PROTOCOL.agent.
 */
#include "wire/orders.h"

#include "api/api_internal.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "limit/lease_message.h"
#include "log/log.h"

#include <stdlib.h>
#include <sys/queue.h>

struct order {
    const struct kube_kind *kind;
    char *namespace;
    char *name;
    uint64_t place;
    bool gone; /* it was sent as deleted */
    TAILQ_ENTRY(order) entry;
};

struct orders {
    struct api *api;
    enum role_id follower;
    uint64_t epoch;
    uint64_t last_place;
    TAILQ_HEAD(, order) queue; /* by place; each object once */
    bool waiting;              /* the follower */
    struct ipc_ticket ticket;
    struct ipc_ticket *told; /* statuses that wait for their batch */
    size_t told_count;
    size_t told_room;
    uint64_t wants; /* the place behind which it wants to know */
};

static bool concerns(const struct orders *orders, const struct kube_kind *kind)
{
    if (orders->follower == ROLE_WAF)
        return kind == &kube_waf_rule_set || kind == &kube_waf_policy;
    return kind == &kube_model_service || (kind == &kube_model && orders->follower == ROLE_AGENT);
}

static bool is_outside(const json_t *object)
{
    return json_object_get(json_object_get(object, "spec"), "upstream") != NULL;
}

struct orders *orders_new(struct api *api, enum role_id follower)
{
    struct orders *orders = mem_new(sizeof(*orders));
    struct err err = ERR_INIT;

    orders->api = api;
    orders->follower = follower;
    TAILQ_INIT(&orders->queue);
    INVARIANT(crypto_random(&orders->epoch, sizeof(orders->epoch), &err) == 0);
    return orders;
}

static void free_order(struct orders *orders, struct order *order)
{
    TAILQ_REMOVE(&orders->queue, order, entry);
    free(order->namespace);
    free(order->name);
    free(order);
}

void orders_free(struct orders *orders)
{
    if (orders == NULL)
        return;
    while (!TAILQ_EMPTY(&orders->queue))
        free_order(orders, TAILQ_FIRST(&orders->queue));
    free(orders->told);
    free(orders);
}

void orders_touch(struct orders *orders, const struct kube_kind *kind, const char *namespace,
                  const char *name)
{
    struct order *order;

    if (!concerns(orders, kind))
        return;
    TAILQ_FOREACH (order, &orders->queue, entry) {
        if (order->kind != kind || strcmp(order->namespace, namespace) != 0 ||
            strcmp(order->name, name) != 0)
            continue;
        free_order(orders, order);
        break;
    }
    order = mem_new(sizeof(*order));
    *order = (struct order){.kind = kind,
                            .namespace = mem_strdup(namespace),
                            .name = mem_strdup(name),
                            .place = ++orders->last_place};
    TAILQ_INSERT_TAIL(&orders->queue, order, entry);
}

/* Models first, because services refer to them. */
static const struct kube_kind *const kinds[] = {&kube_model, &kube_model_service, &kube_waf_policy,
                                                &kube_waf_rule_set};

static const struct kube_kind *kind_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i]->kind, name) == 0)
            return kinds[i];
    return NULL;
}

static int touch_one(void *ctx, const json_t *object, struct err *err UNUSED)
{
    const json_t *metadata = json_object_get(object, "metadata");

    orders_touch(ctx, kind_by_name(codec_json_text(object, "kind", "")),
                 codec_json_text(metadata, "namespace", ""), codec_json_text(metadata, "name", ""));
    return 0;
}

int orders_load(struct orders *orders, struct err *err)
{
    struct kube_server *kube = serve_kube(orders->api->serve);

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (concerns(orders, kinds[i]))
            TRY(kube_object_each(kube, kinds[i], NULL, touch_one, orders, err));
    return 0;
}

/* {"epoch", "place", "kind", "namespace", "name", "object"}; object is null when it is gone, and
 * kind is "" when the agent knows everything. */
static int put_order(struct orders *orders, struct order *order, struct buf *out, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;
    CLEANUP_JSON json_t *message = NULL;
    struct kube_server *kube = serve_kube(orders->api->serve);

    if (kube_object_get(kube, order->kind, order->namespace, order->name, &object, err) < 0) {
        if (err->code != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        object = json_null();
    }
    /* To the exporter a service with an engine here is one that is not there. */
    if (orders->follower == ROLE_EXPORTER && !is_outside(object)) {
        json_decref(object);
        object = json_null();
    }
    order->gone = json_is_null(object);
    message = json_pack("{s:s, s:s, s:s, s:O}", "kind", order->kind->kind, "namespace",
                        order->namespace, "name", order->name, "object", object);
    buf_put_u64(out, orders->epoch);
    buf_put_u64(out, order->place);
    codec_json_put(message, out);
    return buf_check(out, "an order", err);
}

static struct order *next_after(const struct orders *orders, uint64_t place)
{
    struct order *order;

    TAILQ_FOREACH (order, &orders->queue, entry)
        if (order->place > place)
            return order;
    return NULL;
}

/* What the agent knows to be deleted need not be told again: an agent that starts anew is not told
 * of it either. */
static void forget_gone(struct orders *orders, uint64_t place)
{
    struct order *next;

    for (struct order *order = TAILQ_FIRST(&orders->queue); order != NULL && order->place <= place;
         order = next) {
        next = TAILQ_NEXT(order, entry);
        if (order->gone)
            free_order(orders, order);
    }
}

/* 1: the next order behind the place is in `out`; 0: there is none. One that cannot be told (it is
 * damaged, or larger than a message) is passed over, so that it keeps nothing else back. */
static int tell_next(struct orders *orders, uint64_t place, struct buf *out)
{
    buf_reset(out);
    buf_put_u64(out, orders->epoch);
    buf_put_u64(out, place);
    if (orders->follower == ROLE_AGENT && logs_put_order(orders->api->logs, out))
        return 1;
    for (struct order *order; (order = next_after(orders, place)) != NULL; place = order->place) {
        struct err err = ERR_INIT;
        buf_reset(out);
        if (put_order(orders, order, out, &err) == 0)
            return 1;
        err_wrap(&err, "%s is not told of %s %s/%s", role_name(orders->follower),
                 order->kind->singular, order->namespace, order->name);
        log_error("api.orders", &err);
    }
    buf_reset(out);
    return 0;
}

static struct orders *orders_of(struct api *api, unsigned follower)
{
    if (follower == ROLE_WAF)
        return api->waf_orders;
    return follower == ROLE_AGENT ? api->orders : api->outside_orders;
}

static int handle_next(void *ctx, struct ipc_request *request, struct buf *reply, struct err *err)
{
    struct api *api = ctx;
    struct orders *orders = orders_of(api, request->peer);
    struct cursor cursor = cursor_of(request->body);
    uint64_t epoch = cursor_u64(&cursor);
    uint64_t place = cursor_u64(&cursor);

    TRY(cursor_done(&cursor, "the question for the next order", err));
    orders->wants = epoch == orders->epoch ? place : 0;
    if (epoch == 0 && request->peer == ROLE_AGENT)
        logs_agent_is_new(api->logs);
    forget_gone(orders, orders->wants);
    /* What is not durable yet may still be taken back: the agent hears of it after the batch. */
    if (!store_needs_flush(api->store) && tell_next(orders, orders->wants, reply) == 1)
        return IPC_ANSWER;
    orders->waiting = true;
    orders->ticket = request->ticket;
    return IPC_LATER;
}

void orders_follow(struct orders *orders)
{
    CLEANUP(buf_free) struct buf reply = BUF_INIT(IPC_BODY_MAX);

    if (!orders->waiting || tell_next(orders, orders->wants, &reply) == 0)
        return;
    orders->waiting = false;
    ipc_reply(&orders->ticket, buf_span(&reply));
}

static void wait_for_batch(struct orders *orders, const struct ipc_ticket *ticket)
{
    if (orders->told_count == orders->told_room) {
        orders->told_room = orders->told_room == 0 ? 4 : 2 * orders->told_room;
        orders->told = mem_resize_array(orders->told, orders->told_room, sizeof(*orders->told));
    }
    orders->told[orders->told_count++] = *ticket;
}

void orders_settle(struct orders *orders, bool stored)
{
    struct err err = ERR_INIT;

    err_set(&err, ERR_UNAVAILABLE, "the status could not be stored; tell it again");
    for (size_t i = 0; i < orders->told_count; i++)
        if (stored)
            ipc_reply(&orders->told[i], span_of(NULL, 0));
        else
            ipc_reply_error(&orders->told[i], &err);
    orders->told_count = 0;
}

/* Each follower has a say over its own services alone. */
static int check_owner(struct api *api, unsigned peer, const struct kube_kind *kind,
                       const char *namespace, const char *name, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    if (kind == NULL || !concerns(orders_of(api, peer), kind))
        return err_set(err, ERR_DENIED, "%s has no say over this kind",
                       role_name((enum role_id)peer));
    if (kind != &kube_model_service)
        return 0;
    TRY(kube_object_get(serve_kube(api->serve), kind, namespace, name, &object, err));
    if (is_outside(object) == (peer == ROLE_EXPORTER))
        return 0;
    return err_set(err, ERR_NOT_FOUND, "%s/%s is not a service of %s", namespace, name,
                   role_name((enum role_id)peer));
}

/* A follower says how an object is; it hears that it was taken when that is durable. */
static int handle_status(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                         struct err *err)
{
    CLEANUP_JSON json_t *message = NULL;
    struct api *api = ctx;

    TRY(codec_json_parse(request->body, "a status", &message, err));
    const char *kind_name = codec_json_text(message, "kind", "");
    const char *namespace = codec_json_text(message, "namespace", "");
    const char *name = codec_json_text(message, "name", "");
    const struct kube_kind *kind = kind_by_name(kind_name);
    TRY(check_owner(api, request->peer, kind, namespace, name, err));
    TRY(kube_object_put_status(serve_kube(api->serve), kind, namespace, name,
                               json_object_get(message, "status"), err));
    policy_touch(api->policy, kind, namespace, name);
    if (kind == &kube_model_service)
        routes_refresh(api, namespace);
    if (!store_needs_flush(api->store))
        return IPC_ANSWER; /* nothing was changed */
    wait_for_batch(api->orders, &request->ticket);
    return IPC_LATER;
}

#define FOLLOWERS (IPC_FROM(ROLE_AGENT) | IPC_FROM(ROLE_EXPORTER) | IPC_FROM(ROLE_WAF))

static const struct ipc_message messages[] = {
    {API_NEXT, "next", FOLLOWERS, 16, 0, handle_next},
    {API_STATUS, "status", FOLLOWERS, IPC_BODY_MAX, 0, handle_status},
    {API_LOG, "log", IPC_FROM(ROLE_AGENT), IPC_BODY_MAX, 0, logs_handle_piece},
    {API_EMPTIED, "emptied", IPC_FROM(ROLE_IDP) | IPC_FROM(ROLE_SECRETS), 4096, 0,
     ends_handle_emptied},
    {API_BUDGETS, "budgets", ROLE_GATEWAYS, IPC_BODY_MAX, 0, budget_use_handle},
    {API_LEFT_OUT, "left_out", ROLE_GATEWAYS, API_LEFT_OUT_MAX, 0, routes_handle_left_out},
    {API_LEASES, "leases", ROLE_GATEWAYS, LIMIT_TOLD_LEN, 0, leases_handle_tell},
    {API_RECALLS, "recalls", ROLE_GATEWAYS, 0, IPC_EMPTY, leases_handle_recalls},
    {API_OWNER, "owner", IPC_FROM(ROLE_IDP) | IPC_FROM(ROLE_SECRETS), 4096, 0, ends_handle_owner},
    {0},
};

const struct ipc_table api_table = {.server = "api", .messages = messages};
