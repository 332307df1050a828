/* SPDX-License-Identifier: Apache-2.0 */
/* A request through the rules, phases 1, 2 and 5 in one go; and its answer, phases 3, 4 and 5,
 * behind phases 1 and 2 once more: nothing of a transaction is kept meanwhile. */
#include "gateway/module/waf.h"

#include "openai/answer.h"
#include "waf/body/body.h"

#include <arpa/inet.h>

#define ANSWERS_VARIABLE "drun_answers" /* as the waf role's rules call it */

enum { BODY_MAX = 64 * 1024 * 1024, LOG_PHASE = 5, ANSWER_HITS_MAX = 32 };

struct span gw_waf_user(const struct gw_waf_subject *subject)
{
    const struct auth_principal *who = subject->call == NULL ? NULL : &subject->call->principal;

    return who == NULL ? span_of("", 0) : auth_text(who, who->name);
}

static uint16_t port_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    if (address->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    return 0;
}

static void start(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject)
{
    const ngx_connection_t *connection = r->connection;
    const struct waf_connection about = {
        .client_addr = gw_span(connection->addr_text),
        .server_addr = gw_span(connection->listening->addr_text),
        .client_port = port_of(connection->sockaddr),
        .server_port = port_of(connection->listening->sockaddr),
        .unique_id = gw_span(subject->request_id),
        .remote_user = gw_waf_user(subject),
    };

    waf_tx_start(tx, &about);
    waf_tx_set_variable(tx, GW_WAF_NAMESPACE, subject->namespace);
    waf_tx_set_variable(tx, GW_WAF_SERVICE, subject->service);
}

static void put_headers(const ngx_http_request_t *r, struct waf_tx *tx, struct span length)
{
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            bool is_length = &headers[i] == r->headers_in.content_length && length.p != NULL;
            waf_tx_request_header(tx, gw_span(headers[i].key),
                                  is_length ? length : gw_span(headers[i].value));
        }
    }
}

/* ------------------------------------------------------------------ the body */

static void put_piece(void *ctx, struct span piece)
{
    buf_put_span(ctx, piece);
}

/* A body that is cut has the length of what is left: what the rules see is one request. */
struct gw_waf_seen gw_waf_look(const struct openai_request *call, enum shape shape,
                               struct span body)
{
    static struct buf left = BUF_INIT(BODY_MAX); /* one request at a time */
    static char length[24];

    if (body.len == 0 || (call == NULL && shape == SHAPE_WHOLE))
        return (struct gw_waf_seen){.body = body};
    buf_reset(&left);
    if (call != NULL)
        openai_request_cut(call, gw_worker_texts(), put_piece, &left);
    else
        shape_cut(shape, body, put_piece, &left);
    int len = snprintf(length, sizeof(length), "%zu", left.len);
    return (struct gw_waf_seen){.body = buf_span(&left), .length = span_of(length, (size_t)len)};
}

/* ------------------------------------------------------------------ the rules */

static bool is_refused(const struct waf_tx *tx)
{
    return waf_tx_verdict(tx)->action >= WAF_DENY;
}

static void run(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject,
                const struct gw_waf_seen *seen)
{
    start(r, tx, subject);
    waf_tx_uri(tx, gw_span(r->method_name), gw_span(r->unparsed_uri), gw_span(r->http_protocol));
    put_headers(r, tx, seen->length);
    (void)waf_tx_request_headers_end(tx);
    if (is_refused(tx))
        return;
    (void)waf_tx_request_body(tx, seen->body);
    (void)waf_tx_request_body_end(tx);
}

static enum gw_waf_answers answers_of(struct waf_tx *tx)
{
    if (is_refused(tx) || !waf_tx_wants_answer(tx))
        return GW_WAF_NO_ANSWERS;
    struct span which = waf_tx_variable(tx, ANSWERS_VARIABLE);
    return which.p != NULL && span_eq_str(which, "errors") ? GW_WAF_ERRORS : GW_WAF_ALL_ANSWERS;
}

/* What was found, hits from `from` on. */
static struct gw_waf_found found_of(const struct waf_tx *tx, size_t from)
{
    struct gw_waf_found found = {.events = waf_tx_events(tx), .refused = is_refused(tx)};

    found.hits = waf_tx_hits(tx, &found.count) + from;
    found.count -= from;
    return found;
}

static struct gw_waf_logged logged_of(const struct gw_waf_found *found)
{
    struct gw_waf_logged logged = {.count = 0};

    for (size_t i = 0; i < found->count && logged.count < GW_WAF_LOGGED_MAX; i++)
        if (found->hits[i].phase == LOG_PHASE)
            logged.rules[logged.count++] = found->hits[i].rule;
    return logged;
}

bool gw_waf_judge(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject,
                  struct span body)
{
    struct gw_waf_seen seen =
        gw_waf_look(subject->call == NULL ? NULL : &subject->call->request, subject->shape, body);
    struct gw_waf_logged logged = {.count = 0};
    struct gw_waf_print print;
    enum gw_waf_answers answers;
    bool has_print = gw_waf_is_repeatable() && gw_waf_print_of(r, subject, &seen, &print);

