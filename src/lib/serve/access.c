/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and may they. */
#include "base/clock.h"
#include "base/num.h"
#include "rbac/rbac.h"
#include "serve/serve_internal.h"

#include <stdlib.h>

const char *serve_address(const struct serve_request *request)
{
    /* The gateway puts the one address there that it saw, whatever the client said. */
    const char *address = http_request_header(request->http, "X-Forwarded-For");

    return address == NULL ? "" : address;
}

static enum audit_source source_of(enum auth_source source)
{
    switch (source) {
    case AUTH_API_KEY: return AUDIT_SOURCE_APIKEY;
    case AUTH_SESSION: return AUDIT_SOURCE_TOKEN;
    case AUTH_SERVICE_ACCOUNT: return AUDIT_SOURCE_SERVICEACCOUNT;
    case AUTH_OPERATOR: return AUDIT_SOURCE_OPERATOR;
    case AUTH_NOBODY: break;
    }
    return AUDIT_SOURCE_NONE;
}

static void record_actor(struct serve_request *request, const struct auth_principal *principal)
{
    struct audit_actor *actor = &request->event.actor;

    actor->name = auth_text(principal, principal->name);
    actor->uid = auth_text(principal, principal->uid);
    if (principal->source == AUTH_API_KEY)
        actor->key_id = auth_text(principal, principal->credential);
    actor->session_id = auth_text(principal, principal->session);
    actor->source = source_of(principal->source);
}

/* RFC 6750 section 3; RFC 9449 section 7.1 for who came with a proof. */
static const char *challenge(const struct serve_request *request)
{
    const char *header = http_request_header(request->http, "Authorization");

    if (header != NULL && strncasecmp(header, "DPoP ", 5) == 0)
        return "DPoP realm=\"drun\", error=\"invalid_token\", algs=\"ES256 Ed25519 EdDSA RS256\"";
    return "Bearer realm=\"drun\"";
}

static int refuse(struct serve_request *request, const struct err *err)
{
    if (err->code == ERR_UNAUTHENTICATED)
        http_answer_header(request->answer, "WWW-Authenticate", challenge(request));
    request->event.reason = serve_keep(request, err->msg);
    serve_answer_error(request, err);
    return -1;
}

/* "" when it is not there. */
static struct span header_of(const struct serve_request *request, const char *name)
{
    const char *value = http_request_header(request->http, name);

    return span_str(value == NULL ? "" : value);
}

static int authenticate(struct serve_request *request, const char *scope)
{
    const char *address = serve_address(request);
    struct err err = ERR_INIT;
    uint8_t source[16];
    struct auth_principal *principal = arena_alloc(request->http->arena, sizeof(*principal));
    struct auth_input input = {
        .authorization = header_of(request, "Authorization"),
        .proof = header_of(request, "DPoP"),
        .method = request->http->method,
        .path = request->http->path,
        .certificate = header_of(request, SERVE_CERTIFICATE_HEADER),
        .now = clock_wall_sec(),
        .scope = scope,
    };

    if (arena_check(request->http->arena, "the request", &err) < 0)
        return refuse(request, &err);
    if (address[0] != '\0' && auth_parse_address(address, source, &err) == 0)
        input.source = source;
    int result = auth_check(request->serve->auth, &input, principal, &err);
    record_actor(request, principal);
    if (result < 0)
        return refuse(request, &err);
    request->principal = principal;
    return 0;
}

int serve_authenticate(struct serve_request *request)
{
    return authenticate(request, NULL);
}

int serve_authenticate_for(struct serve_request *request, const char *scope)
{
    return authenticate(request, scope);
}

/* Reviews of oneself lie in no namespace, and tell nothing that the caller could not try. */
static bool is_in_scope(const struct auth_principal *principal, const struct rbac_request *request)
{
    bool is_review = span_eq_str(request->api_group, "authorization.k8s.io") ||
                     span_eq_str(request->api_group, "authentication.k8s.io");

    return auth_scope_allows_verb(principal, request->verb) &&
           (request->path.len > 0 || (is_review && request->namespace.len == 0) ||
            auth_scope_allows_namespace(principal, request->namespace));
}

/* The decision: what RBAC grants, narrowed by the credential's own scope. */
static bool decide(struct serve *serve, const struct auth_principal *principal,
                   struct rbac_request *request, struct rbac_reason *reason)
{
    struct span groups[AUTH_GROUPS_MAX];
    const struct snapshot *policy = serve_policy(serve);

