/* SPDX-License-Identifier: Apache-2.0 */
/* What a request or its answer met, as one record of the audit log: the first rule with what it
 * matched, and the ids of the others. */
#include "gateway/module/waf.h"

#include "audit/audit.h"
#include "base/clock.h"
#include "gateway/hit_text.h"

enum { OTHERS_MAX = 12, REASON_MAX = 480 };

static void put_reason(const struct waf_hit *hit, struct buf *out)
{
    struct span match = span_of(hit->value.p + hit->at, hit->len);

    buf_printf(out, "%.*s; %.*s: ", (int)ngx_min(hit->msg.len, 160), (const char *)hit->msg.p,
               (int)ngx_min(hit->variable.len, 96), (const char *)hit->variable.p);
    hit_text_put(hit->variable, match, out);
}

static void put_others(const struct waf_hit *hits, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count && i < OTHERS_MAX; i++)
        buf_printf(out, "%s%u", i == 0 ? "; also " : ", ", hits[i].rule);
    if (count > OTHERS_MAX)
        buf_put_str(out, ", ...");
}

static void put_event(ngx_http_request_t *r, const struct gw_waf_subject *subject, bool refused,
                      const char *rule, struct span reason)
{
    const struct auth_principal *who = subject->call == NULL ? NULL : &subject->call->principal;
    const ngx_table_elt_t *agent = r->headers_in.user_agent;
    struct span none = span_of("", 0);
    struct audit_event event = {
        .event = span_str(AUDIT_WAF_HIT),
        .role = span_str("gateway"),
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

void gw_waf_record(ngx_http_request_t *r, const struct gw_waf_subject *subject,
                   const struct gw_waf_found *found)
{
    static uint8_t room[REASON_MAX + 1]; /* one record at a time; copied into the ring */
    struct buf reason = {.data = room, .cap = sizeof(room), .max = REASON_MAX};
    char rule[16];

    put_limits(r, subject, found);
    if (found->count == 0)
        return;
    put_reason(&found->hits[0], &reason);
    put_others(found->hits + 1, found->count - 1, &reason);
    snprintf(rule, sizeof(rule), "%u", found->hits[0].rule);
    put_event(r, subject, found->refused, rule, buf_span(&reason));
}

void gw_waf_message(const char *what, ngx_str_t request_id, char out[GW_WAF_MESSAGE_MAX])
{
    snprintf(out, GW_WAF_MESSAGE_MAX, "%s; the reference is %.*s", what, (int)request_id.len,
             (const char *)request_id.data);
}
