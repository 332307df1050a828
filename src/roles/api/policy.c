/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy snapshot follows the objects. What changed is noted by name, read again when the batch
 * is durable, and published before the answers of that batch leave; a large policy that takes long
 * to compile is published a moment later instead, within 100 ms.
 */
#include "api/api_internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "log/log.h"

#include <fcntl.h>
#include <stdlib.h>

enum { LINE_LENGTH = 100, LINE_TIMEOUT_SEC = 30 };
enum { LATER_MS = 40, RETRY_MS = 1000, QUICK_NS = 5 * 1000 * 1000 };

struct touched {
    const struct kube_kind *kind;
    char *namespace;
    char *name;
};

struct policy {
    struct api *api;
    struct rbac_model *rbac;
    struct snapshot_publisher *publisher;
    struct loop_source *later;
    struct touched *touched;
    size_t count;
    size_t room;
    uint64_t last_ns; /* of work, for the last publication */
    bool waiting;     /* for the timer */
};

static const struct kube_kind *const rbac_kinds[] = {
    &kube_role, &kube_cluster_role, &kube_role_binding, &kube_cluster_role_binding};

struct rbac_model *policy_rbac(struct policy *policy)
{
    return policy->rbac;
}

static bool is_rbac(const struct kube_kind *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(rbac_kinds); i++)
        if (kind == rbac_kinds[i])
            return true;
    return false;
}

/* ------------------------------------------------------------------ compiling */

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));

    return value > 0 ? (uint64_t)value : 0;
}

static struct policy_limits limits_of(const json_t *limits)
{
    return (struct policy_limits){
        .requests_per_min = (uint32_t)number(limits, "requestsPerMinute"),
        .tokens_per_min = number(limits, "tokensPerMinute"),
        .concurrent = (uint32_t)number(limits, "concurrentRequests"),
    };
}

/* A namespace's own limits are annotations: the kind is Kubernetes', not ours. */
static uint64_t annotated(const json_t *object, const char *name)
{
    const char *text =
        json_string_value(codec_json_at(object, "metadata", "annotations", name, NULL));
    struct err err = ERR_INIT;
    uint64_t value = 0;

    if (text == NULL || num_parse_u64(span_str(text), 1, UINT32_MAX, name, &value, &err) < 0)
        return 0;
    return value;
}

struct compiling {
    struct policy *policy;
    struct policy_builder *builder;
    struct budgets *budgets;
    struct guards *guards;
    struct prices *prices;
};

static int add_namespace(void *ctx, const json_t *object, struct err *err)
{
    struct compiling *compiling = ctx;
    const json_t *metadata = json_object_get(object, "metadata");
    const char *phase = json_string_value(codec_json_at(object, "status", "phase", NULL));
    bool going = json_object_get(metadata, "deletionTimestamp") != NULL ||
                 (phase != NULL && strcmp(phase, "Terminating") == 0);
    struct policy_namespace_in in = {
        .name = codec_json_text(metadata, "name", ""),
        .uid = codec_json_text(metadata, "uid", ""),
        .phase = going ? POLICY_TERMINATING : POLICY_ACTIVE,
        .limits = {.requests_per_min = (uint32_t)annotated(object, "drun.io/requests-per-minute"),
                   .tokens_per_min = annotated(object, "drun.io/tokens-per-minute"),
                   .concurrent = (uint32_t)annotated(object, "drun.io/concurrent-requests")},
    };

    CLEANUP_FREE struct policy_budget_in *budgets =
        budgets_of(compiling->budgets, in.name, &in.budget_count);
    in.budgets = budgets;
    in.priority = budgets_priority(compiling->budgets, in.name);
    return policy_builder_add_namespace(compiling->builder, &in, err);
}

bool policy_is_ready(const json_t *service)
{
    const char *phase = codec_json_text(json_object_get(service, "status"), "phase", "");

    return strcmp(phase, "Ready") == 0 || strcmp(phase, "Degraded") == 0;
}

/* Each engine has so many places. Without a word about the queue, calls wait as long as clients
 * usually do. */
static struct policy_line line_of(const json_t *spec, size_t engines)
{
    const json_t *queue = json_object_get(spec, "queue");
    uint64_t timeout_sec = number(queue, "timeoutSeconds");

    return (struct policy_line){
        .places = (uint32_t)(number(spec, "concurrency") * engines),
        .length = json_object_get(queue, "length") == NULL ? LINE_LENGTH
                                                           : (uint32_t)number(queue, "length"),
        .timeout_ms = (uint32_t)(timeout_sec == 0 ? LINE_TIMEOUT_SEC : timeout_sec) * 1000,
    };
}

