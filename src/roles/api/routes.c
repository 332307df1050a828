/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ModelRoutes: who may write one, what it says of its backends, and how the policy snapshot has it.
 * A name is one model's alone, so a route and a service of one name exclude each other.
 */
#include "api/api_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "log/log.h"
#include "openai/rewrite.h"
#include "snapshot/policy_routing.h"

enum { NAMES_MAX = 16 };

static const char *name_of(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "name", "");
}

static const char *namespace_of(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "namespace", "");
}

/* What it is called by: returns how many, at most NAMES_MAX. */
static size_t names_of(const json_t *route, const char *out[NAMES_MAX])
{
    const json_t *names = codec_json_at(route, "spec", "names", NULL);
    size_t count = NUM_MIN(json_array_size(names), (size_t)NAMES_MAX);

    for (size_t i = 0; i < count; i++)
        out[i] = json_string_value(json_array_get(names, i));
    if (count > 0)
        return count;
    out[0] = name_of(route);
    return 1;
}

/* ------------------------------------------------------------------ names */

struct taken {
    const char *const *names; /* that are wanted */
    size_t count;
    const char *own; /* the route that wants them, or "" */
};

static int is_taken(void *ctx, const json_t *route, struct err *err)
{
    const struct taken *taken = ctx;
    const char *names[NAMES_MAX];
    size_t count = names_of(route, names);

    if (strcmp(name_of(route), taken->own) == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < taken->count; j++)
            if (strcmp(names[i], taken->names[j]) == 0)
                return err_set(err, ERR_INVALID,
                               "the model route \"%s\" of this namespace is called \"%s\" already",
                               name_of(route), names[i]);
    return 0;
}

int routes_admit_service(struct api *api, const struct kube_change *change, struct err *err)
{
    const char *name = change->name;
    struct taken taken = {.names = &name, .count = 1, .own = ""};

    if (change->old != NULL)
        return 0;
    return kube_object_each(serve_kube(api->serve), &kube_model_route, change->namespace, is_taken,
                            &taken, err);
}

static int check_names(struct api *api, const struct kube_change *change, struct err *err)
{
    struct kube_server *kube = serve_kube(api->serve);
    const char *names[NAMES_MAX];
    size_t count = names_of(change->object, names);
    struct taken taken = {.names = names, .count = count, .own = change->name};

    for (size_t i = 0; i < count; i++) {
        CLEANUP_JSON json_t *service = NULL;
        struct err why = ERR_INIT;
        if (kube_object_get(kube, &kube_model_service, change->namespace, names[i], &service,
                            &why) == 0)
            return err_set(err, ERR_INVALID,
                           "a model service of this namespace is called \"%s\" already; a route "
                           "needs another name",
                           names[i]);
    }
    return kube_object_each(kube, &kube_model_route, change->namespace, is_taken, &taken, err);
}

/* ------------------------------------------------------------------ parameters */

static int check_parameter(size_t backend, const char *name, struct err *err)
{
    if (openai_rewrite_may(name))
        return 0;
    return err_set(err, ERR_INVALID,
                   "spec.backends[%zu]: \"%.64s\" is no parameter that a route may set or drop",
                   backend, name);
}

static int check_parameters(const struct kube_change *change, struct err *err)
{
    const json_t *backend;
    const json_t *dropped;
    const char *name;
    json_t *value;
    size_t i;
    size_t k;

    json_array_foreach (codec_json_at(change->object, "spec", "backends", NULL), i, backend) {
        json_object_foreach (json_object_get(backend, "set"), name, value)
            TRY(check_parameter(i, name, err));
        json_array_foreach (json_object_get(backend, "drop"), k, dropped)
            TRY(check_parameter(i, json_string_value(dropped), err));
    }
    return 0;
}

/* ------------------------------------------------------------------ who may write it */