    request->user = (struct rbac_user){.name = auth_text(principal, principal->name),
                                       .groups = groups,
                                       .group_count = auth_groups(principal, groups)};
    return policy != NULL && is_in_scope(principal, request) &&
           rbac_decide(policy, request, reason);
}

bool serve_may(struct serve_request *request, const struct serve_action *action, struct err *err)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1024);
    struct rbac_request ask = {
        .verb = span_str(action->verb),
        .api_group = span_str(action->group),
        .resource = span_str(action->resource),
        .subresource = span_str(action->subresource),
        .namespace = span_str(action->namespace),
        .name = span_str(action->name),
    };

    request->event.action = (struct audit_action){.verb = ask.verb,
                                                  .api_group = ask.api_group,
                                                  .resource = ask.resource,
                                                  .subresource = ask.subresource,
                                                  .namespace = ask.namespace,
                                                  .name = ask.name};
    if (decide(request->serve, request->principal, &ask, NULL))
        return true;
    rbac_denial_put(&ask, &text);
    err_set(err, ERR_DENIED, "%s", buf_text(&text));
    return false;
}

bool serve_authorize(struct serve_request *request, const struct serve_action *action)
{
    struct err err = ERR_INIT;

    if (serve_may(request, action, &err))
        return true;
    refuse(request, &err);
    return false;
}

/* ------------------------------------------------------------------ for kube */

/* kube asks about the caller, and in a SubjectAccessReview about somebody else. */
static bool is_caller(const struct serve *serve, const struct kube_principal *principal)
{
    const struct serve_request *current = serve->current;

    return current != NULL &&
           span_eq_str(auth_text(current->principal, current->principal->name), principal->name);
}

static size_t groups_of(const struct kube_principal *principal, struct span out[AUTH_GROUPS_MAX])
{
    size_t count = 0;

    while (principal->groups != NULL && principal->groups[count] != NULL &&
           count < AUTH_GROUPS_MAX) {
        out[count] = span_str(principal->groups[count]);
        count++;
    }
    return count;
}

/* The first question about a request is the request itself; its texts live in the request's arena.
 */
static void record_action(struct serve_request *request, const struct kube_attributes *ask)
{
    struct audit_action *action = &request->event.action;

    if (action->resource.len > 0 || ask->resource == NULL)
        return;
    action->verb = serve_keep(request, ask->verb);
    action->api_group = serve_keep(request, ask->group);
    action->resource = serve_keep(request, ask->resource);
    action->subresource = serve_keep(request, ask->subresource);
    action->namespace = serve_keep(request, ask->namespace);
    action->name = serve_keep(request, ask->name);
}

void serve_name_action(struct serve_request *request, const char *name)
{
    struct audit_action *action = &request->event.action;

    if (action->name.len == 0 && span_eq_str(action->verb, "create"))
        action->name = serve_keep(request, name);
}

bool serve_kube_authorize(void *ctx, const struct kube_attributes *ask, char reason[256])
{
    struct serve *serve = ctx;
    struct span groups[AUTH_GROUPS_MAX];
    const struct snapshot *policy = serve_policy(serve);
    CLEANUP(buf_free) struct buf text = BUF_INIT(1024);
    struct rbac_reason because = {0};
    struct rbac_request request = {
        .user = {.name = span_str(ask->principal->name),
                 .groups = groups,
                 .group_count = groups_of(ask->principal, groups)},
        .verb = span_str(ask->verb),
    };

    if (ask->resource == NULL) {
        request.path = span_str(ask->path);
    } else {
        request.api_group = span_str(ask->group);
        request.resource = span_str(ask->resource);
        request.subresource = span_str(ask->subresource);
        request.namespace = span_str(ask->namespace);
        request.name = span_str(ask->name);
    }
    bool caller = is_caller(serve, ask->principal);
    if (caller)
        record_action(serve->current, ask);
    bool in_scope = !caller || is_in_scope(serve->current->principal, &request);
    bool allowed = policy != NULL && in_scope && rbac_decide(policy, &request, &because);
    bool narrowed = !allowed && in_scope && caller && serve->config.narrow != NULL &&
                    serve->config.narrow(serve->config.ctx, serve->current, ask);
    if (narrowed)
        buf_put_str(&text, "what is the caller's own");
    else if (allowed)
        rbac_reason_put(&because, &text);
    else if (!in_scope)
        buf_put_str(&text, "the API key's scope does not allow it");
    else if (policy == NULL)
        buf_put_str(&text, "no policy is published yet");
    snprintf(reason, 256, "%s", buf_text(&text));
    return allowed || narrowed;
}

