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

static const char *name_of(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "name", "");
}

static const char *namespace_of(const json_t *object)
{
    return codec_json_text(json_object_get(object, "metadata"), "namespace", "");
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
    const char *names[ROUTES_NAMES_MAX];
    size_t count = routes_names(route, names);

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
    const char *names[ROUTES_NAMES_MAX];
    size_t count = routes_names(change->object, names);
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
    const char *gateway;
    json_t *names;

    json_object_foreach (api->left_out, gateway, names)
        if (json_object_get(names, name) != NULL)
            return true;
    return false;
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

/* What a gateway's keeper says shows in a status, and decides nothing. It takes the place of what
 * the same one said before. */
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
    json_object_set(api->left_out, role_name((enum role_id)request->peer), names);
    routes_refresh(api, NULL);
    return IPC_ANSWER;
}