static bool may(struct api *api, const struct rbac_user *user, const struct kube_change *change,
                const char *verb, const char *resource, const char *name)
{
    struct rbac_request request = {
        .user = *user,
        .verb = span_str(verb),
        .api_group = span_str("drun.io"),
        .resource = span_str(resource),
        .subresource = span_of("", 0),
        .namespace = span_str(change->namespace),
        .name = span_str(name),
        .path = span_of("", 0),
    };

    return rbac_model_decide(policy_rbac(api->policy), &request, NULL);
}

static bool was_there(const json_t *old, const char *service)
{
    const json_t *backend;
    size_t i;

    json_array_foreach (codec_json_at(old, "spec", "backends", NULL), i, backend)
        if (strcmp(codec_json_text(backend, "modelService", ""), service) == 0)
            return true;
    return false;
}

/* A route gives the use of its backends to whoever may invoke its names. So nobody adds one that he
 * may neither invoke nor change himself. */
static int check_writer(struct api *api, const struct kube_change *change, struct err *err)
{
    struct span groups[AUTH_GROUPS_MAX];
    struct rbac_user user = {.name = span_str(change->principal->name), .groups = groups};
    const json_t *backend;
    size_t i;

    user.group_count = admit_groups(change->principal, groups, ARRAY_LEN(groups));
    json_array_foreach (codec_json_at(change->object, "spec", "backends", NULL), i, backend) {
        const char *service = codec_json_text(backend, "modelService", "");
        if (was_there(change->old, service) ||
            may(api, &user, change, "invoke", "models", service) ||
            may(api, &user, change, "update", "modelservices", service))
            continue;
        return err_set(err, ERR_DENIED,
                       "spec.backends[%zu]: you may neither invoke the model \"%s\" nor change its "
                       "model service, so you cannot give its use to others",
                       i, service);
    }
    return 0;
}

/* ------------------------------------------------------------------ status */

static bool is_left_out(const struct api *api, const char *namespace, const char *service)
{
    CLEANUP_FREE char *name = mem_printf("%s/%s", namespace, service);

    return json_object_get(api->left_out, name) != NULL;
}

static json_t *state_of(struct api *api, const char *namespace, const char *service)
{
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;

    if (kube_object_get(serve_kube(api->serve), &kube_model_service, namespace, service, &object,
                        &err) < 0)
        return json_pack("{s:s, s:s, s:s}", "modelService", service, "state", "Missing", "message",
                         "there is no such model service");
    const char *phase = codec_json_text(json_object_get(object, "status"), "phase", "Pending");
    if (!policy_is_ready(object))
        return json_pack("{s:s, s:s, s:s+}", "modelService", service, "state", "NotReady",
                         "message", "the model service is ", phase);
    if (is_left_out(api, namespace, service))
        return json_pack("{s:s, s:s, s:s}", "modelService", service, "state", "Ejected", "message",
                         "it failed, and is left out for a while");
    return json_pack("{s:s, s:s}", "modelService", service, "state", "Ready");
}

static json_t *condition(const json_t *before, size_t ready, size_t count)
{
    const char *status = ready > 0 ? "True" : "False";
    const json_t *last = json_array_get(json_object_get(before, "conditions"), 0);
    const char *since = codec_json_text(last, "lastTransitionTime", NULL);
    char now[CLOCK_TEXT_SIZE];
    char message[64];

    clock_format_sec(clock_wall_sec(), now);
    if (since == NULL || strcmp(codec_json_text(last, "status", ""), status) != 0)
        since = now;
    snprintf(message, sizeof(message), "%zu of %zu backends can answer", ready, count);
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "Ready", "status", status, "reason",
                     ready == count ? "BackendsReady"
                     : ready > 0    ? "SomeBackendsNotReady"
                                    : "NoBackendReady",
                     "message", message, "lastTransitionTime", since);
}

