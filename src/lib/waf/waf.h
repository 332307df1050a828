/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A web application firewall that speaks SecLang, the rule language of ModSecurity v3 and the OWASP
 * Core Rule Set. Rules are compiled once into an immutable image (a snapshot, lib/snapshot), which
 * workers load and run transactions against:
 *
 *     waf_compile(sources, n, &options, &image, &err)       who has the rules
 *     snapshot_publish(publisher, &image, &generation, &err)
 *
 *     snapshot_reader_refresh(reader, &err)                 a worker, once per request
 *     waf_engine_new(snapshot, &options, &engine, &err)     ... when there is a newer image
 *     tx = waf_tx_new(engine)                               once; reused for each request
 *     waf_tx_start(tx, &connection)
 *     waf_tx_uri, waf_tx_request_header ..., waf_tx_request_headers_end   phase 1
 *     waf_tx_request_body ..., waf_tx_request_body_end                    phase 2
 *     waf_tx_response_header ..., waf_tx_response_headers_end             phase 3
 *     waf_tx_response_body ..., waf_tx_response_body_end                  phase 4
 *     waf_tx_log                                                          phase 5
 *
 * README.md says how it works inside and what it does not do; DIFFERENCES.md where it differs from
 * ModSecurity v3. Nothing here is global and nothing starts a thread; an engine and its
 * transactions belong to one thread.
 */
#ifndef DRUN_WAF_WAF_H
#define DRUN_WAF_WAF_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* ------------------------------------------------------------------ compiling */

struct snapshot;
struct snapshot_type;
/* "waf.snap", for lib/snapshot's publisher and reader. */
extern const struct snapshot_type waf_snapshot;

enum { WAF_IMAGE_MAX = 256 * 1024 * 1024, WAF_SOURCE_MAX = 64 * 1024 * 1024 };

/* A file, or rules as a string. In their order, as if each included the next. */
struct waf_source {
    const char *path; /* of a file; for a string: what errors call it, and where its folder is */
    const char *text; /* NULL: read the file */
};

struct waf_compile_options {
    bool no_scan; /* leave the multi-pattern databases out; slower, same answers */
    /* Told of what is taken, but has no effect here: file:line:column and why. May be NULL. */
    void (*warn)(void *ctx, const char *message);
    void *warn_ctx;
};

/* Appends the image to `image`. -1: `err` begins with file:line:column. Reads the files that the
 * rules name, and nothing else. */
int waf_compile(const struct waf_source *sources, size_t count,
                const struct waf_compile_options *options, struct buf *image,
                struct err *err) MUST_USE;

/* ------------------------------------------------------------------ a worker's engine */

/* The persistent collections: IP, GLOBAL, SESSION, USER, RESOURCE. Keys and values are copied by
 * the store. A store serves one process or many; here it is asked by one thread. */
struct waf_store {
    /* False: there is no such value, or it has expired. *value lives until the next call. */
    bool (*get)(void *ctx, struct span collection, struct span key, struct span name,
                struct span *value);
    void (*set)(void *ctx, struct span collection, struct span key, struct span name,
                struct span value);
    void (*unset)(void *ctx, struct span collection, struct span key, struct span name);
    void (*expire)(void *ctx, struct span collection, struct span key, struct span name,
                   int64_t after_sec);
    /* Calls `each` for every value that has not expired; false from it ends the walk. */
    void (*walk)(void *ctx, struct span collection, struct span key,
                 bool (*each)(void *each_ctx, struct span name, struct span value), void *each_ctx);
    void *ctx;
};

/* In memory, for one process. At most `max_values` values; past that the one that expires first
 * makes room. */
struct waf_memory_store;
struct waf_memory_store *waf_memory_store_new(size_t max_values) MUST_USE;
void waf_memory_store_free(struct waf_memory_store *store);
void waf_memory_store_free_ptr(struct waf_memory_store **store);
struct waf_store waf_memory_store_interface(struct waf_memory_store *store);

enum waf_on_limit { WAF_LIMIT_PASS, WAF_LIMIT_DENY };

struct waf_engine_options {
    const struct waf_store *store; /* copied; NULL: persistent collections stay empty */
    /* Bytes looked at by transformations, databases and operators, summed over a transaction; 0:
     * the default. When it is used up the other rules of the transaction do not run. */
    uint64_t work_max;
    enum waf_on_limit on_limit; /* what then becomes of the request */
    size_t memory_max;          /* bytes of one transaction; 0: the default */
};
enum { WAF_WORK_DEFAULT = 256 * 1024 * 1024, WAF_MEMORY_DEFAULT = 64 * 1024 * 1024 };

struct waf_engine;
/* The snapshot must outlive the engine. `options` may be NULL. */
int waf_engine_new(const struct snapshot *image, const struct waf_engine_options *options,
                   struct waf_engine **out, struct err *err) MUST_USE;
/* Gives back the memory of what an engine has made its own form of: the databases of patterns, most
 * of an image. No other engine can be made of this snapshot then. */
void waf_image_spend(struct snapshot *image);
void waf_engine_free(struct waf_engine *engine);
void waf_engine_free_ptr(struct waf_engine **engine);

/* Whether the same request is judged the same each time: no rule looks at the time, at how long it
 * took, at the client's port or at the id of the transaction, and there is no store. */
