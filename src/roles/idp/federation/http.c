/* SPDX-License-Identifier: Apache-2.0 */
/* GET /session/providers, and what is below it. */
#include "idp/federation/federation.h"

#include "base/mem.h"
#include "codec/json.h"

void federation_providers(struct idp *idp, struct serve_request *request)
{
    CLEANUP_JSON json_t *items = NULL;
    struct err err = ERR_INIT;

    request->event.event = span_str("");
    if (provider_list(idp, http_request_query(request->http, "username"), &items, &err) < 0) {
        reply_err(request, &err);
        return;
    }
    CLEANUP_JSON json_t *body = json_pack("{s:O}", "providers", items);
    reply_json(request, 200, body);
}

static void sign_in(struct idp *idp, struct serve_request *request, const struct provider *provider)
{
    CLEANUP_JSON json_t *body = session_body(idp, request);

    if (body != NULL)
        directory_sign_in(idp, request, provider, codec_json_text(body, "username", ""),
                          codec_json_text(body, "password", ""));
}

typedef void provider_fn(struct idp *idp, struct serve_request *request,
                         const struct provider *provider);

static const struct {
    const char *method, *what;
    bool oidc;
    provider_fn *run;
} rows[] = {
    {"GET", "start", true, flow_start},
    {"GET", "callback", true, flow_callback},
    {"POST", "backchannel", true, federation_backchannel},
    {"POST", "sign-in", false, sign_in},
};

bool federation_route(struct idp *idp, struct serve_request *request)
{
    const char *path = request->http->path;
    CLEANUP(provider_free) struct provider provider = {.name = ""};
    struct err err = ERR_INIT;

    if (strncmp(path, PROVIDER_PREFIX, strlen(PROVIDER_PREFIX)) != 0)
        return false;
    path += strlen(PROVIDER_PREFIX);
    const char *slash = strchr(path, '/');
    for (size_t i = 0; slash != NULL && i < ARRAY_LEN(rows); i++) {
        if (strcmp(slash + 1, rows[i].what) != 0 ||
            strcmp(request->http->method, rows[i].method) != 0)
            continue;
        CLEANUP_FREE char *name = mem_strndup(path, (size_t)(slash - path));
        if (provider_load(idp, name, &provider, &err) < 0)
            reply_err(request, &err);
        else if ((provider.oidc != NULL) != rows[i].oidc)
            reply_problem(request, 404, "the provider %s has no such thing", name);
        else
            rows[i].run(idp, request, &provider);
        return true;
    }
    return false;
}