static json_t *status_of(struct api *api, const json_t *route)
{
    const json_t *backends = codec_json_at(route, "spec", "backends", NULL);
    json_t *states = json_array();
    const json_t *backend;
    size_t ready = 0;
    size_t i;

    json_array_foreach (backends, i, backend) {
        json_t *state =
            state_of(api, namespace_of(route), codec_json_text(backend, "modelService", ""));
        ready += strcmp(codec_json_text(state, "state", ""), "Ready") == 0;
        json_array_append_new(states, state);
    }
    json_t *status =
        json_pack("{s:o, s:[o]}", "backends", states, "conditions",
                  condition(json_object_get(route, "status"), ready, json_array_size(backends)));
    json_object_set_new(status, "ready", json_sprintf("%zu/%zu", ready, json_array_size(backends)));
    return status;
}

int routes_admit(struct api *api, struct kube_change *change, struct err *err)
{
    TRY(check_names(api, change, err));
    TRY(check_parameters(change, err));
    TRY(check_writer(api, change, err));
    json_object_set_new(change->object, "status", status_of(api, change->object));
    return 0;
}

static int refresh_one(void *ctx, const json_t *route, struct err *err UNUSED)
{
    struct api *api = ctx;
    CLEANUP_JSON json_t *status = status_of(api, route);
    struct err why = ERR_INIT;

    if (!json_equal(status, json_object_get(route, "status")) &&
        kube_object_put_status(serve_kube(api->serve), &kube_model_route, namespace_of(route),
                               name_of(route), status, &why) < 0)
        log_error("api.routes", &why);
    return 0;
}

void routes_refresh(struct api *api, const char *namespace)
{
    struct err err = ERR_INIT;

    if (kube_object_each(serve_kube(api->serve), &kube_model_route, namespace, refresh_one, api,
                         &err) < 0)
        log_error("api.routes", &err);
}

/* What the gateway's keeper says shows in a status, and decides nothing. */
int routes_handle_left_out(void *ctx, struct ipc_request *request, struct buf *reply UNUSED,
                           struct err *err)
{
    struct api *api = ctx;
    CLEANUP_JSON json_t *names = json_object();
    struct span rest = request->body;

    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.p, '\n', rest.len);
        size_t len = end == NULL ? 0 : (size_t)(end - rest.p);
        if (len == 0 || json_object_setn_new(names, (const char *)rest.p, len, json_true()) < 0)
            return err_set(err, ERR_INVALID, "a list of services that are left out is malformed");
        rest = span_of(rest.p + len + 1, rest.len - len - 1);
    }
    json_decref(api->left_out);
    api->left_out = json_incref(names);
    routes_refresh(api, NULL);
    return IPC_ANSWER;
}

/* ------------------------------------------------------------------ the snapshot */

static const struct {
    const char *name;
    enum policy_retry bit;
} retry_names[] = {
    {"connect-failure", POLICY_RETRY_CONNECT},
    {"timeout", POLICY_RETRY_TIMEOUT},
    {"429", POLICY_RETRY_429},
    {"500", POLICY_RETRY_500},
    {"502", POLICY_RETRY_502},
    {"503", POLICY_RETRY_503},
    {"504", POLICY_RETRY_504},
};

static uint32_t retry_bits(const json_t *list)
{
    uint32_t bits = 0;
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one)
        for (size_t k = 0; k < ARRAY_LEN(retry_names); k++)
            if (strcmp(json_string_value(one), retry_names[k].name) == 0)
                bits |= retry_names[k].bit;
    return bits;
}

static uint32_t sticky_by(const json_t *sticky)
{
    const char *by = codec_json_text(sticky, "by", "");

    return strcmp(by, "user") == 0     ? POLICY_STICKY_USER
           : strcmp(by, "key") == 0    ? POLICY_STICKY_KEY
           : strcmp(by, "header") == 0 ? POLICY_STICKY_HEADER
                                       : POLICY_STICKY_NONE;
}

static uint32_t number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));

    return value > 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
}

