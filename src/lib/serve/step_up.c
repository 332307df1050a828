/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step-up authentication (RFC 9470): what a stolen browser must not be enough for. A person who has
 * a second factor shows it anew; who has none is asked for it only where the setting step-up says
 * "always".
 */
#include "base/mem.h"
#include "role/settings.h"
#include "serve/serve_internal.h"

/* Writes to these change who may what. "*": every resource of the group. */
static const struct dangerous {
    const char *group, *resource;
} dangerous[] = {
    {"rbac.authorization.k8s.io", "*"},
    {"drun.io", "users"},
    {"drun.io", "groups"},
    {"drun.io", "oidcclients"},
    {"drun.io", "identityproviders"},
};

/* Takes the next part of a path; empty at the end. */
static struct span part(const char **path)
{
    while (**path == '/')
        (*path)++;
    struct span found = span_of(*path, strcspn(*path, "/"));
    *path += found.len;
    return found;
}

/* /apis/GROUP/VERSION/[namespaces/NAME/]RESOURCE… */
static bool is_listed(const char *path)
{
    struct span group;
    struct span resource;

    if (!span_eq_str(part(&path), "apis"))
        return false;
    group = part(&path);
    (void)part(&path);
    resource = part(&path);
    if (span_eq_str(resource, "namespaces")) {
        (void)part(&path);
        resource = part(&path);
    }
    for (size_t i = 0; i < ARRAY_LEN(dangerous); i++)
        if (span_eq_str(group, dangerous[i].group) &&
            (dangerous[i].resource[0] == '*' || span_eq_str(resource, dangerous[i].resource)))
            return true;
    return false;
}

bool serve_is_dangerous(const struct serve_request *request)
{
    const char *method = request->http->method;

    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 &&
           is_listed(request->http->path);
}

struct auth_demand serve_step_up_demand(const struct serve *serve)
{
    const struct settings *settings = role_settings(serve->config.role);

    return (struct auth_demand){.level = AUTH_LEVEL_MFA,
                                .max_age_sec = (uint32_t)(settings->step_up_age_ms / 1000)};
}

void serve_challenge_step_up(struct serve_request *request, const struct auth_demand *demand)
{
    CLEANUP_FREE char *header =
        mem_printf("Bearer realm=\"drun\", error=\"insufficient_user_authentication\", "
                   "error_description=\"a second factor must be shown anew\", "
                   "acr_values=\"%s\", max_age=%u",
                   auth_level_acr(demand->level), demand->max_age_sec);

    http_answer_header(request->answer, "WWW-Authenticate", header);
}

/* A person signed in; without a level the token is a program's. */
static bool is_asked(const struct serve_request *request)
{
    const struct auth_principal *who = request->principal;

    if (who->source != AUTH_SESSION || who->level == AUTH_LEVEL_NONE)
        return false;
    /* A session without a second factor is of somebody who has none (idp sees to that). */
    return who->level > AUTH_LEVEL_PASSWORD ||
           role_settings(request->serve->config.role)->step_up == SETTINGS_STEP_UP_ALWAYS;
}

bool serve_step_up(struct serve_request *request)
{
    const struct auth_principal *who = request->principal;
    struct auth_demand demand = serve_step_up_demand(request->serve);
    struct err err = ERR_INIT;

    if (!is_asked(request) || auth_satisfies(who->level, who->auth_time, &demand))
        return true;
    serve_challenge_step_up(request, &demand);
    err_set(&err, ERR_UNAUTHENTICATED,
            "this changes who may what: a second factor must have been shown within the last %u "
            "minutes; sign in again",
            demand.max_age_sec / 60);
    request->event.outcome = AUDIT_DENIED;
    request->event.reason = serve_keep(request, err.msg);
    serve_answer_error(request, &err);
    return false;
}
