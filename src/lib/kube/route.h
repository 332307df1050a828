/* SPDX-License-Identifier: Apache-2.0 */
/* What a path of the API names. */
#ifndef DRUN_KUBE_ROUTE_H
#define DRUN_KUBE_ROUTE_H

#include "base/arena.h"

enum kube_route_what {
    KUBE_ROUTE_NONE,     /* no path of the API */
    KUBE_ROUTE_CORE,     /* /api */
    KUBE_ROUTE_GROUPS,   /* /apis */
    KUBE_ROUTE_GROUP,    /* /apis/GROUP */
    KUBE_ROUTE_VERSION,  /* /api/VERSION, /apis/GROUP/VERSION */
    KUBE_ROUTE_RESOURCE, /* anything below */
    KUBE_ROUTE_SERVER_VERSION,
    KUBE_ROUTE_OPENAPI_V2,
    KUBE_ROUTE_OPENAPI_V3,          /* the index */
    KUBE_ROUTE_OPENAPI_V3_DOCUMENT, /* group and version */
    KUBE_ROUTE_HEALTH,              /* /livez, /readyz, /healthz */
};

/* Texts are in the arena and never NULL; what is not in the path is "". */
struct kube_route {
    enum kube_route_what what;
    const char *group, *version, *namespace, *resource, *name, *subresource;
};

/* -1 with ERR_TOO_LARGE when the arena is full; a path that names nothing gives KUBE_ROUTE_NONE. */
int kube_route_parse(const char *path, struct arena *arena, struct kube_route *out,
                     struct err *err) MUST_USE;

#endif