/* The sockets of the engines that answer. */
struct sockets {
    char path[POLICY_REPLICAS_MAX][ROLE_SOCKET_SIZE];
    const char *all[POLICY_REPLICAS_MAX];
    size_t count;
};

/* Without a word about places there is one engine, in the first. */
static void find_sockets(const struct compiling *compiling, const json_t *object,
                         const struct policy_route_in *in, struct sockets *out)
{
    const char *run_dir = role_run_dir(compiling->policy->api->role);
    const json_t *places = codec_json_at(object, "status", "readyPlaces", NULL);
    size_t count = NUM_MAX(NUM_MIN(json_array_size(places), (size_t)POLICY_REPLICAS_MAX), 1U);

    if (in->upstream[0] != '\0') {
        role_upstream_socket(run_dir, in->namespace, in->name, out->path[0]);
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        json_int_t place = json_integer_value(json_array_get(places, i));
        if (in->upstream[0] == '\0')
            role_engine_socket(run_dir, in->namespace, in->name, (unsigned)place, out->path[i]);
        out->all[i] = out->path[i];
    }
    out->count = count;
}

static int add_route(void *ctx, const json_t *object, struct err *err)
{
    struct compiling *compiling = ctx;
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *spec = json_object_get(object, "spec");
    const json_t *limits = json_object_get(spec, "limits");
    const json_t *upstream = json_object_get(spec, "upstream");
    int64_t created = 0;
    struct err ignored = ERR_INIT;
    struct policy_route_in in = {
        .namespace = codec_json_text(metadata, "namespace", ""),
        .name = codec_json_text(metadata, "name", ""),
        .engine_model = upstream == NULL ? ""
                                         : codec_json_text(upstream, "model",
                                                           codec_json_text(metadata, "name", "")),
        .upstream = codec_json_text(upstream, "url", ""),
        .ready = policy_is_ready(object),
        .max_body = (uint32_t)number(limits, "maxBodyBytes"),
        .max_tokens = (uint32_t)number(limits, "maxTokens"),
        .context_tokens = (uint32_t)number(limits, "contextTokens"),
        .remote_media = json_is_true(json_object_get(spec, "remoteMedia")),
        .limits = limits_of(limits),
    };
    struct policy_guard guard;
    struct sockets sockets;
    char version[CACHE_VERSION_SIZE];

    find_sockets(compiling, object, &in, &sockets);
    in.socket = sockets.all[0];
    in.replicas = sockets.all;
    in.replica_count = sockets.count;
    in.line = line_of(spec, sockets.count);
    cache_of(object, version, &in.cache);

    guards_of(compiling->guards, in.namespace, in.name, &guard);
    in.guard = &guard;
    prices_of(compiling->prices, in.namespace, in.name, &in.price);
    if (clock_parse(span_str(codec_json_text(metadata, "creationTimestamp", "")), &created,
                    &ignored) == 0)
        in.created_at = created;
    return policy_builder_add_route(compiling->builder, &in, err);
}

static int add_model_route(void *ctx, const json_t *object, struct err *err)
{
    const struct compiling *compiling = ctx;

    return routes_add(compiling->builder, object, err);
}

static int compile(struct policy *policy, struct buf *file, struct err *err)
{
    struct kube_server *kube = serve_kube(policy->api->serve);
    CLEANUP(policy_builder_free_ptr) struct policy_builder *builder = policy_builder_new();
    CLEANUP(budgets_free_ptr) struct budgets *budgets = NULL;
    CLEANUP(guards_free_ptr) struct guards *guards = NULL;
    CLEANUP(prices_free_ptr) struct prices *prices = NULL;

    TRY(budgets_read(kube, &budgets, err));
    TRY(guards_read(kube, &guards, err));
    TRY(prices_read(kube, &prices, err));
    struct compiling compiling = {.policy = policy,
                                  .builder = builder,
                                  .budgets = budgets,
                                  .guards = guards,
                                  .prices = prices};
    TRY(kube_object_each(kube, &kube_namespace, NULL, add_namespace, &compiling, err));
    TRY(kube_object_each(kube, &kube_model_service, NULL, add_route, &compiling, err));
    TRY(kube_object_each(kube, &kube_model_route, NULL, add_model_route, &compiling, err));
    TRY(rbac_model_compile(policy->rbac, builder, err));
    return policy_builder_finish(builder, file, err);
}