int serve_kube_rules(void *ctx, const struct kube_principal *principal, const char *namespace,
                     json_t *resource_rules, json_t *path_rules, struct err *err)
{
    struct span groups[AUTH_GROUPS_MAX];
    const struct snapshot *policy = serve_policy(ctx);
    struct rbac_user user = {.name = span_str(principal->name),
                             .groups = groups,
                             .group_count = groups_of(principal, groups)};

    if (policy == NULL)
        return err_set(err, ERR_UNAVAILABLE, "no policy is published yet");
    json_t *review = rbac_rules_review(policy, &user, span_str(namespace));
    json_array_extend(resource_rules, json_object_get(review, "resourceRules"));
    json_array_extend(path_rules, json_object_get(review, "nonResourceRules"));
    json_decref(review);
    return 0;
}

enum kube_namespace_state serve_kube_namespace(void *ctx, const char *name)
{
    const struct snapshot *policy = serve_policy(ctx);
    struct policy_namespace found;

    if (policy == NULL || !policy_find_namespace(policy, span_str(name), &found))
        return KUBE_NAMESPACE_MISSING;
    return found.phase == POLICY_ACTIVE ? KUBE_NAMESPACE_ACTIVE : KUBE_NAMESPACE_GOING;
}

/* ------------------------------------------------------------------ TokenReview */

static json_t *user_of(const struct auth_principal *principal)
{
    struct span groups[AUTH_GROUPS_MAX];
    size_t count = auth_groups(principal, groups);
    json_t *list = json_array();
    json_t *user = json_pack("{s:s, s:o}", "username",
                             (const char *)auth_text(principal, principal->name).p, "groups", list);
    struct span uid = auth_text(principal, principal->uid);

    if (uid.len > 0)
        json_object_set_new(user, "uid", json_stringn((const char *)uid.p, uid.len));
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_stringn((const char *)groups[i].p, groups[i].len));
    if (principal->credential.len > 0) {
        bool is_key = principal->source == AUTH_API_KEY;
        json_t *id = json_sprintf("%s%s", is_key ? "" : "JTI=",
                                  (const char *)auth_text(principal, principal->credential).p);
        json_object_set_new(user, "extra",
                            json_pack("{s:[o]}", "authentication.kubernetes.io/credential-id", id));
    }
    return user;
}

/* The token is good for this audience. `why` says why not. */
static int review_for(struct serve *serve, struct span header, const char *audience,
                      struct auth_principal *principal, struct err *why)
{
    struct auth_principal found;
    struct auth_input input = {
        .authorization = header,
        .now = clock_wall_sec(),
        .audience = strcmp(audience, AUTH_AUDIENCE) == 0 ? NULL : audience,
    };

    err_clear(why);
    TRY(auth_check(serve->auth, &input, &found, why));
    if (input.audience != NULL && found.source == AUTH_API_KEY)
        return err_set(why, ERR_UNAUTHENTICATED, "API keys are for the audience " AUTH_AUDIENCE);
    *principal = found;
    return 0;
}

/* Where the token came from is not known here: a key that may be used from some networks only is
 * not vouched for. */
int serve_kube_review_token(void *ctx, const char *token, const json_t *audiences, json_t *status,
                            struct err *err)
{
    struct serve *serve = ctx;
    CLEANUP(buf_free_wiped) struct buf header = BUF_INIT(AUTH_TOKEN_MAX + 16);
    json_t *accepted = json_array();
    struct auth_principal principal;
    struct err why = ERR_INIT;

    buf_printf(&header, "Bearer %s", token);
    int result = buf_check(&header, "the token", &why);
    for (size_t i = 0; result == 0 && i < NUM_MAX(json_array_size(audiences), (size_t)1); i++) {
        const json_t *one = json_array_get(audiences, i);
        const char *audience = one == NULL ? AUTH_AUDIENCE : json_string_value(one);
        if (review_for(serve, buf_span(&header), audience, &principal, &why) == 0)
            json_array_append_new(accepted, json_string(audience));
        else if (why.code == ERR_UNAVAILABLE)
            result = -1;
    }
    if (result < 0 || json_array_size(accepted) == 0) {
        json_decref(accepted);
        if (why.code == ERR_UNAVAILABLE) {
            *err = why;
            return -1;
        }
        return json_object_set_new(status, "error", json_string(why.msg));
    }
    json_object_set_new(status, "authenticated", json_true());
    json_object_set_new(status, "user", user_of(&principal));
    return json_object_set_new(status, "audiences", accepted);
}
