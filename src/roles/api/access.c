/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /apis/authorization.drun.io/v1/accessreport[?namespace=NS]: every grant and what each role
 * gives, of the policy in force, in one answer. For whoever may list the bindings; who may list
 * those of one namespace alone sees that one, without what reaches it from the cluster.
 */
#include "api/api_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

#define PATH "/apis/authorization.drun.io/v1/accessreport"

static bool may_list_cluster(const struct serve_request *request)
{
    const struct auth_principal *who = request->principal;
    const struct snapshot *policy = serve_policy(request->serve);
    struct span groups[AUTH_GROUPS_MAX];
    struct rbac_request ask = {
        .user = {.name = auth_text(who, who->name), .groups = groups},
        .verb = span_str("list"),
        .api_group = span_str(RBAC_API_GROUP),
        .resource = span_str("clusterrolebindings"),
    };

    ask.user.group_count = auth_groups(who, groups);
    return policy != NULL && auth_scope_allows_namespace(who, span_str("")) &&
           rbac_decide(policy, &ask, NULL);
}

static void answer(struct api *api, struct serve_request *request, const char *namespace)
{
    CLEANUP_JSON json_t *report =
        rbac_model_report(policy_rbac(api->policy), span_str(namespace), may_list_cluster(request));
    struct buf *body = &request->answer->body;
    char now[CLOCK_TEXT_SIZE];
    struct err err = ERR_INIT;

    clock_format_sec(clock_wall_sec(), now);
    json_object_set_new(report, "apiVersion", json_string("authorization.drun.io/v1"));
    json_object_set_new(report, "kind", json_string("AccessReport"));
    json_object_set_new(report, "namespace", json_string(namespace));
    json_object_set_new(report, "time", json_string(now));
    codec_json_put(report, body);
    if (buf_check(body, "the report; ask for one namespace", &err) < 0)
        serve_answer_error(request, &err);
    else
        serve_answer(request, 200, "application/json");
}

bool access_route(void *ctx, struct serve_request *request)
{
    struct serve_action action = {.verb = "list",
                                  .group = RBAC_API_GROUP,
                                  .resource = "rolebindings",
                                  .subresource = "",
                                  .namespace = "",
                                  .name = ""};
    const char *namespace = http_request_query(request->http, "namespace");
    struct err err = ERR_INIT;

    if (strcmp(request->http->path, PATH) != 0 || strcmp(request->http->method, "GET") != 0)
        return false;
    if (namespace != NULL)
        action.namespace = namespace;
    if (serve_authenticate(request) < 0)
        return true;
    if (action.namespace[0] != '\0' &&
        kube_format_check(KUBE_DNS_LABEL, action.namespace) != NULL) {
        err_set(&err, ERR_INVALID, "namespace: \"%.64s\" is no name of one", action.namespace);
        serve_answer_error(request, &err);
        return true;
    }
    if (serve_authorize(request, &action))
        answer(ctx, request, action.namespace);
    return true;
}
