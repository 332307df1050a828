/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ngx_http_drun_module: the fast path of a model call, inside an nginx worker.
 *
 *     access phase    credential, body, schema, route, RBAC, scope, limits, edits of the body
 *     upstream        the engine's Unix socket
 *     filters         headers of the answer; usage counted in the stream
 *     log phase       limits settled, one audit event
 *
 * All memory is the request's pool, or what the worker made before and uses again. Nothing here
 * waits. The directives are in module.c. For this folder.
 */
#ifndef DRUN_GATEWAY_MODULE_H
#define DRUN_GATEWAY_MODULE_H

/* nginx's headers come first: they set up the system's. */
#include <ngx_config.h>

#include <ngx_core.h>
#include <ngx_http.h>

#include "audit/audit.h"
#include "auth/auth.h"
#include "base/span.h"
#include "guard/guard.h"
#include "limit/breakers.h"
#include "limit/budget.h"
#include "limit/limit.h"
#include "limit/places.h"
#include "limit/price.h"
#include "limit/queue.h"
#include "openai/meter.h"
#include "openai/openai.h"
#include "snapshot/policy.h"

#include <sys/un.h>

extern ngx_module_t ngx_http_drun_module;
extern ngx_module_t ngx_http_drun_waf_module; /* the firewall's look at answers: waf_answer.c */

enum { GW_REQUEST_ID_MAX = 64, GW_RINGS_MAX = 64, GW_HEADER_MAX = 48 };

struct gw_ring {
    ngx_int_t ring_fd;
    ngx_int_t bell_fd;
};

/* What becomes of a call whose record finds no room. */
enum gw_audit_full { GW_AUDIT_REFUSE, GW_AUDIT_DROP };

/* Without rules of the firewall in force, requests are served or not. */
enum gw_waf { GW_WAF_OFF, GW_WAF_OPEN, GW_WAF_CLOSED };

struct gw_main_conf {
    ngx_str_t run_dir;     /* where the snapshots are published */
    ngx_str_t state_dir;   /* where the workers share their limits */
    ngx_str_t data_dir;    /* the same, what outlives a boot: their budgets */
    ngx_array_t *rings;    /* struct gw_ring, one for each worker; NULL: no audit */
    ngx_uint_t audit_full; /* an enum gw_audit_full */
    bool interface_known;  /* stated, and ours */
    ngx_uint_t waf;        /* an enum gw_waf */
    size_t cache_bytes;    /* for answers that are kept; 0: none are */
    ngx_uint_t gateways;   /* that share limits and budgets */
    ngx_int_t lease_bell;  /* of the keeper, who asks for shares; with several */
};

struct gw_loc_conf {
    ngx_flag_t model_api;
    enum openai_api api;
    ngx_flag_t refuse_unknown;
    ngx_flag_t waf_objects;    /* bodies are manifests: what they hold is not looked at */
    ngx_uint_t default_tokens; /* for an answer, when neither the request nor the route says */
};

/* ------------------------------------------------------------------ the binary (interface.c) */

/* drun_interface ID; the first line, so that no unknown directive is met before it. */
char *gw_interface_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* It was there. */
char *gw_interface_check(ngx_conf_t *cf, const struct gw_main_conf *main);

/* ------------------------------------------------------------------ the worker (worker.c) */

/* NULL in a process that serves no requests. One a process, as nginx has it. */
struct gw_worker;

ngx_int_t gw_worker_start(ngx_cycle_t *cycle, const struct gw_main_conf *conf);
void gw_worker_stop(ngx_cycle_t *cycle);

/* For each: 0, or -1 with the error to answer. */
int gw_worker_authenticate(ngx_http_request_t *r, struct auth_principal *out, struct err *err);
/* The policy in force, NULL before the first one. Valid until the next call. */
const struct snapshot *gw_worker_policy(ngx_http_request_t *r);
struct limit_table *gw_worker_limits(void);
struct limit_places *gw_worker_places(void);
struct limit_breakers *gw_worker_breakers(void);
struct limit_budgets *gw_worker_budgets(void);
struct limit_queue *gw_worker_queue(void);
/* That share limits and budgets; 1: this one is alone. */
unsigned gw_worker_gateways(void);
/* The strings of the request that was read last: those of the call while gw_decide() runs. */
struct openai_texts *gw_worker_texts(void);
/* Room for a record of at most `bytes`, kept until gw_worker_record() gets the same number. False
 * when the ring has none left and calls are refused then; 0 bytes are kept where they are not. */
