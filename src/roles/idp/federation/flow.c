/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in at an OpenID Connect provider: authorization code with PKCE, state and nonce, all of
 * one browser (ticket.c).
 *
 * Against mix-up (RFC 9700 section 2.1, RFC 9207): each provider has a redirect_uri of its own, the
 * state is good for one provider, and `iss` is checked where it comes or is announced.
 */
#include "idp/federation/flow.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "idp/oauth.h"
#include "idp/page.h"

enum { URI_MAX = 12 * 1024, RETURN_MAX = 2700, HINT_MAX = 254 };

struct flow *flow_new(struct idp *idp, struct serve_request *request,
                      const struct provider *provider)
{
    struct arena *arena = request->http->arena;
    struct flow *flow = arena_alloc(arena, sizeof(*flow));
    struct err err = ERR_INIT;

    if (arena_check(arena, "the request", &err) < 0) {
        reply_err(request, &err);
        return NULL;
    }
    *flow = (struct flow){.idp = idp, .request = request};
    provider_copy(provider, &flow->provider);
    return flow;
}

void flow_end(struct flow *flow)
{
    struct serve_request *request = flow->request;

    json_decref(flow->record);
    json_decref(flow->claims);
    json_decref(flow->userinfo);
    provider_free(&flow->provider);
    if (request->later)
        serve_answered(request);
}

/* A person reads it, on the way between two sites. */
void flow_fail(struct flow *flow, unsigned status, const char *why)
{
    struct serve_request *request = flow->request;
    struct buf *body = &request->answer->body;

    request->event.outcome = AUDIT_DENIED;
    request->event.reason = serve_keep(request, why);
    if (flow->wants_json) {
        reply_problem(request, status, "%s", why);
        return;
    }
    buf_reset(body);
    page_begin(request, "Signing in did not work");
    buf_put_str(body, "<p>");
    page_put(body, provider_display(&flow->provider));
    buf_put_str(body, ": ");
    page_put(body, why);
    buf_put_str(body, "</p><p><a href=\"/login\">Back to the sign-in</a></p>");
    page_finish(request, &(struct page_end){.status = status});
}

void flow_fail_err(struct flow *flow, const struct err *err)
{
    bool away =
        err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_LIMITED;
    bool ours = err->code == ERR_IO || err->code == ERR_INTERNAL || err->code == ERR_CORRUPT;

    flow_fail(flow,
              away                               ? 503
              : ours                             ? 500
              : err->code == ERR_EXISTS          ? 409
              : err->code == ERR_CONFLICT        ? 409
              : err->code == ERR_UNAUTHENTICATED ? 401
                                                 : 403,
              err->msg);
}

/* ------------------------------------------------------------------ texts */

static void redirect_uri(const struct flow *flow, struct buf *out)
{
    buf_printf(out, "%s" PROVIDER_PREFIX "%s/callback", flow->idp->url, flow->provider.name);
}

char *flow_redirect_uri(const struct flow *flow)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(IDP_URL_SIZE + 256);

    redirect_uri(flow, &uri);
    return buf_take(&uri);
}

/* A path of this origin; what could lead elsewhere becomes "/". */
static const char *safe_return(const char *path)
{
    if (path == NULL || path[0] != '/' || path[1] == '/' || strlen(path) > RETURN_MAX)
        return "/";
    for (const char *at = path; *at != '\0'; at++)
        if ((unsigned char)*at <= 0x20 || *at == 0x7f || *at == '\\')
            return "/";
    return path;
}

/* ------------------------------------------------------------------ going there */

static void put_challenge(const json_t *record, struct buf *out)
{
    uint8_t hash[CRYPTO_HASH_LEN];
    CLEANUP(buf_free) struct buf text = BUF_INIT(64);

    crypto_sha256(span_str(codec_json_text(record, "verifier", "")), hash);
    enc_base64_put(ENC_BASE64URL, span_of(hash, sizeof(hash)), &text);
    oauth_put_query(out, "code_challenge", buf_text(&text));
    oauth_put_query(out, "code_challenge_method", "S256");
}

static void put_scope(const json_t *oidc, struct buf *out)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(OAUTH_SCOPE_MAX);
    const json_t *scope;
    size_t i;

    json_array_foreach (json_object_get(oidc, "scopes"), i, scope)
        buf_printf(&text, "%s%s", i > 0 ? " " : "", json_string_value(scope));
    oauth_put_query(out, "scope", buf_text(&text));
}

static void go(struct flow *flow, const json_t *doc)
{
    CLEANUP(buf_free) struct buf uri = BUF_INIT(URI_MAX);
    CLEANUP(buf_free) struct buf back = BUF_INIT(IDP_URL_SIZE + 256);
    char state[IDP_SECRET_SIZE];
    struct err err = ERR_INIT;

    redirect_uri(flow, &back);
    if (ticket_make(flow, state, &err) < 0) {
        flow_fail_err(flow, &err);
        return;
    }
    buf_put_str(&uri, codec_json_text(doc, "authorization_endpoint", ""));
    oauth_put_query(&uri, "response_type", "code");
    oauth_put_query(&uri, "client_id", codec_json_text(flow->provider.oidc, "clientId", ""));
    oauth_put_query(&uri, "redirect_uri", buf_text(&back));
    put_scope(flow->provider.oidc, &uri);
    oauth_put_query(&uri, "state", state);
    oauth_put_query(&uri, "nonce", codec_json_text(flow->record, "nonce", ""));
    put_challenge(flow->record, &uri);
    if (flow->hint != NULL)
        oauth_put_query(&uri, "login_hint", flow->hint);
    if (buf_check(&uri, "the way to the provider", &err) < 0) {
        flow_fail_err(flow, &err);
    } else if (flow->wants_json) {
        CLEANUP_JSON json_t *body = json_pack("{s:s}", "location", buf_text(&uri));
        reply_json(flow->request, 200, body);
    } else {
        reply_redirect(flow->request, buf_text(&uri));
    }
}

