/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /apis/waf.drun.io/v1: what is asked of the rules in force (docs/decisions/0039).
 *
 *     GET  /wafrules/ID   a rule as it was written
 *     POST /wafreviews    {"kind": "WafReview", "spec": {"request", "modelService"}}: what each
 * rule says to a request as on the wire; it goes nowhere and leaves no record
 *
 * A worker answers, and no role: it has the image, and reads such bytes anyway. RBAC: get on
 * wafrulesets in drun.io. Who may read the rules may ask them.
 */
#include "gateway/module/waf.h"

#include "base/num.h"
#include "codec/json.h"
#include "rbac/rbac.h"
#include "waf/raw.h"

#define ROOT    "/apis/waf.drun.io/v1"
#define RULES   ROOT "/wafrules/"
#define REVIEWS ROOT "/wafreviews"

enum { REPLY_MAX = 4 * 1024 * 1024, HITS_MAX = 100, AROUND_MAX = 200, MATCH_MAX = 2048 };

static ngx_int_t problem(ngx_http_request_t *r, ngx_uint_t status, const char *message)
{
    return gw_reply_problem(r, status, "refused", message, 0);
}

static ngx_int_t reply(ngx_http_request_t *r, json_t *answer)
{
    CLEANUP_JSON json_t *owned = answer;
    CLEANUP(buf_free) struct buf out = BUF_INIT(REPLY_MAX);

    if (owned == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    codec_json_put(owned, &out);
    return out.overflowed ? problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                    "The answer is too large; ask with a shorter request")
                          : gw_reply_json(r, NGX_HTTP_OK, buf_span(&out));
}

/* What is no UTF-8 is written as \xNN. */
static json_t *text_of(struct span text)
{
    json_t *plain = text.len == 0 ? json_string("") : json_stringn((const char *)text.p, text.len);

    if (plain != NULL)
        return plain;
    CLEANUP(buf_free) struct buf out = BUF_INIT(REPLY_MAX);
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] >= ' ' && text.p[i] < 0x7f)
            buf_put_u8(&out, text.p[i]);
        else
            buf_printf(&out, "\\x%02x", text.p[i]);
    return json_string(buf_text(&out));
}

/* ------------------------------------------------------------------ a rule */

static ngx_int_t tell_rule(ngx_http_request_t *r, const struct snapshot *image, struct span word)
{
    struct waf_rule_info rule;
    struct err err = ERR_INIT;
    char name[16];
    uint64_t id;

    if (num_parse_u64(word, 1, UINT32_MAX, "the rule", &id, &err) < 0 ||
        !waf_rule_find(image, (uint32_t)id, &rule))
        return problem(r, NGX_HTTP_NOT_FOUND, "There is no such rule in force");
    snprintf(name, sizeof(name), "%u", rule.id);
    return reply(r, json_pack("{s:s, s:s, s:{s:s}, s:{s:o, s:i, s:i, s:o}}", "apiVersion",
                              "waf.drun.io/v1", "kind", "WafRule", "metadata", "name", name, "spec",
                              "file", text_of(rule.file), "line", (int)rule.line, "phase",
                              (int)rule.phase, "text", text_of(rule.text)));
}

/* ------------------------------------------------------------------ a request */

struct review {
    struct waf_raw raw;
    struct span service;
    struct span namespace;
};

/* As the gateway would look at it: whose API it is. */
static bool api_of(struct span path, enum openai_api *out)
{
    static const struct {
        const char *path;
        enum openai_api api;
    } apis[] = {
        {"/v1/chat/completions", OPENAI_CHAT},
        {"/v1/completions", OPENAI_COMPLETIONS},
        {"/v1/embeddings", OPENAI_EMBEDDINGS},
        {"/v1/messages", OPENAI_MESSAGES},
        {"/v1/messages/count_tokens", OPENAI_COUNT_TOKENS},
        {"/v1/guard", OPENAI_TRY_GUARD},
    };

    for (size_t i = 0; i < ARRAY_LEN(apis); i++)
        if (span_eq_str(path, apis[i].path)) {
            *out = apis[i].api;
            return true;
        }
    return false;
}

