/* SPDX-License-Identifier: Apache-2.0 */
/* A request's way: what it names, whether the caller may, and who answers it. */
#include "base/mem.h"
#include "kube/kube_internal.h"

json_t *kube_keep(struct kube_call *call, json_t *value)
{
    json_array_append_new(call->pool, value);
    return value;
}

const char *kube_query(const struct kube_call *call, const char *name)
{
    const char *value =
        call->request->query != NULL ? call->request->query(call->request, name) : NULL;

    return value != NULL ? value : "";
}

bool kube_query_true(const struct kube_call *call, const char *name)
{
    const char *value = kube_query(call, name);

    return strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

int kube_query_dry_run(struct kube_call *call)
{
    const char *value = kube_query(call, "dryRun");

    if (value[0] == '\0')
        return 0;
    if (strcmp(value, "All") == 0)
        return 1;
    return kube_refuse_bad(call, "dryRun: Unsupported value: \"%.32s\": supported values: \"All\"",
                           value);
}

const char *kube_scope(const struct kube_call *call)
{
    if (!call->kind->namespaced)
        return "";
    return call->route.namespace[0] != '\0' ? call->route.namespace : NULL;
}

bool kube_serves(const struct kube_server *server, const struct kube_kind *kind)
{
    for (size_t i = 0; server->config.kinds[i] != NULL; i++)
        if (server->config.kinds[i] == kind)
            return true;
    return false;
}

/* A namespace itself counts as lying in it, so that its own members may read it. */
static const char *scope_of(const struct kube_route *route)
{
    bool itself = strcmp(route->resource, "namespaces") == 0 && route->group[0] == '\0';

    return itself ? route->name : route->namespace;
}

bool kube_authorized(struct kube_call *call, const char *verb, const char *subresource,
                     char reason[256])
{
    struct kube_attributes attributes = {
        .principal = call->request->principal,
        .verb = verb,
        .group = call->route.group,
        .version = call->route.version,
        .resource = call->route.resource,
        .subresource = subresource,
        .namespace = scope_of(&call->route),
        .name = call->route.name,
        .path = call->request->path,
    };

    if (call->route.what != KUBE_ROUTE_RESOURCE)
        attributes.resource = NULL;
    reason[0] = '\0';
    return call->server->config.authorize(call->server->config.ctx, &attributes, reason);
}

static const char *user_name(const struct kube_call *call)
{
    const struct kube_principal *principal = call->request->principal;

    return principal != NULL && principal->name != NULL ? principal->name : "system:anonymous";
}

static int refuse_unauthorized(struct kube_call *call, const char *reason)
{
    CLEANUP(buf_free) struct buf why = BUF_INIT(8192);
    const struct kube_route *route = &call->route;

    buf_printf(&why, "User \"%s\" cannot %s ", user_name(call), call->verb);
    if (route->what != KUBE_ROUTE_RESOURCE) {
        buf_printf(&why, "path \"%s\"", call->request->path);
    } else {
        buf_printf(&why, "resource \"%s%s%s\" in API group \"%s\" ", route->resource,
                   route->subresource[0] != '\0' ? "/" : "", route->subresource, route->group);
        const char *space = scope_of(route);
        if (space[0] != '\0')
            buf_printf(&why, "in the namespace \"%s\"", space);
        else
            buf_put_str(&why, "at the cluster scope");
    }
    if (reason[0] != '\0')
        buf_printf(&why, ": %s", reason);
    if (call->kind == NULL)
        return kube_refuse(call, 403, "Forbidden", json_object(), "forbidden: %s", buf_text(&why));
    return kube_refuse_forbidden(call, route->name, buf_text(&why));
}

static int authorize(struct kube_call *call)
{
    char reason[256];

    if (kube_authorized(call, call->verb, call->route.subresource, reason))
        return 0;
    return refuse_unauthorized(call, reason);
}

static int refuse_method(struct kube_call *call)
{
    return kube_refuse(call, 405, "MethodNotAllowed",
                       call->kind != NULL ? kube_details(call, call->route.name) : NULL,
                       "the server does not allow this method on the requested resource");
}

static const char *verb_of(const struct kube_call *call)
{
    const char *method = call->request->method;
    bool one = call->route.name[0] != '\0';

    if (strcmp(method, "GET") == 0 && kube_query_true(call, "watch"))
        return "watch";
    if (strcmp(method, "GET") == 0)
        return one ? "get" : "list";
    if (strcmp(method, "POST") == 0)
        return "create";
    if (strcmp(method, "PUT") == 0 && one)
        return "update";
    if (strcmp(method, "PATCH") == 0 && one)
        return "patch";
    if (strcmp(method, "DELETE") == 0)
        return one ? "delete" : "deletecollection";
    return NULL;
}

static const struct verb {
    const char *name;
    unsigned bit;
    bool on_one, on_all;
    bool on_status;
    int (*run)(struct kube_call *call);
} verbs[] = {
    {"get", KUBE_GET, true, false, true, kube_do_get},
    {"list", KUBE_LISTING, false, true, false, kube_do_list},
    {"watch", KUBE_WATCH, true, true, false, kube_do_watch},
    {"create", KUBE_CREATE, false, true, false, kube_do_create},
    {"update", KUBE_UPDATE, true, false, true, kube_do_update},
    {"patch", KUBE_PATCH, true, false, true, kube_do_patch},
    {"delete", KUBE_DELETE, true, false, false, kube_do_delete},
    {"deletecollection", KUBE_DELETE_COLLECTION, false, true, false, kube_do_delete_collection},
};

static int run_verb(struct kube_call *call)
{
    bool one = call->route.name[0] != '\0';

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        const struct verb *verb = &verbs[i];
        if (strcmp(verb->name, call->verb) != 0)
            continue;
        if ((call->kind->verbs & verb->bit) == 0 || !(one ? verb->on_one : verb->on_all) ||
            ((call->status_part || call->other != NULL) && !verb->on_status))
            break;
        /* All namespaces can be read at once; everything else happens in one. */
        if (call->kind->namespaced && call->route.namespace[0] == '\0' &&
            (one || (verb->bit & (KUBE_LISTING | KUBE_WATCH)) == 0) &&
            call->kind->special == KUBE_STORED)
            break;
        return verb->run(call);
    }
    return refuse_method(call);
}