bool gw_worker_promise(size_t *bytes);
/* There is no record after all. */
void gw_worker_unpromise(size_t promised);
void gw_worker_record(ngx_log_t *log, const struct audit_event *event, size_t promised);

/* ------------------------------------------------------------------ a request (call.c) */

/* NULL when it is not there. */
const ngx_table_elt_t *gw_header_in(const ngx_http_request_t *r, const char *name);

/* The connection is read from now on without a read(2) that finds nothing (tls.c). */
void gw_tls_read_once(ngx_http_request_t *r);

/* The asks of a call's limits, in this order; those that do not apply have limit 0. */
enum gw_limit {
    GW_KEY_REQUESTS,
    GW_KEY_TOKENS,
    GW_NAMESPACE_REQUESTS,
    GW_NAMESPACE_TOKENS,
    GW_ROUTE_REQUESTS,
    GW_ROUTE_TOKENS,
    GW_LIMIT_COUNT
};
static inline bool gw_limit_is_tokens(size_t limit)
{
    return limit % 2 == 1;
}

/* Whose calls at the same time are counted. */
enum { GW_PLACES = 3 };

enum gw_stage {
    GW_NEW,
    GW_READING, /* the body */
    GW_SHARING, /* the gateway's share of a budget is too small; it tries again */
    GW_WAITING, /* allowed, in the line in front of the engine */
    GW_DECIDED, /* allowed: goes to the engine */
    GW_KEPT,    /* allowed: answered here, with what was kept */
    GW_REFUSED, /* answered here */
};

/* A budget of the calendar or a rate that a call has to fit into; budgets.c, rates.c. */
struct gw_budget {
    struct limit_charge charge;
    struct limit_budget_answer answer;
    struct limit_reservation *rate; /* NULL: a budget of the calendar */
    uint64_t whole_after_ns;        /* of a rate: until nothing of it is used */
    uint64_t limit;
    enum policy_measure measure;
    enum policy_window window;
    bool of_model;  /* another model, another charge */
    ngx_str_t name; /* "policy/rule" */
};

/* As many engines as a call is tried at. */
enum { GW_ENGINES_MAX = 6 };

/* What the guard found: how much, and the first of it. */
enum { GW_NOTES_MAX = 6 };
struct gw_note {
    uint8_t detector;
    uint8_t action; /* enum guard_action */
    uint8_t role;   /* enum openai_role */
    bool encoded;
    uint32_t index;  /* of the message, prompt, input or choice */
    uint64_t offset; /* bytes, in the text that it stands in */
};
struct gw_notes {
    uint32_t count;
    struct gw_note note[GW_NOTES_MAX];
};

/* Everything about one model call; lives as long as the request's pool. */
struct gw_call {
    struct gw_call *next; /* among those that ended */
    enum gw_stage stage;
    uint64_t start_ns;
    ngx_str_t request_id;
    u_char request_id_room[GW_REQUEST_ID_MAX];
    struct openai_request request;
    struct openai_fault fault;
    const char *reason; /* why it was refused; for the audit; or NULL */
    char reason_room[256];
    /* The route, copied: a snapshot may go away while the call lasts. */
    ngx_str_t namespace;
    ngx_str_t service;
    ngx_str_t engine_name; /* for nginx's own log */
    struct sockaddr_un engine;
    /* Where a service has several engines; replicas.c. */
    bool of_several;
    bool engine_refused;             /* the one that was tried last has not seen the call */
    ngx_uint_t engine_tries;         /* begun */
    ngx_uint_t engine_left;          /* what nginx was told that it has left */
    struct limit_place engine_place; /* counts the call there */
    ngx_http_request_t *engine_asks;
    uint64_t engines_failed[GW_ENGINES_MAX]; /* of the call; by their sockets' keys */
    size_t engines_failed_count;
    /* Limits. */
    struct limit_reservation reservation;
    struct limit_answer limits;
    struct limit_ask asks[GW_LIMIT_COUNT];
    bool reserved;
    size_t record_room;                   /* kept in the audit ring for the record of this call */
    struct limit_place places[GW_PLACES]; /* of the key, the namespace, the route */
    struct gw_budget *budgets;            /* in the request's pool */
    size_t budget_count;
    bool answer_budgeted; /* one of them is of tokens or cost */
    struct limit_rates rates;
    ngx_str_t currency; /* empty: the model has no price */
    bool only_counts;   /* what a prompt would take */
    bool answer_limits; /* there are limits to tell the client about */
    bool quiet;         /* a refusal is not answered: there is another backend */
    /* In the line in front of the engine, or for a share of a budget. */
    bool waits;
    unsigned share_tries;
    struct limit_turn turn;
    ngx_queue_t in_line;
    ngx_event_t wait_timer; /* its data is the request */
    /* The guard. */
    bool looks; /* into the answer */
    struct guard_policy answer_policy;
    struct gw_notes found;    /* in the answer */
    size_t found_room;        /* kept in the audit ring for the record of that */
    struct gw_answer *answer; /* looked at or translated; NULL: it passes as it is */
    /* The answer. */
    struct gw_plan *plan;   /* of a model route; NULL: the one service that was called */
    struct gw_cache *cache; /* NULL: the service keeps no answers; cache.c */
    bool metering;
    bool cut;      /* the engine died in the middle */
    bool withheld; /* by the firewall: what goes out is a refusal */
    struct openai_usage usage;
    uint64_t cost; /* of that, in millionths */
    ngx_chain_t *out;
    ngx_chain_t **last_out;
    ngx_chain_t *free;
    ngx_chain_t *busy;
    ngx_buf_t *room;
    ngx_int_t emit_failed;
    struct openai_meter meter;
    struct auth_principal principal;
};

