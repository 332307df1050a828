/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dynamic registration (RFC 7591) and its management (RFC 7592). The initial access token is any
 * credential of the platform that may create oidcclients: who may register is a matter of RBAC, and
 * an API key with the verb "create" does for a program.
 */
#include "idp/idp_internal.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "idp/oauth/registration.h"

enum { NAME_SIZE = 32 };

static void refuse(struct serve_request *request, const struct err *err)
{
    const char *code =
        strstr(err->msg, "edirect") != NULL ? "invalid_redirect_uri" : "invalid_client_metadata";

    if (err->code == ERR_INVALID || err->code == ERR_TOO_LARGE)
        reply_oauth(request, 400, code, err->msg);
    else
        reply_oauth_later(request, err);
}

static int make_name(char out[NAME_SIZE], struct err *err)
{
    uint8_t random[10];
    char hex[2 * sizeof(random) + 1];

    TRY(crypto_random(random, sizeof(random), err));
    enc_hex(span_of(random, sizeof(random)), hex);
    snprintf(out, NAME_SIZE, "dyn-%s", hex);
    return 0;
}

/* ------------------------------------------------------------------ the object */

static int put_client(struct idp *idp, const char *name, json_t *spec, json_t *old, json_t **out,
                      struct err *err)
{
    CLEANUP_JSON json_t *object =
        json_pack("{s:s, s:s, s:{s:s}, s:O}", "apiVersion", "drun.io/v1", "kind", "OidcClient",
                  "metadata", "name", name, "spec", spec);
    struct kube_change change = {.kind = &kube_oidc_client,
                                 .verb = old == NULL ? "create" : "update",
                                 .subresource = "",
                                 .namespace = "",
                                 .name = name,
                                 .old = old,
                                 .object = object};

    TRY(client_admit(idp, &change, err));
    TRY(kube_object_put(serve_kube(idp->serve), &kube_oidc_client, object, err));
    client_changed(idp, &change);
    *out = json_incref(object);
    return 0;
}

static void answer(struct idp *idp, struct serve_request *request, unsigned status,
                   const char *name, const json_t *object, const char *token)
{
    CLEANUP_FREE char *uri = mem_printf("%s/oauth2/register/%s", idp->url, name);
    const char *secret = codec_json_text(json_object_get(object, "status"), "clientSecret", NULL);
    CLEANUP_JSON json_t *body =
        json_pack("{s:s, s:s, s:s}", "client_id", name, "registration_client_uri", uri,
                  "registration_access_token", token);

    if (secret != NULL) {
        json_object_set_new(body, "client_secret", json_string(secret));
        json_object_set_new(body, "client_secret_expires_at", json_integer(0));
    }
    if (status == 201)
        json_object_set_new(body, "client_id_issued_at", json_integer(clock_wall_sec()));
    registration_put(json_object_get(object, "spec"), body);
    reply_json(request, status, body);
}

/* ------------------------------------------------------------------ registering */

static int create(struct idp *idp, struct serve_request *request, json_t *spec, struct err *err)
{
    CLEANUP_JSON json_t *object = NULL;
    char name[NAME_SIZE];
    char token[IDP_SECRET_SIZE];
    char id[IDP_ID_SIZE];

    TRY(make_name(name, err));
    TRY(put_client(idp, name, spec, NULL, &object, err));
    TRY(idp_random(token, err));
    idp_id_of(token, id);
    CLEANUP_JSON json_t *record = json_pack("{s:s}", "token", id);
    TRY(record_put(idp, REGISTRATIONS, name, record, NULL, err));
    request->event.action.name = serve_keep(request, name);
    answer(idp, request, 201, name, object, token);
    mem_wipe(token, sizeof(token));
    return 0;
}