static int find_subresource(struct kube_call *call)
{
    const char *name = call->route.subresource;

    if (name[0] == '\0')
        return 0;
    call->status_part = strcmp(name, "status") == 0 && call->kind->has_status;
    if (call->status_part)
        return 0;
    for (const struct kube_subresource *other = call->kind->others;
         other != NULL && other->name != NULL; other++)
        if (strcmp(other->name, name) == 0)
            call->other = other;
    return call->other != NULL ? 0 : kube_refuse_missing_path(call);
}

/* A list or watch that selects one name is authorized for that name alone. */
static int narrow_to_name(struct kube_call *call)
{
    struct kube_selector *fields;
    struct err err = ERR_INIT;
    const char *name = NULL;

    if (strcmp(call->verb, "list") != 0 && strcmp(call->verb, "watch") != 0)
        return 0;
    if (kube_selector_fields(kube_query(call, "fieldSelector"), call->kind, call->arena, &fields,
                             &err) < 0)
        return 0; /* said when it is used */
    name = kube_selector_demands(fields, "metadata.name");
    if (name == NULL || call->route.name[0] != '\0')
        return 0;
    call->route.name = name;
    int result = authorize(call);
    call->route.name = "";
    return result < 0 ? -1 : 1;
}

static int serve_resource(struct kube_call *call)
{
    const struct kube_route *route = &call->route;

    call->kind = kube_kind_find(route->group, route->version, route->resource);
    call->verb = verb_of(call);
    if (call->verb == NULL)
        return refuse_method(call);
    if (call->kind == NULL)
        return authorize(call) < 0 ? -1 : kube_refuse_missing_path(call);
    int narrowed = narrow_to_name(call);
    TRY(narrowed);
    if (narrowed == 0)
        TRY(authorize(call));
    if (!call->kind->namespaced && route->namespace[0] != '\0')
        return kube_refuse_missing_path(call);
    TRY(find_subresource(call));
    if (call->kind->special != KUBE_STORED)
        return strcmp(call->verb, "create") == 0 ? kube_do_review(call) : refuse_method(call);
    if (!kube_serves(call->server, call->kind))
        return kube_refuse_missing_path(call);
    if (call->other != NULL && !kube_is_scale(call))
        return strcmp(call->verb, "create") == 0 && (call->other->verbs & KUBE_CREATE) != 0
                   ? kube_do_token(call)
                   : refuse_method(call);
    return run_verb(call);
}