static int look(const struct review *review, struct gw_waf_seen *out, struct err *err)
{
    static struct openai_request call; /* one review at a time */
    struct span uri = review->raw.uri;
    const uint8_t *query = memchr(uri.p, '?', uri.len);
    struct span path = span_of(uri.p, query == NULL ? uri.len : (size_t)(query - uri.p));
    struct openai_fault fault;
    enum openai_api api;

    if (review->raw.body.len > 0 && api_of(path, &api)) {
        if (openai_request_scan(api, review->raw.body, 0, gw_worker_texts(), &call, &fault, err) <
            0)
            return err_wrap(err, "the gateway refuses the body before the rules see it");
        *out = gw_waf_look(&call, SHAPE_WHOLE, review->raw.body);
        return 0;
    }
    bool is_object = span_has_prefix(path, "/api/") || span_has_prefix(path, "/apis/");
    *out = gw_waf_look(NULL, is_object ? SHAPE_OBJECT : SHAPE_WHOLE, review->raw.body);
    return 0;
}

static bool is_length(struct span name)
{
    static const char length[] = "content-length";

    return name.len == sizeof(length) - 1 &&
           ngx_strncasecmp((u_char *)(uintptr_t)name.p, (u_char *)(uintptr_t)length, name.len) == 0;
}

static int run(struct waf_tx *tx, const struct review *review, struct err *err)
{
    const struct waf_connection about = {.client_addr = span_str("192.0.2.1"),
                                         .server_addr = span_str("192.0.2.2"),
                                         .client_port = 40000,
                                         .server_port = 443,
                                         .unique_id = span_str("review"),
                                         .remote_user = span_str("")};
    struct span left = review->raw.headers;
    struct span name, value;
    struct gw_waf_seen seen;

    TRY(look(review, &seen, err));
    waf_tx_start(tx, &about);
    waf_tx_set_variable(tx, GW_WAF_NAMESPACE, review->namespace);
    waf_tx_set_variable(tx, GW_WAF_SERVICE, review->service);
    waf_tx_uri(tx, review->raw.method, review->raw.uri, review->raw.protocol);
    while (waf_raw_header(&left, &name, &value))
        waf_tx_request_header(tx, name,
                              is_length(name) && seen.length.p != NULL ? seen.length : value);
    if (waf_tx_request_headers_end(tx)->action < WAF_DENY) {
        (void)waf_tx_request_body(tx, seen.body);
        (void)waf_tx_request_body_end(tx);
    }
    waf_tx_log(tx);
    return 0;
}

static json_t *hit_of(struct waf_tx *tx, const struct waf_hit *hit)
{
    size_t from = hit->at - NUM_MIN(hit->at, (uint32_t)AROUND_MAX);
    size_t end = (size_t)hit->at + hit->len;
    size_t to = end + NUM_MIN(hit->value.len - end, (size_t)AROUND_MAX);
    json_t *tags = json_array();
    struct waf_rule_info rule;
    bool known = waf_rule_find(gw_waf_image(), hit->rule, &rule);

    for (size_t i = 0; i < hit->tag_count; i++)
        json_array_append_new(tags, text_of(hit->tags[i]));
    return json_pack(
        "{s:i, s:o, s:o, s:i, s:i, s:b, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "rule", (int)hit->rule,
        "message", text_of(hit->msg), "file", text_of(hit->file), "line", (int)hit->line, "phase",
        (int)hit->phase, "refuses", hit->disruptive, "points", (json_int_t)gw_waf_points(tx, hit),
        "variable", text_of(hit->variable), "before",
        text_of(span_of(hit->value.p + from, hit->at - from)), "match",
        text_of(span_of(hit->value.p + hit->at, NUM_MIN((size_t)hit->len, (size_t)MATCH_MAX))),
        "after", text_of(span_of(hit->value.p + end, to - end)), "tags", tags, "text",
        text_of(known ? rule.text : span_of("", 0)));
}

