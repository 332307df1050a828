/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blocking HTTPS client over libcurl, which is loaded when it is first used: it brings some
 * thirty libraries along, and the roles that never call out stay without them
 * (docs/decisions/0006).
 */
#ifndef DRUN_FETCH_FETCH_H
#define DRUN_FETCH_FETCH_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

struct sockaddr;

enum { FETCH_BODY_MAX = 64 * 1024 * 1024 };

struct fetch;

struct fetch_options {
    const char *unix_socket;     /* connect here instead of the URL's host; or NULL */
    const char *ca_file;         /* PEM, trusted alone; NULL: the system's authorities */
    struct span ca_pem;          /* the same in memory; empty: none */
    bool direct;                 /* not through a proxy that the environment names */
    unsigned connect_timeout_ms; /* 0: 10 s */
    unsigned timeout_ms;         /* of the whole exchange; 0: none */
    bool https_only;
    bool tls_1_2; /* is good enough; otherwise 1.3 */
    /* Sees each address before it is connected to; -1 refuses it. The error of the last refused one
     * comes back when there was no other. NULL: all are good. */
    int (*check)(void *ctx, const struct sockaddr *address, struct err *err);
    void *check_ctx;
};

struct fetch_request {
    const char *method; /* "GET" */
    const char *url;
    const char *const *headers; /* "Name: value", ends with NULL; or NULL */
    struct span body;
    /* Gets the answer's bytes as they come, for answers that go on; -1 with the error set ends the
     * exchange. NULL: they are collected in the answer. */
    int (*on_data)(void *ctx, unsigned status, struct span bytes, struct err *err);
    void *ctx;
};

struct fetch_answer {
    unsigned status;
    struct buf body;
    struct buf headers; /* as received, lines end in CRLF */
};

#define FETCH_ANSWER_INIT                                                                          \
    {                                                                                              \
        .body = BUF_INIT(FETCH_BODY_MAX), .headers = BUF_INIT(256 * 1024)                          \
    }

/* Loads the library, for a process that will use it from several threads: before the first one. */
int fetch_load(struct err *err) MUST_USE;
/* Keeps connections open between requests. The options must outlive it. */
int fetch_new(const struct fetch_options *options, struct fetch **out, struct err *err) MUST_USE;
void fetch_free(struct fetch *fetch);
void fetch_free_ptr(struct fetch **fetch);
/* Any HTTP status is an answer. ERR_UNAVAILABLE: nobody there; ERR_TIMEOUT; ERR_DENIED: the
 * certificate is not one that we trust. Redirects are answers too. */
int fetch_run(struct fetch *fetch, const struct fetch_request *request, struct fetch_answer *answer,
              struct err *err) MUST_USE;
void fetch_answer_free(struct fetch_answer *answer);
/* The value of the first header of that name, copied; NULL when there is none. */
char *fetch_answer_header(const struct fetch_answer *answer, const char *name) MUST_USE;

#endif