bool waf_engine_is_repeatable(const struct waf_engine *engine) MUST_USE;

/* What `drun waf explain` shows. */
struct waf_rule_info {
    uint32_t id;
    uint32_t line;
    uint32_t phase;
    struct span file;
    struct span text; /* the directive as it was written, chained rules behind it */
};
bool waf_rule_find(const struct snapshot *image, uint32_t id, struct waf_rule_info *out) MUST_USE;
uint32_t waf_rule_count(const struct snapshot *image);

/* ------------------------------------------------------------------ a transaction */

enum waf_action {
    WAF_PASS,
    WAF_ALLOW, /* a rule said so: the rest was not looked at */
    WAF_DENY,
    WAF_DROP,
    WAF_REDIRECT,
};

struct waf_verdict {
    enum waf_action action;
    uint32_t status;      /* of a denial or redirection */
    uint32_t rule;        /* that decided; 0: a limit did */
    struct span redirect; /* where to */
};

enum { WAF_SEVERITY_NONE = 255, WAF_NOT_SET = 255 };

/* A rule that matched and is to be logged. All spans live until the next waf_tx_start(). */
struct waf_hit {
    uint32_t rule;
    uint32_t line;
    struct span file;
    uint8_t phase;
    uint8_t severity; /* 0 emergency to 7 debug, or WAF_SEVERITY_NONE */
    uint8_t maturity; /* 0 to 9, or WAF_NOT_SET */
    uint8_t accuracy;
    bool disruptive; /* this rule decided, or would have with detection only */
    bool audit;      /* worth an audit record */
    struct span msg; /* its macros expanded, as those of the next three */
    struct span logdata;
    const struct span *tags;
    size_t tag_count;
    struct span ver;
    struct span rev;
    struct span variable; /* "ARGS:q"; of the last value that matched */
    struct span value;    /* after its transformations */
    uint32_t at;          /* the part of the value that matched */
    uint32_t len;
};

enum waf_event {
    WAF_EVENT_WORK_LIMIT = 1,    /* used up; rules were left out */
    WAF_EVENT_MEMORY_LIMIT = 2,  /* the same */
    WAF_EVENT_REQUEST_BODY = 4,  /* larger than SecRequestBodyLimit */
    WAF_EVENT_RESPONSE_BODY = 8, /* larger than SecResponseBodyLimit */
    WAF_EVENT_REGEX_LIMIT = 16,  /* a pattern met SecPcreMatchLimit */
};

/* The bytes need live only for the call. */
struct waf_connection {
    struct span client_addr; /* as text */
    struct span server_addr;
    uint16_t client_port;
    uint16_t server_port;
    struct span unique_id;   /* empty: one is made */
    struct span remote_user; /* by the gateway's own authentication; empty: none */
};

struct waf_tx;
struct waf_tx *waf_tx_new(struct waf_engine *engine) MUST_USE;
void waf_tx_free(struct waf_tx *tx);
void waf_tx_free_ptr(struct waf_tx **tx);

/* Each is called in the order above. What is given is copied. Those that end a part run the rules
 * of a phase and return the verdict so far, which stays as it is once it is not WAF_PASS. */
void waf_tx_start(struct waf_tx *tx, const struct waf_connection *connection);
/* `uri` as it stood in the request line; `protocol` is "HTTP/1.1". */
void waf_tx_uri(struct waf_tx *tx, struct span method, struct span uri, struct span protocol);
void waf_tx_request_header(struct waf_tx *tx, struct span name, struct span value);
const struct waf_verdict *waf_tx_request_headers_end(struct waf_tx *tx);
/* Whether a body will be looked at: else it need not be given. To be asked behind the headers. */
bool waf_tx_wants_request_body(const struct waf_tx *tx);
bool waf_tx_wants_response_body(const struct waf_tx *tx);
/* Not NULL when the body is over its limit and rules or SecRequestBodyLimitAction refuse it. */
const struct waf_verdict *waf_tx_request_body(struct waf_tx *tx, struct span chunk);
const struct waf_verdict *waf_tx_request_body_end(struct waf_tx *tx);
void waf_tx_response_header(struct waf_tx *tx, struct span name, struct span value);
const struct waf_verdict *waf_tx_response_headers_end(struct waf_tx *tx, unsigned status,
                                                      struct span protocol);
const struct waf_verdict *waf_tx_response_body(struct waf_tx *tx, struct span chunk);
const struct waf_verdict *waf_tx_response_body_end(struct waf_tx *tx);
void waf_tx_log(struct waf_tx *tx);

const struct waf_verdict *waf_tx_verdict(const struct waf_tx *tx);
const struct waf_hit *waf_tx_hits(const struct waf_tx *tx, size_t *count);
/* A set of enum waf_event. */
unsigned waf_tx_events(const struct waf_tx *tx);
/* False: SecRuleEngine DetectionOnly or Off; the verdict is then always WAF_PASS. */
bool waf_tx_is_enforcing(const struct waf_tx *tx);
/* Sets a TX variable, such as rules of the host know the request by; before
 * waf_tx_request_headers_end(). `text` is copied. */
void waf_tx_set_variable(struct waf_tx *tx, const char *name, struct span text);
/* What a TX variable holds, for tests and `drun waf test`. p == NULL: it is not set. */
struct span waf_tx_variable(struct waf_tx *tx, const char *name);

#endif