static json_t *verdict_of(struct waf_tx *tx)
{
    const struct waf_verdict *verdict = waf_tx_verdict(tx);
    json_t *list = json_array();
    bool refused = verdict->action >= WAF_DENY;
    bool would = refused;
    size_t count;
    const struct waf_hit *hits = waf_tx_hits(tx, &count);

    for (size_t i = 0; i < count; i++)
        would = would || hits[i].disruptive;
    for (size_t i = 0; i < count && i < HITS_MAX; i++)
        json_array_append_new(list, hit_of(tx, &hits[i]));
    return json_pack("{s:s, s:s, s:{s:s, s:i, s:I, s:I, s:I, s:o}}", "apiVersion", "waf.drun.io/v1",
                     "kind", "WafReview", "status", "verdict",
                     refused ? "refused"
                     : would ? "detected"
                             : "passed",
                     "rule", (int)verdict->rule, "score", (json_int_t)gw_waf_score(tx, false),
                     "threshold", (json_int_t)gw_waf_threshold(tx, false), "hitCount",
                     (json_int_t)count, "hits", list);
}

static ngx_int_t judge(ngx_http_request_t *r, struct waf_tx *tx)
{
    CLEANUP_JSON json_t *asked = NULL;
    struct review review = {0};
    struct err err = ERR_INIT;
    struct span body;

    if (gw_body(r, &body) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    const json_t *request = codec_json_parse(body, "the body", &asked, &err) < 0
                                ? NULL
                                : codec_json_at(asked, "spec", "request", NULL);
    if (!json_is_string(request))
        return problem(r, NGX_HTTP_BAD_REQUEST,
                       "The body must be a WafReview whose spec.request is a text");
    struct span text = span_of(json_string_value(request), json_string_length(request));
    if (waf_raw_read(text, &review.raw, &err) < 0)
        return problem(r, NGX_HTTP_BAD_REQUEST, err.msg);
    const json_t *spec = json_object_get(asked, "spec");
    review.service = span_str(codec_json_text(spec, "modelService", ""));
    review.namespace = span_of(review.service.p, strcspn((const char *)review.service.p, "/"));
    if (run(tx, &review, &err) < 0)
        return problem(r, NGX_HTTP_BAD_REQUEST, err.msg);
    return reply(r, verdict_of(tx));
}

/* ------------------------------------------------------------------ who may */

static bool may(const struct snapshot *policy, const struct auth_principal *who)
{
    struct span groups[AUTH_GROUPS_MAX];
    struct span none = span_of("", 0);
    struct rbac_request request = {
        .user = {.name = auth_text(who, who->name), .groups = groups},
        .verb = span_str("get"),
        .api_group = span_str("drun.io"),
        .resource = span_str("wafrulesets"),
        .subresource = none,
        .namespace = none,
        .name = none,
        .path = none,
    };

    request.user.group_count = auth_groups(who, groups);
    return auth_scope_allows_verb(who, span_str("get")) && rbac_decide(policy, &request, NULL);
}

ngx_int_t gw_waf_desk(ngx_http_request_t *r)
{
    static struct auth_principal who; /* of one answer at a time */
    struct span path = gw_span(r->uri);
    bool reviews = span_eq_str(path, REVIEWS);
    struct err err = ERR_INIT;

    /* The firewall has read the body; without it there is nobody to ask. */
    ngx_int_t rc = r->request_body != NULL ? NGX_OK : ngx_http_discard_request_body(r);
    if (rc != NGX_OK)
        return rc;
    if (!reviews && !span_has_prefix(path, RULES))
        return problem(r, NGX_HTTP_NOT_FOUND, "There are wafrules and wafreviews here");
    if (r->method != (reviews ? NGX_HTTP_POST : NGX_HTTP_GET))
        return problem(r, NGX_HTTP_NOT_ALLOWED,
                       "Rules are read with GET and reviews are asked with POST");
    if (gw_worker_authenticate(r, &who, &err) < 0 || who.source == AUTH_NOBODY)
        return problem(r, NGX_HTTP_UNAUTHORIZED, "This needs a credential that holds");
    const struct snapshot *policy = gw_worker_policy(r);
    struct waf_tx *tx = gw_waf_tx(r->connection->log);
    if (policy == NULL || tx == NULL)
        return gw_reply_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE, "not_ready",
                                "No rules are in force: the firewall is off, or it is starting",
                                1000);
    if (!may(policy, &who))
        return problem(r, NGX_HTTP_FORBIDDEN,
                       "You have no right to this: it needs get on wafrulesets in drun.io");
    size_t skip = sizeof(RULES) - 1;
    return reviews ? judge(r, tx)
                   : tell_rule(r, gw_waf_image(), span_of(path.p + skip, path.len - skip));
}