static void on_metadata(void *ctx, const json_t *doc, const struct err *why)
{
    struct flow *flow = ctx;

    if (why != NULL)
        flow_fail_err(flow, why);
    else
        go(flow, doc);
    flow_end(flow);
}

static void start(struct flow *flow)
{
    const json_t *doc = metadata_now(flow->idp->federation, &flow->provider);
    struct err err = ERR_INIT;

    if (doc != NULL) {
        go(flow, doc);
    } else if (metadata_fetch(flow->idp->federation, &flow->provider, on_metadata, flow, &err) ==
               0) {
        serve_later(flow->request);
        return;
    } else {
        flow_fail_err(flow, &err);
    }
    flow_end(flow);
}

void flow_start(struct idp *idp, struct serve_request *request, const struct provider *provider)
{
    const char *hint = http_request_query(request->http, "login_hint");
    struct flow *flow = flow_new(idp, request, provider);

    request->event.event = span_str("");
    if (flow == NULL)
        return;
    if (hint != NULL && hint[0] != '\0' && strlen(hint) <= HINT_MAX)
        flow->hint = hint;
    flow->record =
        json_pack("{s:s}", "return", safe_return(http_request_query(request->http, "return")));
    if (flow->record == NULL)
        flow->record = json_pack("{s:s}", "return", "/");
    start(flow);
}

void flow_link(struct idp *idp, struct serve_request *request, const struct provider *provider,
               const struct account *account, const char *back)
{
    struct flow *flow = flow_new(idp, request, provider);

    if (flow == NULL)
        return;
    flow->wants_json = true;
    flow->record = json_pack("{s:s, s:s}", "return", safe_return(back), "linkUid", account->uid);
    start(flow);
}

/* ------------------------------------------------------------------ coming back */

/* RFC 9207: whoever says who he is must be the one that was asked. */
static int check_issuer(const struct flow *flow, const json_t *doc, struct err *err)
{
    const char *given = http_request_query(flow->request->http, "iss");
    bool announced =
        json_is_true(json_object_get(doc, "authorization_response_iss_parameter_supported"));

    if (given == NULL && announced)
        return err_set(err, ERR_DENIED, "the answer does not say from which issuer it is");
    if (given != NULL && strcmp(given, codec_json_text(flow->provider.oidc, "issuer", "")) != 0)
        return err_set(err, ERR_DENIED, "the answer is from another issuer");
    return 0;
}

static int check_answer(const struct flow *flow, struct err *err)
{
    const char *error = http_request_query(flow->request->http, "error");
    const char *code = http_request_query(flow->request->http, "code");

    if (error != NULL && strcmp(error, "access_denied") == 0)
        return err_set(err, ERR_DENIED, "it was not allowed there");
    if (error != NULL)
        return err_set(err, ERR_DENIED, "the provider answers \"%.64s\"", error);
    if (code == NULL || code[0] == '\0')
        return err_set(err, ERR_DENIED, "the provider's answer has no code");
    return 0;
}

static void with_metadata(struct flow *flow, const json_t *doc)
{
    struct err err = ERR_INIT;

    flow->token_endpoint =
        arena_strdup(flow->request->http->arena, codec_json_text(doc, "token_endpoint", ""));
    flow->jwks_uri = arena_strdup(flow->request->http->arena, codec_json_text(doc, "jwks_uri", ""));
    flow->userinfo_endpoint =
        arena_strdup(flow->request->http->arena, codec_json_text(doc, "userinfo_endpoint", ""));
    if (arena_check(flow->request->http->arena, "the request", &err) == 0 &&
        check_issuer(flow, doc, &err) == 0 && check_answer(flow, &err) == 0 &&
        flow_redeem(flow, &err) == 0) {
        if (!flow->request->later)
            serve_later(flow->request);
        return;
    }
    flow_fail_err(flow, &err);
    flow_end(flow);
}

static void on_callback_metadata(void *ctx, const json_t *doc, const struct err *why)
{
    struct flow *flow = ctx;

    if (why == NULL) {
        with_metadata(flow, doc);
        return;
    }
    flow_fail_err(flow, why);
    flow_end(flow);
}

void flow_callback(struct idp *idp, struct serve_request *request, const struct provider *provider)
{
    struct flow *flow = flow_new(idp, request, provider);
    struct err err = ERR_INIT;

    reply_event(request, AUDIT_LOGIN, AUDIT_SOURCE_PROVIDER, provider->endpoint, "");
    if (flow == NULL)
        return;
    if (ticket_take(flow, &err) == 0) {
        const json_t *doc = metadata_now(idp->federation, provider);
        if (doc != NULL) {
            with_metadata(flow, doc);
            return;
        }
        if (metadata_fetch(idp->federation, provider, on_callback_metadata, flow, &err) == 0) {
            serve_later(request);
            return;
        }
    }
    flow_fail_err(flow, &err);
    flow_end(flow);
}