static int serve_version(struct kube_call *call)
{
    CLEANUP_JSON json_t *value = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "major", "1", "minor", "32", "gitVersion",
        "v1.32.0+drun-" DRUN_VERSION, "gitCommit", "", "gitTreeState", "archive", "buildDate",
        "1970-01-01T00:00:00Z", "goVersion", "none", "compiler", "cc", "platform", "linux/amd64");

    kube_put(call, 200, value);
    return 0;
}

static int serve_health(struct kube_call *call)
{
    call->answer->status = 200;
    call->answer->content_type = "text/plain";
    buf_put_str(&call->answer->body, "ok");
    return 0;
}

static int serve_path(struct kube_call *call)
{
    if (call->route.what != KUBE_ROUTE_NONE && strcmp(call->request->method, "GET") != 0)
        return refuse_method(call);
    call->verb = "get";
    TRY(authorize(call));
    switch (call->route.what) {
    case KUBE_ROUTE_CORE:
    case KUBE_ROUTE_GROUPS:
    case KUBE_ROUTE_GROUP:
    case KUBE_ROUTE_VERSION: return kube_do_discovery(call);
    case KUBE_ROUTE_OPENAPI_V2:
    case KUBE_ROUTE_OPENAPI_V3:
    case KUBE_ROUTE_OPENAPI_V3_DOCUMENT: return kube_do_openapi(call);
    case KUBE_ROUTE_SERVER_VERSION: return serve_version(call);
    case KUBE_ROUTE_HEALTH: return serve_health(call);
    case KUBE_ROUTE_NONE:
    case KUBE_ROUTE_RESOURCE: break;
    }
    return kube_refuse_missing_path(call);
}

static int serve(struct kube_call *call)
{
    struct err err = ERR_INIT;

    if (kube_route_parse(call->request->path, call->arena, &call->route, &err) < 0)
        return kube_refuse_err(call, &err);
    TRY(kube_negotiate(call));
    if (call->route.what == KUBE_ROUTE_RESOURCE)
        return serve_resource(call);
    return serve_path(call);
}

void kube_serve(struct kube_server *server, const struct kube_request *request,
                struct kube_answer *answer)
{
    CLEANUP_JSON json_t *pool = json_array();
    struct kube_call call = {
        .server = server,
        .request = request,
        .answer = answer,
        .arena = request->arena,
        .pool = pool,
    };

    struct err err = ERR_INIT;

    if (serve(&call) == 0 || answer->status >= 400)
        return;
    err_set(&err, ERR_INTERNAL, "the request failed without a reason; this is a bug");
    kube_answer_error(answer, &err);
}

int kube_server_new(const struct kube_config *config, struct kube_server **out, struct err *err)
{
    struct kube_server *server = mem_new(sizeof(*server));

    server->config = *config;
    if (server->config.watch_sec == 0)
        server->config.watch_sec = 3600;
    LIST_INIT(&server->watches);
    server->collector = kube_collector_new();
    if (crypto_random(server->continue_key, sizeof(server->continue_key), err) < 0) {
        kube_collector_free(server->collector);
        free(server);
        return -1;
    }
    *out = server;
    return 0;
}

void kube_server_free(struct kube_server *server)
{
    if (server == NULL)
        return;
    INVARIANT(LIST_EMPTY(&server->watches));
    json_decref(server->openapi_paths);
    kube_collector_free(server->collector);
    mem_wipe(server->continue_key, sizeof(server->continue_key));
    free(server);
}