void oidc_register(struct idp *idp, struct serve_request *request)
{
    struct serve_action action = {.verb = "create",
                                  .group = "drun.io",
                                  .resource = "oidcclients",
                                  .subresource = "",
                                  .namespace = "",
                                  .name = ""};
    CLEANUP_JSON json_t *spec = NULL;
    struct err err = ERR_INIT;

    request->event.event = span_str("drun.auth.registration");
    if (serve_authenticate(request) < 0 || !serve_authorize(request, &action))
        return;
    if (registration_read(request->http->body, &spec, &err) < 0 ||
        create(idp, request, spec, &err) < 0)
        refuse(request, &err);
}

/* ------------------------------------------------------------------ one's own registration */

/* The token of the registration; NULL when it was answered. */
static const char *check_token(struct idp *idp, struct serve_request *request, const char *name)
{
    const char *header = http_request_header(request->http, "Authorization");
    const char *token =
        header != NULL && strncasecmp(header, "Bearer ", 7) == 0 ? header + 7 : NULL;
    CLEANUP_JSON json_t *record = NULL;
    char id[IDP_ID_SIZE];
    struct err err = ERR_INIT;

    if (token != NULL && record_get(idp, REGISTRATIONS, name, &record, &err) == 0) {
        const char *wanted = codec_json_text(record, "token", "");
        idp_id_of(token, id);
        if (strlen(wanted) == strlen(id) && mem_equal_ct(wanted, id, strlen(id)))
            return token;
    }
    if (err.code != ERR_NONE && err.code != ERR_NOT_FOUND) {
        reply_oauth_later(request, &err);
        return NULL;
    }
    request->event.outcome = AUDIT_DENIED;
    http_answer_header(request->answer, "WWW-Authenticate",
                       "Bearer realm=\"drun\", error=\"invalid_token\"");
    reply_oauth(request, 401, "invalid_token", "this is not the registration's own token");
    return NULL;
}

static int replace(struct idp *idp, struct serve_request *request, const char *name, json_t *object,
                   const char *token, struct err *err)
{
    CLEANUP_JSON json_t *body = NULL;
    CLEANUP_JSON json_t *spec = NULL;
    CLEANUP_JSON json_t *changed = NULL;

    TRY(codec_json_parse(request->http->body, "the client metadata", &body, err));
    if (strcmp(codec_json_text(body, "client_id", ""), name) != 0)
        return err_set(err, ERR_INVALID, "client_id must be the client's own");
    TRY(registration_read(request->http->body, &spec, err));
    /* Whatever an administrator has set besides stays. */
    if (json_is_true(codec_json_at(object, "spec", "disabled", NULL)))
        json_object_set_new(spec, "disabled", json_true());
    TRY(put_client(idp, name, spec, object, &changed, err));
    answer(idp, request, 200, name, changed, token);
    return 0;
}

static int end(struct idp *idp, struct serve_request *request, const char *name,
               const json_t *object, struct err *err)
{
    struct kube_change change = {.kind = &kube_oidc_client,
                                 .verb = "delete",
                                 .subresource = "",
                                 .namespace = "",
                                 .name = name,
                                 .old = object};

    TRY(kube_object_delete(serve_kube(idp->serve), &kube_oidc_client, "", name, err));
    client_changed(idp, &change);
    reply_empty(request, 204);
    return 0;
}

void oidc_registration(struct idp *idp, struct serve_request *request)
{
    const char *name = request->http->path + strlen("/oauth2/register/");
    CLEANUP_JSON json_t *object = NULL;
    struct err err = ERR_INIT;
    int result;

    request->event.event = span_str("drun.auth.registration");
    reply_event(request, "drun.auth.registration", AUDIT_SOURCE_NONE, name, "");
    const char *token = check_token(idp, request, name);
    if (token == NULL)
        return;
    result = kube_object_get(serve_kube(idp->serve), &kube_oidc_client, "", name, &object, &err);
    if (result == 0 && strcmp(request->http->method, "PUT") == 0)
        result = replace(idp, request, name, object, token, &err);
    else if (result == 0 && strcmp(request->http->method, "DELETE") == 0)
        result = end(idp, request, name, object, &err);
    else if (result == 0)
        answer(idp, request, 200, name, object, token);
    if (result < 0)
        refuse(request, &err);
}