static int publish(struct policy *policy, struct err *err)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(SNAPSHOT_FILE_MAX);
    uint64_t began = clock_cpu_ns();
    uint64_t generation;

    TRY(compile(policy, &file, err));
    TRY(snapshot_publish(policy->publisher, &file, &generation, err));
    policy->last_ns = clock_cpu_ns() - began;
    return 0;
}

static void publish_now(struct policy *policy)
{
    struct err err = ERR_INIT;

    policy->waiting = publish(policy, &err) < 0;
    if (!policy->waiting)
        return;
    /* What was taken away from somebody must not stay in force for want of another change. */
    log_error("api.policy.publish", &err);
    loop_rearm(policy->later, RETRY_MS, 0);
}

static void on_later(void *ctx)
{
    publish_now(ctx);
}

/* ------------------------------------------------------------------ following */

void policy_touch(struct policy *policy, const struct kube_kind *kind, const char *namespace,
                  const char *name)
{
    if (!is_rbac(kind) && kind != &kube_namespace && kind != &kube_model_service &&
        kind != &kube_model_route && kind != &kube_limit_policy && kind != &kube_guard_policy &&
        kind != &kube_price_list)
        return;
    if (policy->count == policy->room) {
        policy->room = policy->room == 0 ? 16 : 2 * policy->room;
        policy->touched = mem_resize_array(policy->touched, policy->room, sizeof(*policy->touched));
    }
    policy->touched[policy->count++] =
        (struct touched){.kind = kind,
                         .namespace = mem_strdup(namespace == NULL ? "" : namespace),
                         .name = mem_strdup(name)};
}

/* The object as it is now goes into the model, or out of it. */
static int take_in(struct policy *policy, const struct touched *touched, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;
    struct kube_server *kube = serve_kube(policy->api->serve);

    if (!is_rbac(touched->kind))
        return 0;
    if (kube_object_get(kube, touched->kind, touched->namespace, touched->name, &object, err) == 0)
        return rbac_model_put(policy->rbac, object, err);
    if (err->code != ERR_NOT_FOUND)
        return -1;
    err_clear(err);
    rbac_model_delete(policy->rbac, touched->kind->kind, touched->namespace, touched->name);
    return 0;
}

static void forget_touched(struct policy *policy)
{
    for (size_t i = 0; i < policy->count; i++) {
        free(policy->touched[i].namespace);
        free(policy->touched[i].name);
    }
    policy->count = 0;
}

void policy_follow(struct policy *policy)
{
    if (policy->count == 0)
        return;
    for (size_t i = 0; i < policy->count; i++) {
        struct err err = ERR_INIT;
        /* One object that cannot be read must not keep the others from taking effect. */
        if (take_in(policy, &policy->touched[i], &err) < 0)
            log_error("api.policy", &err);
    }
    forget_touched(policy);
    if (policy->waiting)
        return;
    policy->waiting = true;
    if (policy->last_ns < QUICK_NS)
        publish_now(policy);
    else
        loop_rearm(policy->later, LATER_MS, 0);
}

/* ------------------------------------------------------------------ start */

static int load_one(void *ctx, const json_t *object, struct err *err UNUSED)
{
    struct err why = ERR_INIT;

    if (rbac_model_put(ctx, object, &why) < 0)
        log_error("api.policy.load", &why);
    return 0;
}

int policy_load(struct policy *policy, struct err *err)
{
    struct kube_server *kube = serve_kube(policy->api->serve);

    forget_touched(policy);
    for (size_t i = 0; i < ARRAY_LEN(rbac_kinds); i++)
        TRY(kube_object_each(kube, rbac_kinds[i], NULL, load_one, policy->rbac, err));
    return publish(policy, err);
}

int policy_new(struct api *api, struct policy **out, struct err *err)
{
    struct policy *policy = mem_new(sizeof(*policy));
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, role_own_run_dir(api->role), err);

    policy->api = api;
    policy->rbac = rbac_model_new();
    *out = policy;
    TRY(dir_fd);
    TRY(snapshot_publisher_open(&policy_snapshot, &dir_fd, &policy->publisher, err));
    return loop_add_timer(role_loop(api->role), 1ULL << 40, 0, on_later, policy, &policy->later,
                          err);
}

void policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    forget_touched(policy);
    free(policy->touched);
    rbac_model_free(policy->rbac);
    snapshot_publisher_free(policy->publisher);
    free(policy);
}