/* NULL when the request is no model call, or too early. */
struct gw_call *gw_call_of(ngx_http_request_t *r);
struct gw_call *gw_call_new(ngx_http_request_t *r);

/* ------------------------------------------------------------------ the phases */

/* For the tables of directives: the handler in `cmd->post` answers in this location; module.c. */
char *gw_set_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t gw_add_handler(ngx_conf_t *cf, ngx_http_phases phase, ngx_http_handler_pt handler);

ngx_int_t gw_access(ngx_http_request_t *r);                       /* access.c */
ngx_int_t gw_decide(ngx_http_request_t *r, struct gw_call *call); /* decide.c */
/* The same from the limits on, for a call that waited for a share of a budget. */
ngx_int_t gw_decide_again(ngx_http_request_t *r, struct gw_call *call);
/* The body in one piece. nginx is told to keep it in one buffer, but need not; body.c. */
ngx_int_t gw_body(ngx_http_request_t *r, struct span *out);
/* NGX_DECLINED: the firewall has nothing against it; waf_access.c. */
ngx_int_t gw_waf_preaccess(ngx_http_request_t *r);
ngx_int_t gw_waf_call(ngx_http_request_t *r, struct gw_call *call);
/* Answers /apis/waf.drun.io/v1; waf_desk.c. */
ngx_int_t gw_waf_desk(ngx_http_request_t *r);
/* What a call can take at most, in tokens; estimate.c. */
struct gw_most {
    uint64_t input;
    uint64_t output;
    uint64_t sum; /* of both; less where they share a context */
};
void gw_most_tokens(ngx_http_request_t *r, const struct gw_call *call,
                    const struct policy_route *route, struct gw_most *out);
uint64_t gw_likely_tokens(ngx_http_request_t *r, const struct gw_call *call,
                          const struct policy_route *route);
/* For an answer that the request does not limit; 0: none. A budget holds only when there is one. */
uint64_t gw_answer_limit(const struct gw_loc_conf *conf, const struct gw_call *call,
                         const struct policy_route *route);
bool gw_makes_text(const struct gw_loc_conf *conf);
/* RBAC and the scope of the credential. */
bool gw_may_invoke(const struct snapshot *policy, const struct auth_principal *principal,
                   const struct policy_route *route);
/* NGX_DECLINED: there is a place for it. */
ngx_int_t gw_limits_enter(ngx_http_request_t *r, struct gw_call *call,
                          const struct policy_namespace *ns,
                          const struct policy_route *route); /* limits.c */
/* At the end of a call, however it ends. */
void gw_limits_leave(struct gw_call *call);
ngx_int_t gw_limits_reserve(ngx_http_request_t *r, struct gw_call *call, uint64_t tokens,
                            const struct policy_namespace *ns,
                            const struct policy_route *route); /* limits.c */
void gw_limits_settle(struct gw_call *call, uint64_t now);
/* The credential that calls, or who calls without one. */
struct span gw_caller(const struct gw_call *call);
/* NGX_DECLINED: the call fits into all of them; budgets.c. */
ngx_int_t gw_budgets_reserve(ngx_http_request_t *r, struct gw_call *call,
                             const struct snapshot *policy, const struct gw_most *most,
                             const struct policy_namespace *ns, const struct policy_route *route);
void gw_budgets_settle(struct gw_call *call);
/* "400", "400 tokens", "0.05 EUR"; for one message. */
struct gw_amount {
    char text[64];
};
struct gw_amount gw_amount(const struct gw_call *call, enum policy_measure measure, uint64_t value,
                           bool with_unit);
