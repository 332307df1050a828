/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v1/namespaces/NS/serviceaccounts/NAME/token: the account itself is api's, who is asked
 * for it. */
#include "idp/idp_internal.h"
#include "idp/programs/namespaces.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/json.h"
#include "jose/jose.h"
#include "snapshot/policy.h"

enum { TTL_MAX_SEC = 86400 };

static bool namespace_is_active(struct idp *idp, const char *namespace)
{
    const struct snapshot *policy = serve_policy(idp->serve);
    struct policy_namespace found;

    return policy != NULL && policy_find_namespace(policy, span_str(namespace), &found) &&
           found.phase == POLICY_ACTIVE;
}

static int read_body(struct serve_request *request, json_t **out, struct err *err)
{
    const struct kube_shape *shape = kube_token_request.shape;
    struct kube_causes causes = {0};
    struct span body = request->http->body;

    if (body.len >= 4 && memcmp(body.p, "k8s", 4) == 0)
        TRY(kube_protobuf_parse(body, shape, out, err));
    else if (body.len == 0)
        *out = json_object();
    else
        TRY(codec_json_parse(body, "the body", out, err));
    if (!json_is_object(*out))
        return err_set(err, ERR_INVALID, "the body must be a TokenRequest");
    kube_schema_prune(shape, *out, NULL);
    kube_schema_defaults(shape, *out);
    kube_schema_validate(shape, *out, NULL, &causes);
    CLEANUP_JSON json_t *list = causes.list;
    if (json_array_size(list) > 0)
        return err_set(err, ERR_INVALID, "%s: %s",
                       codec_json_text(json_array_get(list, 0), "field", "the TokenRequest"),
                       codec_json_text(json_array_get(list, 0), "message", "is no good"));
    return 0;
}

static int issue(struct idp *idp, const char *namespace, const char *name, json_t *body,
                 struct err *err)
{
    CLEANUP(buf_free_wiped) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    CLEANUP(buf_free) struct buf uid = BUF_INIT(256);
    CLEANUP_FREE char *subject = mem_printf("system:serviceaccount:%s:%s", namespace, name);
    const json_t *spec = json_object_get(body, "spec");
    int64_t ttl = NUM_MIN(record_number(spec, "expirationSeconds"), (int64_t)TTL_MAX_SEC);
    const json_t *audiences = json_object_get(spec, "audiences");
    const json_t *ref = json_object_get(spec, "boundObjectRef");
    CLEANUP_JSON json_t *cluster = NULL;
    char sid[BOUND_SID_SIZE] = "";
    struct claims claims = {.subject = subject,
                            .audiences = json_array_size(audiences) > 0 ? audiences : NULL,
                            .sid = sid,
                            .ttl_sec = (uint32_t)ttl};
    char jti[CLAIMS_ID_SIZE];
    char ends[CLOCK_TEXT_SIZE];

    TRY(serve_ask_uid(idp->role, &kube_service_account, namespace, name, &uid, err));
    if (uid.len == 0)
        return err_set(err, ERR_NOT_FOUND, "serviceaccounts \"%s\" not found", name);
    /* As Kubernetes has it, so that others can decide by namespace and account. */
    claims.cluster = cluster = json_pack("{s:s, s:{s:s, s:s}}", "namespace", namespace,
                                         "serviceaccount", "name", name, "uid", buf_text(&uid));
    if (ref != NULL)
        TRY(bound_token_note(idp, namespace, ref, clock_wall_sec() + ttl, cluster, sid, err));
    TRY(namespace_note_token(idp, namespace, subject, buf_text(&uid), clock_wall_sec() + ttl, err));
    TRY(claims_access_token(idp, &claims, &token, jti, err));
    clock_format_sec(clock_wall_sec() + ttl, ends);
    json_object_set_new(body, "apiVersion", json_string("authentication.k8s.io/v1"));
    json_object_set_new(body, "kind", json_string("TokenRequest"));
    json_object_set_new(body, "metadata",
                        json_pack("{s:s, s:s}", "name", name, "namespace", namespace));
    return json_object_set_new(
        body, "status",
        json_pack("{s:s, s:s}", "token", buf_text(&token), "expirationTimestamp", ends));
}

static void answer(struct idp *idp, struct serve_request *request, const char *namespace,
                   const char *name)
{
    CLEANUP_JSON json_t *body = NULL;
    struct err err = ERR_INIT;

    if (!namespace_is_active(idp, namespace))
        err_set(&err, ERR_NOT_FOUND, "namespaces \"%s\" not found", namespace);
    if (err.code != ERR_NONE || read_body(request, &body, &err) < 0 ||
        issue(idp, namespace, name, body, &err) < 0) {
        serve_answer_error(request, &err);
        return;
    }
    request->event.event = span_str(AUDIT_TOKEN_ISSUED);
    reply_json(request, 201, body);
}

bool service_account_route(struct idp *idp, struct serve_request *request)
{
    struct serve_action action = {
        .verb = "create", .group = "", .resource = "serviceaccounts", .subresource = "token"};

    if (strcmp(request->http->method, "POST") != 0 ||
        !route_subresource(request, "/api/v1/namespaces/", "/serviceaccounts/", "/token", &action))
        return false;
    if (serve_authenticate(request) == 0 && serve_authorize(request, &action))
        answer(idp, request, action.namespace, action.name);
    return true;
}
