/* SPDX-License-Identifier: Apache-2.0 */
/* Pushed authorization requests (RFC 9126): what the user's browser would carry, told here by the
 * client itself, who has proved who it is. */
#include "idp/oauth/authorize_request.h"
#include "idp/oauth/pushed.h"

#include "base/clock.h"
#include "codec/json.h"
#include "idp/oauth/request_object.h"

static void refuse(struct serve_request *request, const char *code, const char *why)
{
    request->event.outcome = AUDIT_DENIED;
    reply_oauth(request, 400, code, why);
}

/* A signed request counts alone; -1 when it was answered. */
static int unwrap(struct idp *idp, struct serve_request *request, const struct client *client,
                  struct form *form)
{
    struct request_object_expect expect = {
        .client_id = client->id, .issuer = idp->url, .now = clock_wall_sec()};
    const char *text = form->value[FORM_REQUEST];
    struct err err = ERR_INIT;

    if (text == NULL)
        return 0;
    if (client_keys(idp, client, text, &expect.keys, &err) < 0) {
        reply_oauth_later(request, &err);
        return -1;
    }
    if (request_object_read(&expect, text, request->http->arena, form, &err) == 0)
        return 0;
    refuse(request, "invalid_request_object", err.msg);
    return -1;
}

static bool is_good(struct idp *idp, struct serve_request *request, const struct client *client,
                    const struct form *form, bool is_signed)
{
    CLEANUP_JSON json_t *targets = NULL;
    struct err err = ERR_INIT;
    const char *uri = form->value[FORM_REDIRECT_URI];
    struct authorize_wish wish;

    if (client->must_sign && !is_signed)
        refuse(request, "invalid_request", "this client's requests must be signed");
    else if (uri == NULL || !client_redirects_to(client, uri))
        refuse(request, "invalid_request",
               "the redirect_uri is not one that the client has registered");
    else if (targets_read(idp, client, form, NULL, &targets, &err) < 0)
        refuse(request, "invalid_target", err.msg);
    else if (authorize_read(client, form, clock_wall_sec(), &wish) < 0)
        refuse(request, wish.error, wish.why);
    else
        return true;
    return false;
}

static void keep(struct idp *idp, struct serve_request *request, const struct form *form,
                 bool is_signed)
{
    CLEANUP(pushed_free) struct pushed pushed = {.consented = ""};
    struct err err = ERR_INIT;

    if (pushed_new(idp, form, true, is_signed, PUSHED_SEC, &pushed, &err) < 0) {
        if (err.code == ERR_INVALID || err.code == ERR_TOO_LARGE)
            refuse(request, "invalid_request", err.msg);
        else
            reply_oauth_later(request, &err);
        return;
    }
    buf_printf(&request->answer->body, "{\"request_uri\":\"%s\",\"expires_in\":%d}", pushed.uri,
               PUSHED_SEC);
    reply_body(request, 201);
}

void oidc_par(struct idp *idp, struct serve_request *request)
{
    struct binding binding;
    struct form form;

    request->event.event = span_str("");
    if (form_read(request, &form) < 0)
        return;
    const struct client *client = client_of(idp, request, &form);
    if (client == NULL)
        return;
    request->event.event = span_str("");
    bool is_signed = form.value[FORM_REQUEST] != NULL;
    if (form.value[FORM_REQUEST_URI] != NULL) {
        refuse(request, "invalid_request", "a pushed request has no request_uri");
        return;
    }
    if (http_request_header(request->http, "DPoP") != NULL &&
        binding_of(idp, request, client, &binding) < 0)
        return;
    if (unwrap(idp, request, client, &form) < 0)
        return;
    /* The key of the proof is the key that the code will be bound to (RFC 9449 section 10.1). */
    if (http_request_header(request->http, "DPoP") != NULL) {
        const char *wanted = form.value[FORM_DPOP_JKT];
        if (wanted != NULL && strcmp(wanted, binding.jkt) != 0) {
            refuse(request, "invalid_dpop_proof", "dpop_jkt is not the key of the DPoP proof");
            return;
        }
        form.value[FORM_DPOP_JKT] = binding.jkt;
    }
    form.value[FORM_CLIENT_ID] = client->id;
    if (is_good(idp, request, client, &form, is_signed))
        keep(idp, request, &form, is_signed);
}
