/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall inside a worker (docs/decisions/0032): the image in force, its engine and the one
 * transaction that all requests use, one after the other. A request is judged at once, when its
 * body is there; nothing of a transaction outlives that. For this folder.
 */
#ifndef DRUN_GATEWAY_MODULE_WAF_H
#define DRUN_GATEWAY_MODULE_WAF_H

#include "gateway/module/module.h"
#include "gateway/shape.h"
#include "waf/waf.h"

/* ------------------------------------------------------------------ the worker (waf_worker.c) */

ngx_int_t gw_waf_start(ngx_cycle_t *cycle, const struct gw_main_conf *conf);
void gw_waf_stop(void);
/* The transaction of the rules in force, not started; NULL when there are none. Valid until the
 * next call. */
struct waf_tx *gw_waf_tx(ngx_log_t *log);
/* That of the rules in force, which gw_waf_tx() took up last; NULL when there are none. */
const struct waf_engine *gw_waf_engine(void);
/* NULL when there are no rules; valid as gw_waf_tx() is. */
const struct snapshot *gw_waf_image(void);
/* Whether the rules in force judge the same request the same each time. */
bool gw_waf_is_repeatable(void);

/* ------------------------------------------------------------------ a request (waf_request.c) */

/* TX variables, as the waf role's rules call them (roles/waf/rules_text.h). */
#define GW_WAF_NAMESPACE "drun_namespace"
#define GW_WAF_SERVICE   "drun_service"

/* Who asks, where that is known: `call` is NULL for what is no model call. */
struct gw_waf_subject {
    struct gw_call *call;
    ngx_str_t request_id;
    struct span namespace;
    struct span service; /* "namespace/name" */
    enum shape shape;    /* of what is no model call */
};

/* What the rules see of a body: without what is cut out, and then with the length of that. */
struct gw_waf_seen {
    struct span body;
    struct span length; /* in place of Content-Length's value; p == NULL: it stays */
};

/* Which answers the rules want to see. */
enum gw_waf_answers { GW_WAF_NO_ANSWERS, GW_WAF_ERRORS, GW_WAF_ALL_ANSWERS };

/* What stands for all that the rules see of a request (waf_repeat.c). */
struct gw_waf_print {
    uint64_t words[2];
};
/* False: it is too long to be remembered. */
bool gw_waf_print_of(ngx_http_request_t *r, const struct gw_waf_subject *subject,
                     const struct gw_waf_seen *seen, struct gw_waf_print *out);
/* One like it met no rule; *answers is what was remembered with it. */
bool gw_waf_is_known(const struct gw_waf_print *print, enum gw_waf_answers *answers);
void gw_waf_remember(const struct gw_waf_print *print, enum gw_waf_answers answers);
/* There are other rules. */
void gw_waf_forget(void);
/* By the gateway's own authentication; empty: not known. */
struct span gw_waf_user(const struct gw_waf_subject *subject);

/* What the rules see of a body; valid until the next call. `call`: a model call's, with its strings
 * in gw_worker_texts(); NULL: no model call, and `shape` counts. */
struct gw_waf_seen gw_waf_look(const struct openai_request *call, enum shape shape,
                               struct span body);
/* Runs the rules. True: the request is to be refused. */
bool gw_waf_judge(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject,
                  struct span body);

/* ------------------------------------------------------------------ an answer (waf_answer.c) */

/* Rules of the last phase that a request met when it came: they are recorded once. */
enum { GW_WAF_LOGGED_MAX = 8 };
struct gw_waf_logged {
    uint32_t rules[GW_WAF_LOGGED_MAX];
    size_t count;
};

/* What the rules see of an answer; its headers they see always. */
struct gw_waf_answer_seen {
    bool has_body;
    struct span body;
    struct span coding; /* Content-Encoding; empty: none */
    bool has_prose;     /* it is what a model says */
    bool is_beginning;  /* there was more of it than is looked at */
};

/* The answer to this request, which passed, is to be looked at. False without memory. */
bool gw_waf_follow(ngx_http_request_t *r, const struct gw_waf_subject *subject,
                   const struct gw_waf_seen *seen, enum gw_waf_answers answers,
                   const struct gw_waf_logged *logged);
/* Runs the rules about answers, behind those about the request once more (waf_request.c). True: it
 * is to be withheld. */
bool gw_waf_judge_answer(ngx_http_request_t *r, struct waf_tx *tx,
                         const struct gw_waf_subject *subject, const struct gw_waf_seen *asked,
                         const struct gw_waf_logged *logged, const struct gw_waf_answer_seen *seen);

/* ------------------------------------------------------------------ records (waf_hits.c) */

struct gw_waf_found {
    const struct waf_hit *hits;
    size_t count;
    unsigned events; /* of enum waf_event */
    bool refused;
    bool of_answer;
};
void gw_waf_record(ngx_http_request_t *r, struct waf_tx *tx, const struct gw_waf_subject *subject,
                   const struct gw_waf_found *found);
/* What a rule of CRS adds to the score by its severity, once; 0 for all others. */
uint64_t gw_waf_points(struct waf_tx *tx, const struct waf_hit *hit);
uint64_t gw_waf_score(struct waf_tx *tx, bool of_answer);
uint64_t gw_waf_threshold(struct waf_tx *tx, bool of_answer);
/* Ends the word that clients are told a refusal with: where its record is found. */
enum { GW_WAF_MESSAGE_MAX = 192 };
void gw_waf_message(const char *what, ngx_str_t request_id, char out[GW_WAF_MESSAGE_MAX]);

#endif
