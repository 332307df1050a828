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
#include "idp/oauth/oauth.h"
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

/* ------------------------------------------------------------------ what went wrong */

struct fault {
    enum err_code code;
    unsigned status;
    enum page_says says; /* what a person can do about it */
};

static const struct fault faults[] = {
    {ERR_UNAVAILABLE, 503, SAYS_OUTSIDE_AWAY},
    {ERR_TIMEOUT, 503, SAYS_OUTSIDE_AWAY},
    {ERR_LIMITED, 503, SAYS_OUTSIDE_AWAY},
    {ERR_IO, 500, SAYS_OUTSIDE_REFUSED},
    {ERR_INTERNAL, 500, SAYS_OUTSIDE_REFUSED},
    {ERR_CORRUPT, 500, SAYS_OUTSIDE_REFUSED},
    {ERR_UNAUTHENTICATED, 401, SAYS_OUTSIDE_REFUSED},
    {ERR_EXISTS, 409, SAYS_OUTSIDE_TAKEN},
    {ERR_CONFLICT, 409, SAYS_OUTSIDE_SEVERAL},
    {ERR_NOT_FOUND, 403, SAYS_OUTSIDE_UNLINKED},
    {ERR_GONE, 403, SAYS_OUTSIDE_OVER},
};

/* OAuth 2.0 section 4.1.2.1. */
static bool was_cancelled(const struct flow *flow)
{
    const char *error = http_request_query(flow->request->http, "error");

    return error != NULL && strcmp(error, "access_denied") == 0;
}

static struct fault fault_of(const struct flow *flow, enum err_code code)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (faults[i].code == code)
            return faults[i];
    return (struct fault){.code = code,
                          .status = 403,
                          .says =
                              was_cancelled(flow) ? SAYS_OUTSIDE_CANCELLED : SAYS_OUTSIDE_REFUSED};
}

static void put_way(struct flow *flow, const char *class, const char *to, enum page_says what)
{
    struct buf *body = &flow->request->answer->body;

    buf_printf(body, "<a class=\"%s\" href=\"", class);
    page_put(body, to);
    buf_put_str(body, "\">");
    page_say(flow->request, what);
    buf_put_str(body, "</a>");
}

/* Once more the same way, unless it can only end the same; and back to where it began. */
static void put_ways_out(struct flow *flow, enum page_says says)
{
    CLEANUP(buf_free) struct buf again = BUF_INIT(URI_MAX);
    const char *back = codec_json_text(flow->record, "return", "/");

    if (json_object_get(flow->record, "linkUid") != NULL) {
        put_way(flow, "button primary", back, SAYS_OUTSIDE_TO_ACCOUNT);
        return;
    }
    bool lasting =
        says == SAYS_OUTSIDE_TAKEN || says == SAYS_OUTSIDE_SEVERAL || says == SAYS_OUTSIDE_UNLINKED;
    if (!lasting) {
        buf_printf(&again, PROVIDER_PREFIX "%s/start", flow->provider.name);
        oauth_put_query(&again, "return", back);
        put_way(flow, "button primary", buf_text(&again), SAYS_TRY_AGAIN);
    }
    buf_reset(&again);
    buf_put_str(&again, "/login");
    oauth_put_query(&again, "return", back);
    put_way(flow, lasting ? "button primary" : "button", buf_text(&again), SAYS_OUTSIDE_TO_SIGN_IN);
}

/* A person reads it, on the way between two sites. */
void flow_fail_err(struct flow *flow, const struct err *err)
{
    struct serve_request *request = flow->request;
    struct buf *body = &request->answer->body;
    struct fault fault = fault_of(flow, err->code);
    bool links = json_object_get(flow->record, "linkUid") != NULL;

    request->event.outcome = AUDIT_DENIED;
    request->event.reason = serve_keep(request, err->msg);
    if (flow->wants_json) {
        reply_problem(request, fault.status, "%s", err->msg);
        return;
    }
    buf_reset(body);
    page_begin(request, page_says(request, links ? SAYS_OUTSIDE_LINK_FAILED : SAYS_OUTSIDE_FAILED));
    buf_put_str(body, "<p>");
    page_say(request, fault.says);
    buf_put_str(body, "</p><p class=\"who\" role=\"alert\"><strong>");
    page_put(body, provider_display(&flow->provider));
    buf_put_str(body, "</strong>: ");
    page_put(body, err->msg);
    buf_put_str(body, "</p>");
    put_ways_out(flow, fault.says);
    page_finish(request, &(struct page_end){.status = fault.status});
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
