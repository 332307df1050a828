/* SPDX-License-Identifier: Apache-2.0 */
/* The log phase: every call comes here once, also when its client went away in the middle. */
#include "gateway/module/cache.h"

#include "base/clock.h"
#include "base/num.h"

/* Numbers, lengths, names that we write ourselves, the address. */
enum { RECORD_FIXED = 768, ROUTED_MAX = 384 /* the backend and the tries */ };

enum audit_source gw_audit_source(enum auth_source source)
{
    switch (source) {
    case AUTH_API_KEY: return AUDIT_SOURCE_APIKEY;
    case AUTH_SESSION: return AUDIT_SOURCE_TOKEN;
    case AUTH_SERVICE_ACCOUNT: return AUDIT_SOURCE_SERVICEACCOUNT;
    case AUTH_OPERATOR: return AUDIT_SOURCE_OPERATOR;
    default: return AUDIT_SOURCE_NONE;
    }
}

static enum audit_outcome outcome_of(const struct gw_call *call, ngx_uint_t status)
{
    if (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN ||
        status == NGX_HTTP_NOT_FOUND || status == NGX_HTTP_TOO_MANY_REQUESTS)
        return AUDIT_DENIED;
    if (call->answer != NULL && gw_answer_was_blocked(call->answer))
        return AUDIT_DENIED;
    return status >= NGX_HTTP_BAD_REQUEST || call->cut ? AUDIT_FAILURE : AUDIT_SUCCESS;
}

/* The most that the record of this call can take: what is known already, and what is not yet. */
bool gw_record_promise(ngx_http_request_t *r, struct gw_call *call, bool is_routed)
{
    const ngx_table_elt_t *agent = r->headers_in.user_agent;
    const struct auth_principal *who = &call->principal;
    const size_t texts[] = {
        who->name.len,
        who->uid.len,
        who->credential.len,
        who->session.len,
        call->namespace.len,
        call->service.len,
        call->request_id.len,
        agent == NULL ? 0 : agent->value.len,
        strlen(call->request.model),
        sizeof(call->reason_room),
    };

    call->record_room = RECORD_FIXED;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        call->record_room += NUM_MIN(texts[i], (size_t)AUDIT_TEXT_MAX);
    if (is_routed)
        call->record_room += ROUTED_MAX;
    if (!gw_worker_promise(&call->record_room))
        return false;
    call->found_room = call->looks ? gw_notes_room(call) : 0;
    return gw_worker_promise(&call->found_room);
}

/* An engine that never answered used nothing. A model without a price has rates of 0. */
static void count_usage(struct gw_call *call)
{
    /* Counting tokens takes none. */
    bool answered = call->stage == GW_DECIDED && call->meter.bytes > 0 && !call->only_counts;

    if (answered)
        call->usage =
            openai_meter_usage(&call->meter, call->request.prompt_bytes, call->request.prompt_ids);
    struct limit_tokens tokens = {.input = call->usage.prompt_tokens,
                                  .cached_input = call->usage.cached_tokens,
                                  .output = call->usage.completion_tokens};
    call->cost = limit_cost(&call->rates, &tokens);
}

struct audit_event gw_call_event(const ngx_http_request_t *r, const struct gw_call *call)
{
    const struct auth_principal *who = &call->principal;

    return (struct audit_event){
        .actor = {.name = auth_text(who, who->name),
                  .uid = auth_text(who, who->uid),
                  .key_id = auth_text(who, who->credential),
                  .session_id = auth_text(who, who->session),
                  .source = gw_audit_source(who->source)},
        .action = {.verb = span_str("invoke"),
                   .api_group = span_str("drun.io"),
                   .resource = span_str("models"),
                   .namespace = gw_span(call->namespace),
                   .name = gw_span(call->service)},
        .address = gw_span(r->connection->addr_text),
        .request_id = gw_span(call->request_id),
        .model = {.model = span_str(call->request.model), .streaming = call->request.stream},
    };
}

static const char *reason_of(const struct gw_call *call)
{
    if (call->reason != NULL)
        return call->reason;
    if (call->answer != NULL && gw_answer_was_blocked(call->answer))
        return "the guard ended the answer";
    if (call->stage == GW_SHARING)
        return "the client left while a share of a budget was asked for";
    if (call->stage == GW_WAITING)
        return "the client left the line in front of the engine";
    if (call->withheld)
        return "the firewall withheld the answer";
    return call->cut ? "the engine stopped in the middle of the answer" : "";
}

static void put_event(ngx_http_request_t *r, struct gw_call *call, uint64_t now)
{
    const ngx_table_elt_t *agent = r->headers_in.user_agent;
    ngx_uint_t status = r->headers_out.status;
    struct audit_event event = gw_call_event(r, call);

    event.event = span_str(AUDIT_MODEL_CALL);
    event.outcome = outcome_of(call, status);
    event.status = (uint16_t)status;
    event.reason = span_str(reason_of(call));
    if (agent != NULL)
        event.user_agent = gw_span(agent->value);
    event.duration_ns = now - call->start_ns;
    event.model.input_tokens = call->usage.prompt_tokens;
    event.model.output_tokens = call->usage.completion_tokens;
    event.model.cached_tokens = call->usage.cached_tokens;
    event.model.cost_micros = call->cost;
    if (call->cost > 0)
        event.model.currency = gw_span(call->currency);
    event.model.cache = gw_cache_told(call);
    if (call->plan != NULL) {
        event.model.backend = gw_plan_name(call->plan);
        event.model.tries = gw_plan_told(call->plan);
    }
    gw_worker_record(r->connection->log, &event, call->record_room);
    call->record_room = 0;
}

static void put_findings(ngx_http_request_t *r, struct gw_call *call)
{
    bool blocked = call->answer != NULL && gw_answer_was_blocked(call->answer);

    if (call->found.count > 0)
        gw_notes_record(r, call, &call->found, true, blocked, call->found_room);
    else
        gw_worker_unpromise(call->found_room);
    call->found_room = 0;
}

ngx_int_t gw_log(ngx_http_request_t *r)
{
    struct gw_call *call = gw_call_of(r);
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);

    if (call == NULL)
        return NGX_OK;
    uint64_t now = clock_mono_ns();
    if (call->plan != NULL && call->stage == GW_DECIDED)
        gw_plan_end(call);
    count_usage(call);
    gw_limits_settle(call, now);
    gw_line_leave(call);
    gw_limits_leave(call);
    gw_budgets_settle(call);
    put_findings(r, call);
    /* Listing models is no call of one. */
    if (conf->model_api || call->stage != GW_NEW)
        put_event(r, call, now);
    return NGX_OK;
}
