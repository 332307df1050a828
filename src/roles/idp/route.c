/* SPDX-License-Identifier: Apache-2.0 */
/* Which path is answered by what. The kinds come after. */
#include "idp/factors/signin.h"
#include "idp/federation/federation.h"
#include "idp/oauth/protocol.h"
#include "idp/scim/scim_api.h"

#include "base/mem.h"

struct route {
    const char *method;
    const char *path; /* ends with "/" for everything below it */
    idp_handler_fn *run;
};

/* clang-format off */
static const struct route routes[] = {
    /* What programs ask again and again is found first. */
    {"POST",   "/oauth2/token",        oidc_token},
    {"POST",   "/oauth2/introspect",   oidc_introspect},
    {"GET",    "/.well-known/openid-configuration",       discovery_openid},
    {"GET",    "/.well-known/oauth-authorization-server", discovery_oauth},
    {"GET",    "/oauth2/jwks",         discovery_jwks},
    {"GET",    "/openid/v1/jwks",      discovery_jwks}, /* where Kubernetes has it */
    {"GET",    "/oauth2/authorize",    oidc_authorize},
    {"POST",   "/oauth2/authorize",    oidc_authorize},
    {"POST",   "/oauth2/par",          oidc_par},
    {"POST",   "/oauth2/device_authorization", oidc_device_authorization},
    {"GET",    "/device",              oidc_device},
    {"POST",   "/device",              oidc_device},
    {"GET",    "/oauth2/device",       oidc_device},
    {"POST",   "/oauth2/device",       oidc_device},
    {"POST",   "/oauth2/register",     oidc_register},
    {"GET",    "/oauth2/register/",    oidc_registration},
    {"PUT",    "/oauth2/register/",    oidc_registration},
    {"DELETE", "/oauth2/register/",    oidc_registration},
    {"POST",   "/oauth2/consent",      oidc_consent},
    {"GET",    "/oauth2/frame",        oidc_frame},
    {"POST",   "/oauth2/revoke",       oidc_revoke},
    {"GET",    "/oauth2/userinfo",     oidc_userinfo},
    {"POST",   "/oauth2/userinfo",     oidc_userinfo},
    {"GET",    "/oauth2/logout",       oidc_logout},
    {"POST",   "/oauth2/logout",       oidc_logout},
    {"POST",   "/session",             session_login},
    {"GET",    "/session",             session_show},
    {"DELETE", "/session",             session_logout},
    {"GET",    "/session/list",        session_list},
    {"GET",    "/session/device",      device_show},
    {"POST",   "/session/device",      device_answer},
    {"GET",    "/session/consents",    consent_list},
    {"DELETE", "/session/consents/",   consent_revoke},
    {"DELETE", "/session/all",         session_logout_all},
    {"POST",   "/session/password",    session_password},
    {"POST",   "/session/setup",       setup_accept},
    {"POST",   "/session/accept",      setup_accept},
    {"GET",    "/session/providers",   federation_providers},
    {"GET",    "/session/links",       links_show},
    {"POST",   "/session/links",       links_add},
    {"DELETE", "/session/links/",      links_remove},
    {"GET",    "/session/sign-in",     signin_show},
    {"DELETE", "/session/sign-in",     signin_abandon},
    {"POST",   "/session/sign-in/password", signin_password},
    {"POST",   "/session/factor",      signin_factor},
    {"POST",   "/session/factor/options", signin_factor_options},
    {"POST",   "/session/passkey/options", signin_passkey_options},
    {"POST",   "/session/step-up",     signin_step_up},
    {"GET",    "/session/factors",     factors_show},
    {"POST",   "/session/factors/totp", factors_totp_begin},
    {"DELETE", "/session/factors/totp", factors_totp_remove},
    {"POST",   "/session/factors/totp/confirm", factors_totp_confirm},
    {"POST",   "/session/factors/recovery", factors_recovery_new},
    {"POST",   "/session/factors/sms", factors_sms_begin},
    {"DELETE", "/session/factors/sms", factors_sms_remove},
    {"POST",   "/session/factors/sms/confirm", factors_sms_confirm},
    {"POST",   "/session/factors/passkeys/options", factors_passkey_options},
    {"POST",   "/session/factors/passkeys", factors_passkey_add},
    {"POST",   "/session/factors/passkeys/", factors_passkey_rename},
    {"DELETE", "/session/factors/passkeys/", factors_passkey_remove},
    {"GET",    "/session/devices",     device_list},
    {"DELETE", "/session/devices/",    device_revoke},
    {"DELETE", "/session/",            session_revoke},
};

