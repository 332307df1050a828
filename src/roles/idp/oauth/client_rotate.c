/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /apis/drun.io/v1/oidcclients/NAME/rotate: a new secret, in the answer's status and never
 * again; the one before ends at once. For RBAC it is `update` on the client.
 */
#include "idp/oauth/protocol.h"

#include "base/mem.h"
#include "codec/json.h"

#define PREFIX "/apis/drun.io/v1/oidcclients/"
#define SUFFIX "/rotate"

static int rotate(struct idp *idp, const char *name, json_t **out, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;

    TRY(kube_object_get(serve_kube(idp->serve), &kube_oidc_client, "", name, &object, err));
    TRY(client_rotate(idp, name, object, err));
    *out = object;
    object = NULL;
    return 0;
}

static void run(struct idp *idp, struct serve_request *request, const struct serve_action *action)
{
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;

    if (serve_authenticate(request) < 0 || !serve_authorize(request, action) ||
        !serve_step_up(request))
        return;
    request->event.event = span_str("drun.auth.client.rotate");
    if (rotate(idp, action->name, &object, &err) < 0)
        serve_answer_error(request, &err);
    else
        reply_json(request, 200, object);
}

bool client_rotate_route(struct idp *idp, struct serve_request *request)
{
    const char *path = request->http->path;
    struct serve_action action = {.verb = "update",
                                  .group = "drun.io",
                                  .resource = "oidcclients",
                                  .subresource = "",
                                  .namespace = ""};

    if (strcmp(request->http->method, "POST") != 0 || strncmp(path, PREFIX, strlen(PREFIX)) != 0)
        return false;
    path += strlen(PREFIX);
    const char *slash = strchr(path, '/');
    if (slash == NULL || strcmp(slash, SUFFIX) != 0)
        return false;
    action.name = arena_copy(request->http->arena, span_of(path, (size_t)(slash - path)));
    if (action.name == NULL || kube_format_check(KUBE_DNS_SUBDOMAIN, action.name) != NULL)
        return false;
    run(idp, request, &action);
    return true;
}
