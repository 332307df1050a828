/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/route.h"

enum { PARTS_MAX = 10 };

struct parts {
    const char *at[PARTS_MAX];
    size_t count;
};

/* False for an empty part ("//"), a part that is a dot segment, or too many of them. */
static bool split(const char *path, struct arena *arena, struct parts *parts)
{
    if (*path != '/')
        return false;
    while (*path != '\0') {
        path++;
        size_t len = strcspn(path, "/");
        if (len == 0)
            return path[0] == '\0' && parts->count > 0; /* one slash at the end is fine */
        if (parts->count == PARTS_MAX)
            return false;
        char *part = arena_copy(arena, span_of(path, len));
        if (part == NULL || strcmp(part, ".") == 0 || strcmp(part, "..") == 0)
            return false;
        parts->at[parts->count++] = part;
        path += len;
    }
    return parts->count > 0;
}

static bool is(const struct parts *parts, size_t at, const char *text)
{
    return at < parts->count && strcmp(parts->at[at], text) == 0;
}

/* namespaces/NAME is itself an object; namespaces/NAME/status and finalize are parts of it. */
static void take_resource(const struct parts *parts, size_t at, struct kube_route *route)
{
    size_t left = parts->count - at;
    bool inside = is(parts, at, "namespaces") && left >= 3 && !is(parts, at + 2, "status") &&
                  !is(parts, at + 2, "finalize");

    if (inside) {
        route->namespace = parts->at[at + 1];
        at += 2;
        left -= 2;
    }
    if (left > 3)
        return;
    route->what = KUBE_ROUTE_RESOURCE;
    route->resource = parts->at[at];
    if (left > 1)
        route->name = parts->at[at + 1];
    if (left > 2)
        route->subresource = parts->at[at + 2];
}

static void route_core(const struct parts *parts, struct kube_route *route)
{
    route->what = KUBE_ROUTE_CORE;
    if (parts->count == 1)
        return;
    route->version = parts->at[1];
    route->what = KUBE_ROUTE_VERSION;
    if (parts->count == 2)
        return;
    route->what = KUBE_ROUTE_NONE;
    take_resource(parts, 2, route);
}

static void route_groups(const struct parts *parts, struct kube_route *route)
{
    route->what = KUBE_ROUTE_GROUPS;
    if (parts->count == 1)
        return;
    route->group = parts->at[1];
    route->what = KUBE_ROUTE_GROUP;
    if (parts->count == 2)
        return;
    route->version = parts->at[2];
    route->what = KUBE_ROUTE_VERSION;
    if (parts->count == 3)
        return;
    route->what = KUBE_ROUTE_NONE;
    take_resource(parts, 3, route);
}

static void route_openapi(const struct parts *parts, struct kube_route *route)
{
    if (parts->count == 2 && is(parts, 1, "v2"))
        route->what = KUBE_ROUTE_OPENAPI_V2;
    if (parts->count == 2 && is(parts, 1, "v3"))
        route->what = KUBE_ROUTE_OPENAPI_V3;
    if (!is(parts, 1, "v3"))
        return;
    if (parts->count == 4 && is(parts, 2, "api")) {
        route->version = parts->at[3];
        route->what = KUBE_ROUTE_OPENAPI_V3_DOCUMENT;
    }
    if (parts->count == 5 && is(parts, 2, "apis")) {
        route->group = parts->at[3];
        route->version = parts->at[4];
        route->what = KUBE_ROUTE_OPENAPI_V3_DOCUMENT;
    }
}

int kube_route_parse(const char *path, struct arena *arena, struct kube_route *out, struct err *err)
{
    struct parts parts = {0};

    *out = (struct kube_route){
        .group = "", .version = "", .namespace = "", .resource = "", .name = "", .subresource = ""};
    bool good = split(path, arena, &parts);
    TRY(arena_check(arena, "the path", err));
    if (!good)
        return 0;
    if (is(&parts, 0, "api"))
        route_core(&parts, out);
    else if (is(&parts, 0, "apis"))
        route_groups(&parts, out);
    else if (is(&parts, 0, "openapi"))
        route_openapi(&parts, out);
    else if (is(&parts, 0, "version") && parts.count == 1)
        out->what = KUBE_ROUTE_SERVER_VERSION;
    else if (parts.count == 1 &&
             (is(&parts, 0, "livez") || is(&parts, 0, "readyz") || is(&parts, 0, "healthz")))
        out->what = KUBE_ROUTE_HEALTH;
    return 0;
}
