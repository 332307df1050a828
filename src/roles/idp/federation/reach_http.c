/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /apis/drun.io/v1/identityproviders/NAME/check: the provider is asked now, as a directory
 * with our credential; the answer is the object with what came out in its status. For RBAC it is
 * `update` on the object: it makes the platform call somebody.
 */
#include "idp/federation/federation.h"

#include "base/mem.h"
#include "codec/json.h"

#define PREFIX "/apis/drun.io/v1/identityproviders/"
#define SUFFIX "/check"

struct asked {
    struct idp *idp;
    struct serve_request *request;
    const char *name;
};

/* What the object says now; it may have gone meanwhile. */
static void on_asked(void *ctx, const struct err *why UNUSED)
{
    const struct asked *asked = ctx;
    struct serve_request *request = asked->request;
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;

    if (kube_object_get(serve_kube(asked->idp->serve), &kube_identity_provider, "", asked->name,
                        &object, &err) < 0)
        serve_answer_error(request, &err);
    else
        reply_json(request, 200, object);
    serve_answered(request);
}

static int ask(struct idp *idp, struct serve_request *request, const char *name, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;
    struct asked *asked = arena_alloc(request->http->arena, sizeof(*asked));

    TRY(arena_check(request->http->arena, "the request", err));
    *asked = (struct asked){.idp = idp, .request = request, .name = name};
    TRY(kube_object_get(serve_kube(idp->serve), &kube_identity_provider, "", name, &object, err));
    if (json_is_true(codec_json_at(object, "spec", "disabled", NULL)))
        return err_set(err, ERR_CONFLICT, "%s is disabled: nobody asks it; enable it first", name);
    return reach_ask(idp, object, on_asked, asked, err);
}

bool reach_route(struct idp *idp, struct serve_request *request)
{
    const char *path = request->http->path;
    struct serve_action action = {.verb = "update",
                                  .group = "drun.io",
                                  .resource = "identityproviders",
                                  .subresource = "",
                                  .namespace = ""};
    struct err err = ERR_INIT;

    if (strcmp(request->http->method, "POST") != 0 || strncmp(path, PREFIX, strlen(PREFIX)) != 0)
        return false;
    path += strlen(PREFIX);
    const char *slash = strchr(path, '/');
    if (slash == NULL || strcmp(slash, SUFFIX) != 0)
        return false;
    action.name = arena_copy(request->http->arena, span_of(path, (size_t)(slash - path)));
    if (action.name == NULL || kube_format_check(KUBE_DNS_LABEL, action.name) != NULL)
        return false;
    if (serve_authenticate(request) < 0 || !serve_authorize(request, &action))
        return true;
    request->event.event = span_str("drun.auth.federation.check");
    if (ask(idp, request, action.name, &err) < 0)
        serve_answer_error(request, &err);
    else
        serve_later(request);
    return true;
}