    if (!has_print || !gw_waf_is_known(&print, &answers)) {
        run(r, tx, subject, &seen);
        answers = answers_of(tx);
        waf_tx_log(tx);
        struct gw_waf_found found = found_of(tx, 0);
        if (found.count == 0 && found.events == 0 && !found.refused && has_print)
            gw_waf_remember(&print, answers);
        gw_waf_record(r, tx, subject, &found);
        if (found.refused)
            return true;
        logged = logged_of(&found);
    }
    if (answers != GW_WAF_NO_ANSWERS && !gw_waf_follow(r, subject, &seen, answers, &logged))
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "drun: no memory to look at the answer of a request");
    return false;
}

/* ------------------------------------------------------------------ an answer */

static void put_answer_headers(const ngx_http_request_t *r, struct waf_tx *tx)
{
    const ngx_http_headers_out_t *out = &r->headers_out;

    if (out->content_type.len > 0)
        waf_tx_response_header(tx, span_str("Content-Type"), gw_span(out->content_type));
    for (const ngx_list_part_t *part = &out->headers.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++)
            if (headers[i].hash != 0)
                waf_tx_response_header(tx, gw_span(headers[i].key), gw_span(headers[i].value));
    }
}

/* What a client reads, as far as the rules look: the beginning of a long one, and of one that is
 * damaged what comes out of it. */
static struct span decoded(ngx_http_request_t *r, const struct gw_waf_answer_seen *seen)
{
    static struct buf plain = BUF_INIT(BODY_MAX); /* one answer at a time */
    uint64_t most = waf_engine_answer_limits(gw_waf_engine()).bytes;
    const struct waf_inflate_limits limits = {.out_max =
                                                  most == 0 || most > BODY_MAX ? BODY_MAX : most};
    CLEANUP(waf_inflate_free_ptr) struct waf_inflate *inflate = NULL;
    struct err err = ERR_INIT;

    if (seen->coding.len == 0)
        return seen->body;
    buf_reset(&plain);
    inflate = waf_inflate_new(&limits);
    if (waf_inflate_start(inflate, seen->coding, &err) < 0 ||
        waf_inflate_feed(inflate, seen->body, &plain, &err) < 0)
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "drun: an answer's body: %s", err.msg);
    return buf_span(&plain);
}

/* An answer of a model without what it says. What cannot be read is no such answer, and is looked
 * at whole; but where it is only the beginning of one, prose cannot be told from the rest. */
static struct span without_prose(const struct gw_waf_answer_seen *seen, struct span body)
{
    static struct openai_answer answer; /* one at a time */
    static struct buf left = BUF_INIT(BODY_MAX);
    struct err err = ERR_INIT;

    if (!seen->has_prose)
        return body;
    if (openai_answer_scan(body, &answer, &err) < 0)
        return seen->is_beginning ? span_of("", 0) : body;
    buf_reset(&left);
    openai_answer_cut(body, &answer, put_piece, &left);
    return buf_span(&left);
}

static void run_answer(ngx_http_request_t *r, struct waf_tx *tx,
                       const struct gw_waf_answer_seen *seen)
{
    put_answer_headers(r, tx);
    (void)waf_tx_response_headers_end(tx, (unsigned)r->headers_out.status,
                                      gw_span(r->http_protocol));
    if (!seen->has_body || is_refused(tx))
        return;
    (void)waf_tx_response_body(tx, without_prose(seen, decoded(r, seen)));
    (void)waf_tx_response_body_end(tx);
}

static bool is_new(const struct waf_hit *hit, const struct gw_waf_logged *logged)
{
    for (size_t i = 0; i < logged->count; i++)
        if (hit->phase == LOG_PHASE && hit->rule == logged->rules[i])
            return false;
    return true;
}

bool gw_waf_judge_answer(ngx_http_request_t *r, struct waf_tx *tx,
                         const struct gw_waf_subject *subject, const struct gw_waf_seen *asked,
                         const struct gw_waf_logged *logged, const struct gw_waf_answer_seen *seen)
{
    static struct waf_hit fresh[ANSWER_HITS_MAX]; /* one answer at a time */
    size_t before;

    run(r, tx, subject, asked);
    /* Rules of now may refuse what those of then let pass; it was served, and so is its answer. */
    if (is_refused(tx))
        return false;
    unsigned events = waf_tx_events(tx);
    (void)waf_tx_hits(tx, &before);
    run_answer(r, tx, seen);
    waf_tx_log(tx);
    struct gw_waf_found all = found_of(tx, before);
    struct gw_waf_found found = {
        .hits = fresh, .events = all.events & ~events, .refused = all.refused, .of_answer = true};
    for (size_t i = 0; i < all.count && found.count < ANSWER_HITS_MAX; i++)
        if (is_new(&all.hits[i], logged))
            fresh[found.count++] = all.hits[i];
    gw_waf_record(r, tx, subject, &found);
    return found.refused;
}