/* A rule that is a rate: the same as gw_budgets_reserve(), for it alone; rates.c. */
ngx_int_t gw_rate_reserve(ngx_http_request_t *r, struct gw_call *call, struct gw_budget *budget,
                          enum policy_algorithm algorithm, uint64_t key, uint64_t cost);
/* Several gateways; shares.c. What this one enforces of a limit: of these all together, one too
 * many for each gateway at most where the limit is smaller than their number. */
uint64_t gw_share_part(uint64_t limit);
limit_budget_ring_fn gw_share_ring;
/* A budget's share is too small: NGX_AGAIN, the phases stop here and gw_decide_again() follows; or
 * NGX_DECLINED, it waited long enough. What it holds is to be given back. */
ngx_int_t gw_share_wait(ngx_http_request_t *r, struct gw_call *call);
/* Waiting in the access phase: NGX_AGAIN, and `over` is called when the time is over; its event's
 * data is the request. wait.c */
ngx_int_t gw_wait_begin(ngx_http_request_t *r, struct gw_call *call, ngx_event_handler_pt over,
                        ngx_msec_t timeout_ms);
void gw_wait_end(struct gw_call *call);
/* Back into the access phase. */
void gw_wait_go_on(ngx_http_request_t *r);
/* The line in front of an engine; line.c. In the master, then in each worker. */
ngx_int_t gw_line_make_bells(ngx_cycle_t *cycle);
ngx_int_t gw_line_listen(ngx_cycle_t *cycle);
limit_queue_wake_fn gw_line_ring;
/* NGX_OK: it has a place, or needs none. NGX_AGAIN: the phases stop here, and go on when it is its
 * turn or the time is over: then gw_line_waited() says which. */
ngx_int_t gw_line_enter(ngx_http_request_t *r, struct gw_call *call, const struct snapshot *policy,
                        const struct policy_route *route);
ngx_int_t gw_line_waited(ngx_http_request_t *r, struct gw_call *call);
void gw_line_leave(struct gw_call *call);
/* The headers that tell what is left of limits and budgets; fields.c. */
ngx_int_t gw_fields_put(ngx_http_request_t *r, const struct gw_call *call);
/* Looks at the strings of the request that was read last, and puts masks into it. NGX_DECLINED: it
 * may go on; guard_request.c. */
ngx_int_t gw_guard_request(ngx_http_request_t *r, struct gw_call *call,
                           const struct policy_route *route);
ngx_int_t gw_models(ngx_http_request_t *r);                 /* models.c */
enum audit_source gw_audit_source(enum auth_source source); /* record.c */
ngx_int_t gw_log(ngx_http_request_t *r);                    /* record.c */
/* What all records of a call have. */
struct audit_event gw_call_event(const ngx_http_request_t *r, const struct gw_call *call);
/* Before a call is let through: false when its record would find no room. */
bool gw_record_promise(ngx_http_request_t *r, struct gw_call *call, bool is_routed);
ngx_int_t gw_filters_init(ngx_conf_t *cf);                       /* filter.c */
char *gw_engine(ngx_conf_t *cf, ngx_command_t *cmd, void *conf); /* engine.c */

/* Answers instead of an engine; guard_try.c. */
ngx_int_t gw_guard_try(ngx_http_request_t *r, struct gw_call *call,
                       const struct policy_route *route);

/* ------------------------------------------------------------------ the guard (guard_*.c) */

/* In the master: every worker inherits the compiled patterns. */
ngx_int_t gw_guard_compile(ngx_cycle_t *cycle);
/* One for a text; from those that were used before. */
struct guard *gw_guard_take(void);
void gw_guard_give(struct guard *guard);
/* `actions` are POLICY_GUARD_DETECTORS bytes, or NULL for what is usual. False: all are off. */
bool gw_guard_policy(const uint8_t *actions, struct guard_policy *out);
void gw_note(struct gw_notes *notes, const struct guard_finding *finding, enum openai_role role,
             uint32_t index);
/* The audit record of what was found, and the room to be kept for it. */
size_t gw_notes_room(const struct gw_call *call);
void gw_notes_record(ngx_http_request_t *r, const struct gw_call *call,
                     const struct gw_notes *notes, bool in_answer, bool blocked, size_t promised);

/* The answer is looked at, or put into another form: guard_answer.c. NULL when it passes as it is.
 * Nothing of it goes past these. */
struct gw_answer;
struct gw_answer *gw_answer_new(ngx_http_request_t *r, struct gw_call *call, bool stream);
void gw_answer_free(struct gw_answer *answer);
/* What an engine says instead of an answer, for a client that needs it in another form; else NULL.
 */