static const struct route operator_routes[] = {
    {"POST",   "/token",               operator_token},
    {"POST",   "/setup-link",          operator_setup_link},
};
/* clang-format on */

static bool path_fits(const struct route *route, const char *path)
{
    size_t len = strlen(route->path);

    if (route->path[len - 1] == '/')
        return strncmp(path, route->path, len) == 0 && path[len] != '\0' &&
               strchr(path + len, '/') == NULL;
    return strcmp(path, route->path) == 0;
}

static bool is_ours(const char *path)
{
    return strncmp(path, "/oauth2/", 8) == 0 || strncmp(path, "/openid/", 8) == 0 ||
           strncmp(path, "/.well-known/", 13) == 0 || strncmp(path, "/scim/", 6) == 0 ||
           strcmp(path, "/session") == 0 || strncmp(path, "/session/", 9) == 0;
}

static bool run(struct idp *idp, struct serve_request *request, const struct route *table,
                size_t count)
{
    const char *method = request->http->method;
    bool found = false;

    /* HEAD is GET without a body, which the server leaves out by itself. */
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (size_t i = 0; i < count; i++) {
        if (!path_fits(&table[i], request->http->path))
            continue;
        found = true;
        if (strcmp(table[i].method, method) != 0)
            continue;
        table[i].run(idp, request);
        return true;
    }
    if (found)
        reply_problem(request, 405, "%s is not answered here", request->http->method);
    return found;
}

bool route_subresource(const struct serve_request *request, const char *prefix, const char *middle,
                       const char *suffix, struct serve_action *out)
{
    const char *path = request->http->path;
    struct arena *arena = request->http->arena;
    size_t len = strlen(path);

    if (strncmp(path, prefix, strlen(prefix)) != 0 || len < strlen(prefix) + strlen(suffix) ||
        strcmp(path + len - strlen(suffix), suffix) != 0)
        return false;
    path += strlen(prefix);
    len -= strlen(prefix) + strlen(suffix);
    const char *found = strstr(path, middle);
    if (found == NULL || found + strlen(middle) > path + len)
        return false;
    const char *rest = found + strlen(middle);
    out->namespace = arena_copy(arena, span_of(path, (size_t)(found - path)));
    out->name = arena_copy(arena, span_of(rest, (size_t)(path + len - rest)));
    return out->namespace != NULL && out->name != NULL &&
           kube_format_check(KUBE_DNS_LABEL, out->namespace) == NULL &&
           kube_format_check(KUBE_DNS_SUBDOMAIN, out->name) == NULL;
}

bool idp_route(void *ctx, struct serve_request *request)
{
    struct idp *idp = ctx;

    if (request->operator_socket)
        return run(idp, request, operator_routes, ARRAY_LEN(operator_routes));
    if (run(idp, request, routes, ARRAY_LEN(routes)) || service_account_route(idp, request) ||
        apikey_rotate_route(idp, request) || client_rotate_route(idp, request) ||
        users_route(idp, request) || federation_route(idp, request) || reach_route(idp, request) ||
        scim_route(idp, request))
        return true;
    if (!is_ours(request->http->path))
        return false;
    reply_problem(request, 404, "there is nothing at %s", request->http->path);
    return true;
}
