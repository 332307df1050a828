/* SPDX-License-Identifier: Apache-2.0 */
/* What a request or its answer met, as one record of the audit log: the first rule with what it
 * matched in its place, then the score and what each rule added to it. */
#include "gateway/module/waf.h"

#include "audit/audit.h"
#include "base/clock.h"
#include "base/num.h"
#include "gateway/hit_text.h"

#include <inttypes.h>

enum { OTHERS_MAX = 12, REASON_MAX = 500, SCORES_MAX = 260, WORD_MAX = 40, PATH_MAX_SHOWN = 80 };

/* ------------------------------------------------------------------ what a hit counts */

static uint64_t number_of(struct waf_tx *tx, const char *name)
{
    struct span text = waf_tx_variable(tx, name);
    struct err ignored = ERR_INIT;
    uint64_t value = 0;

    if (text.p == NULL || num_parse_u64(text, 0, INT32_MAX, name, &value, &ignored) < 0)
        return 0;
    return value;
}

static bool is_of_crs(const struct waf_hit *hit)
{
    for (size_t i = 0; i < hit->tag_count; i++)
        if (span_eq_str(hit->tags[i], "OWASP_CRS"))
            return true;
    return false;
}

uint64_t gw_waf_points(struct waf_tx *tx, const struct waf_hit *hit)
{
    static const char *const names[] = {[2] = "critical_anomaly_score",
                                        [3] = "error_anomaly_score",
                                        [4] = "warning_anomaly_score",
                                        [5] = "notice_anomaly_score"};

    if (hit->severity >= ARRAY_LEN(names) || names[hit->severity] == NULL || !is_of_crs(hit) ||
        span_has_prefix(hit->variable, "TX:"))
        return 0;
    return number_of(tx, names[hit->severity]);
}

/* CRS 4 and CRS 3 keep it under different names. */
uint64_t gw_waf_score(struct waf_tx *tx, bool of_answer)
{
    uint64_t newer = number_of(tx, of_answer ? "blocking_outbound_anomaly_score"
                                             : "blocking_inbound_anomaly_score");

    return newer > 0 ? newer
                     : number_of(tx, of_answer ? "outbound_anomaly_score" : "anomaly_score");
}

uint64_t gw_waf_threshold(struct waf_tx *tx, bool of_answer)
{
    return number_of(tx, of_answer ? "outbound_anomaly_score_threshold"
                                   : "inbound_anomaly_score_threshold");
}

/* ------------------------------------------------------------------ the record */

static void put_match(const struct waf_hit *hit, struct buf *out)
{
    buf_printf(out, "%.*s; ", (int)ngx_min(hit->msg.len, 160), (const char *)hit->msg.p);
    hit_text_put_word(hit->variable, 96, out);
    buf_put_str(out, ": ");
    hit_text_put_in_place(hit->variable, hit->value, hit->at, hit->len, out);
}

/* "; score 10 of 5; at /path; for NAMESPACE/NAME; rules 942100+5 ARGS:q, ...": who reads it begins
 * at the last "; score ", because what stands before may be a client's. "!" marks rules that refuse
 * by themselves. */
static void put_scores(const ngx_http_request_t *r, struct waf_tx *tx,
                       const struct gw_waf_subject *subject, const struct gw_waf_found *found,
                       struct buf *out)
{
    const struct waf_hit *hits = found->hits;

    buf_printf(out, "; score %" PRIu64 " of %" PRIu64 "; at ", gw_waf_score(tx, found->of_answer),
               gw_waf_threshold(tx, found->of_answer));
    hit_text_put_word(gw_span(r->uri), PATH_MAX_SHOWN, out);
    if (subject->service.len > 0) {
        buf_put_str(out, "; for ");
        hit_text_put_word(subject->service, PATH_MAX_SHOWN, out);
    }
    for (size_t i = 0; i < found->count; i++) {
        if (i == OTHERS_MAX || out->len + WORD_MAX > SCORES_MAX) {
            buf_put_str(out, ", ...");
            return;
        }
        buf_printf(out, "%s%u+%" PRIu64 "%s ", i == 0 ? "; rules " : ", ", hits[i].rule,
                   gw_waf_points(tx, &hits[i]), hits[i].disruptive ? "!" : "");
        hit_text_put_word(hits[i].variable, WORD_MAX, out);
    }
}