static struct policy_routing_rules rules_of(const json_t *spec)
{
    const json_t *retries = json_object_get(spec, "retries");
    const json_t *outlier = json_object_get(spec, "outlier");

    return (struct policy_routing_rules){
        .retries = NUM_MIN(number(retries, "attempts"), (uint32_t)POLICY_RETRIES_MAX),
        .retry_on = retry_bits(json_object_get(retries, "when")),
        .try_timeout_ms = 1000 * number(retries, "perTryTimeoutSeconds"),
        .retry_percent = number(retries, "budgetPercent"),
        .retry_min_per_min = number(retries, "minPerMinute"),
        .breaker_failures = number(outlier, "consecutiveFailures"),
        .breaker_ms = 1000 * number(outlier, "ejectionSeconds"),
        .sticky = sticky_by(json_object_get(spec, "sticky")),
    };
}

/* Members to set, as they stand between braces. */
static void put_set(const json_t *set, struct buf *out)
{
    CLEANUP(buf_free) struct buf whole = BUF_INIT(SNAPSHOT_TEXT_MAX);

    if (json_object_size(set) == 0)
        return;
    codec_json_put(set, &whole);
    buf_put(out, whole.data + 1, whole.len - 2);
}

/* What is set takes the place of what the client sent. */
static void put_drop(const json_t *backend, struct buf *out)
{
    const json_t *dropped;
    const char *name;
    json_t *value;
    size_t i;

    json_array_foreach (json_object_get(backend, "drop"), i, dropped)
        buf_printf(out, "%s ", json_string_value(dropped));
    json_object_foreach (json_object_get(backend, "set"), name, value)
        buf_printf(out, "%s ", name);
}

struct edits {
    struct buf set;
    struct buf drop;
};

static void free_edits(struct edits (*all)[POLICY_BACKENDS_MAX])
{
    for (size_t i = 0; i < POLICY_BACKENDS_MAX; i++) {
        buf_free(&(*all)[i].set);
        buf_free(&(*all)[i].drop);
    }
}

static struct policy_backend_in backend_of(const json_t *backend, struct edits *edits)
{
    edits->set = edits->drop = (struct buf)BUF_INIT(SNAPSHOT_TEXT_MAX);
    put_set(json_object_get(backend, "set"), &edits->set);
    put_drop(backend, &edits->drop);
    return (struct policy_backend_in){
        .service = codec_json_text(backend, "modelService", ""),
        .weight = number(backend, "weight"),
        .priority = number(backend, "priority"),
        .edit_set = buf_text(&edits->set),
        .edit_drop = buf_text(&edits->drop),
    };
}

int routes_add(struct policy_builder *builder, const json_t *route, struct err *err)
{
    const json_t *spec = json_object_get(route, "spec");
    const json_t *list = json_object_get(spec, "backends");
    CLEANUP(free_edits) struct edits edits[POLICY_BACKENDS_MAX] = {0};
    struct policy_backend_in backends[POLICY_BACKENDS_MAX];
    const char *names[NAMES_MAX];
    struct err ignored = ERR_INIT;
    const json_t *backend;
    int64_t created = 0;
    size_t i;
    struct policy_model_route_in in = {
        .namespace = namespace_of(route),
        .name = name_of(route),
        .names = names,
        .name_count = names_of(route, names),
        .backends = backends,
        .rules = rules_of(spec),
        .sticky_header = codec_json_text(json_object_get(spec, "sticky"), "header", ""),
    };

    json_array_foreach (list, i, backend) {
        if (i == ARRAY_LEN(backends))
            break;
        backends[in.backend_count] = backend_of(backend, &edits[in.backend_count]);
        in.backend_count++;
    }
    if (clock_parse(
            span_str(codec_json_text(json_object_get(route, "metadata"), "creationTimestamp", "")),
            &created, &ignored) == 0)
        in.created_at = created;
    return policy_builder_add_model_route(builder, &in, err);
}