struct gw_answer *gw_answer_new_error(ngx_http_request_t *r, struct gw_call *call);
/* It used nothing. */
bool gw_answer_is_error(const struct gw_answer *answer);
/* The headers wait until the whole answer is there. */
bool gw_answer_holds_headers(const struct gw_answer *answer);
/* An openai_emit_fn; ctx is the struct gw_answer. */
void gw_answer_take(void *ctx, struct span bytes);
/* Over; `cut`: the engine died. */
void gw_answer_end(struct gw_answer *answer, bool cut);
bool gw_answer_failed(const struct gw_answer *answer);
/* Nothing more is taken from the engine. */
bool gw_answer_is_over(const struct gw_answer *answer);
bool gw_answer_was_blocked(const struct gw_answer *answer);

/* An error in Anthropic's form, with the type that belongs to the status. `code` may be NULL. */
void gw_anthropic_error_put(ngx_uint_t status, const char *message, const char *code,
                            struct buf *out);
/* Whether the request is one of Anthropic's API. */
bool gw_is_anthropic(const ngx_http_request_t *r);

/* What filter.c gives them. Appends bytes to what goes out; false without memory. */
bool gw_out_put(ngx_http_request_t *r, struct gw_call *call, struct span bytes);
/* Sends the headers that waited. */
ngx_int_t gw_out_headers(ngx_http_request_t *r, ngx_uint_t status, size_t len);
/* The answer goes nowhere: only what it used is counted. */
void gw_call_withhold(struct gw_call *call, struct span answer);
/* Whether nginx says with this buffer that it lost who answers. */
bool gw_engine_died(const ngx_http_request_t *r, const ngx_buf_t *buf);
/* nginx then takes the answer for a whole one, and lets go of who sends it. */
void gw_let_go(ngx_http_request_t *r);
/* Between buffers of the engine: what was put goes out now. */
void gw_out_begin(struct gw_call *call);
ngx_int_t gw_out_end(ngx_http_request_t *r, struct gw_call *call);

/* ------------------------------------------------------------------ answers (reply.c) */

struct gw_refusal {
    ngx_uint_t status;
    const char *type;
    const char *code;
    const char *param;
    uint64_t retry_after_ms; /* 0: no such header */
};

/* Answers with an error of the API; for a content handler, which returns what this returns. */
ngx_int_t gw_refuse_content(ngx_http_request_t *r, struct gw_call *call,
                            const struct gw_refusal *refusal, const char *message);
/* The same and ends the request; for everyone else, who then returns what this returns. */
ngx_int_t gw_refuse(ngx_http_request_t *r, struct gw_call *call, const struct gw_refusal *refusal,
                    const char *message);
/* What a credential that does not hold is answered with, and none at all where one is needed. */
extern const struct gw_refusal gw_no_key;
const struct gw_refusal *gw_refusal_of(const struct err *err);
/* The answer to an error that nginx met, in the named location of error_page. */
ngx_int_t gw_error_page(ngx_http_request_t *r);
/* The same for a request that may never have come to a location, in the form of the API that its
 * path belongs to: OpenAI's, a Kubernetes Status, or RFC 9457. */
ngx_int_t gw_early_error(ngx_http_request_t *r);
/* An answer in that form; the texts have nothing in them that JSON would escape. The body of the
 * request is read or discarded already. retry_after_ms 0: no such header. */
ngx_int_t gw_reply_problem(ngx_http_request_t *r, ngx_uint_t status, const char *code,
                           const char *message, uint64_t retry_after_ms);
/* `type` lives as long as the request. */
ngx_int_t gw_reply(ngx_http_request_t *r, ngx_uint_t status, const char *type, struct span body);
/* A refusal of ours in that form, of a request whose body was read or is none; for a content
 * handler. */
ngx_int_t gw_refuse_path(ngx_http_request_t *r, const struct gw_refusal *refusal,
                         const char *message);
/* The body of such a refusal, for who sends it in another way; returns its type. */
const char *gw_refusal_put(ngx_http_request_t *r, const struct gw_refusal *refusal,
                           const char *message, struct buf *out);
ngx_int_t gw_reply_json(ngx_http_request_t *r, ngx_uint_t status, struct span body);
/* Copies nothing: both live as long as the request. */
ngx_int_t gw_header_add(ngx_http_request_t *r, const char *name, ngx_str_t value);

static inline struct span gw_span(ngx_str_t text)
{
    return span_of(text.data, text.len);
}

#endif