/* Who asks, for the record alone; NULL: nobody who could say so. The rules come before that is
 * asked for in earnest. */
static const struct auth_principal *asking(ngx_http_request_t *r,
                                           const struct gw_waf_subject *subject)
{
    static struct auth_principal room; /* one record at a time */
    struct err ignored = ERR_INIT;

    if (subject->call != NULL)
        return &subject->call->principal;
    return gw_worker_authenticate(r, &room, &ignored) < 0 || room.source == AUTH_NOBODY ? NULL
                                                                                        : &room;
}

static void put_event(ngx_http_request_t *r, const struct gw_waf_subject *subject, bool refused,
                      const char *rule, struct span reason)
{
    const struct auth_principal *who = asking(r, subject);
    const ngx_table_elt_t *agent = r->headers_in.user_agent;
    struct span none = span_of("", 0);
    struct audit_event event = {
        .event = span_str(AUDIT_WAF_HIT),
        .outcome = refused ? AUDIT_DENIED : AUDIT_SUCCESS,
        .status = refused ? NGX_HTTP_FORBIDDEN : 0,
        .actor = {.name = who == NULL ? none : auth_text(who, who->name),
                  .uid = who == NULL ? none : auth_text(who, who->uid),
                  .key_id = who == NULL ? none : auth_text(who, who->credential),
                  .session_id = who == NULL ? none : auth_text(who, who->session),
                  .source = who == NULL ? AUDIT_SOURCE_NONE : gw_audit_source(who->source)},
        .action = {.verb = span_str(refused ? "block" : "detect"),
                   .api_group = span_str("drun.io"),
                   .resource = span_str("wafrules"),
                   .namespace = subject->namespace,
                   .name = span_str(rule)},
        .reason = reason,
        .address = gw_span(r->connection->addr_text),
        .user_agent = agent == NULL ? none : gw_span(agent->value),
        .request_id = gw_span(subject->request_id),
    };

    gw_worker_record(r->connection->log, &event, 0);
}

static void put_limits(ngx_http_request_t *r, const struct gw_waf_subject *subject,
                       const struct gw_waf_found *found)
{
    static const struct {
        unsigned event;
        const char *why;
    } limits[] = {
        {WAF_EVENT_WORK_LIMIT, "the request asks for more work than one may; rules were left out"},
        {WAF_EVENT_MEMORY_LIMIT, "the request needs more memory than one may; rules were left out"},
        {WAF_EVENT_REQUEST_BODY, "the body is larger than the rules look at"},
        {WAF_EVENT_REGEX_LIMIT, "a pattern met its limit"},
    };
    static const char large[] = "the answer is larger than the rules look at";

    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        if ((found->events & limits[i].event) != 0)
            put_event(r, subject, found->refused, "limit", span_str(limits[i].why));
    /* Usually its beginning is enough. */
    if ((found->events & WAF_EVENT_RESPONSE_BODY) != 0 && found->refused)
        put_event(r, subject, true, "limit", span_str(large));
}

void gw_waf_record(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject,
                   const struct gw_waf_found *found)
{
    /* One record at a time; copied into the ring. */
    static uint8_t room[REASON_MAX + 1];
    static uint8_t tail[REASON_MAX + 1];
    struct buf scores = {.data = tail, .cap = sizeof(tail), .max = REASON_MAX};
    char rule[16];

    put_limits(r, subject, found);
    if (found->count == 0)
        return;
    put_scores(r, tx, subject, found, &scores);
    struct buf reason = {.data = room, .cap = sizeof(room), .max = REASON_MAX - scores.len};
    put_match(&found->hits[0], &reason);
    reason.max = REASON_MAX;
    reason.overflowed = false;
    buf_put_span(&reason, buf_span(&scores));
    snprintf(rule, sizeof(rule), "%u", found->hits[0].rule);
    put_event(r, subject, found->refused, rule, buf_span(&reason));
}

void gw_waf_message(const char *what, ngx_str_t request_id, char out[GW_WAF_MESSAGE_MAX])
{
    snprintf(out, GW_WAF_MESSAGE_MAX, "%s; the reference is %.*s", what, (int)request_id.len,
             (const char *)request_id.data);
}
