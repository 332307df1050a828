/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the exporter, the one role with an outbound network, for one HTTPS request or one bind to
 * an LDAP directory. Nothing here waits: a call goes out at once, and its function runs on the loop
 * when there is an answer, an error, or no time left.
 *
 *     TRY(egress_new(loop, role_waiting_peer(role, ROLE_EXPORTER), &egress, err));
 *     ...
 *     struct egress_request request = {
 *         .endpoint = {.name = "OidcProvider/corp", .ca_pem = ca, .private_network = true},
 *         .method = "GET", .url = "https://sso.corp.example/.well-known/openid-configuration"};
 *     TRY(egress_fetch(egress, &request, on_discovery, login, &login->call, err));
 *
 *     static void on_discovery(void *ctx, const struct egress_answer *answer, const struct err
 * *why)
 *
 * To be allowed, a role's line in src/cli/role_table.c has `.calls_late = EXPORTER`, and the
 * message table of the exporter (src/roles/exporter/table.c) and its list of senders name it.
 *
 * What the exporter makes sure of, whatever a caller asks:
 *   - https, TLS 1.2 or 1.3, the certificate verified for the URL's host; no proxy, no redirect
 *     followed (a 302 is an answer), no cookie, no credential of its own;
 *   - the address that the host's name resolves to is checked, and that very address is connected
 *     to: public ones alone, unless the endpoint is said to be in a private network
 *     (egress/address.h); a name that changes between check and use gains nothing;
 *   - a ceiling on the time and on the answer; one slow destination holds no other up.
 * What a caller owes: the endpoint (its name, authority, and private_network) comes from an object
 * that an administrator made, never from a request; of the URL only the parts behind the host may.
 *
 * The messages are in docs/PROTOCOL.egress.
 */
#ifndef DRUN_EGRESS_EGRESS_H
#define DRUN_EGRESS_EGRESS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "ipc/ipc.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    EGRESS_BODY_MAX = 100 * 1024,  /* of a request and of an answer */
    EGRESS_URL_MAX = 4096,         /* bytes */
    EGRESS_NAME_MAX = 128,         /* of an endpoint */
    EGRESS_HEADERS_MAX = 32,       /* in a request, and names to look for in the answer */
    EGRESS_HEADER_MAX = 8192,      /* bytes of one */
    EGRESS_CA_MAX = 32 * 1024,     /* bytes of PEM */
    EGRESS_TIMEOUT_MS = 10 * 1000, /* where a call says 0 */
    EGRESS_TIMEOUT_MAX_MS = 60 * 1000,
    EGRESS_IN_FLIGHT_MAX = 64, /* calls of one client at a time */
    EGRESS_ENTRIES_MAX = 256,  /* of a directory, in one answer */
    EGRESS_ATTRIBUTES_MAX = 32,
};

/* Where a call goes, as an administrator configured it. */
struct egress_endpoint {
    const char *name;     /* "OidcProvider/corp": in the log and in errors */
    struct span ca_pem;   /* trusted alone, instead of the system's authorities; empty: those */
    bool private_network; /* it may have a loopback or private address */
};

/* ------------------------------------------------------------------ the client */

struct egress;

/* `exporter` is the late channel; it stays the role's. */
int egress_new(struct loop *loop, struct ipc_client *exporter, struct egress **out,
               struct err *err) MUST_USE;
/* Calls that are still out are forgotten; their functions do not run any more. */
void egress_free(struct egress *egress);
void egress_free_ptr(struct egress **egress);
/* From role_on_peer(), for ROLE_EXPORTER: it was started again. Calls that were out are told so by
 * ERR_UNAVAILABLE; nobody knows whether they reached their destination. */
void egress_reconnected(struct egress *egress);

/* Names a call that is out; never 0. */
typedef uint64_t egress_call;
/* Its function will not run. What is under way at the exporter goes on to its end. */
void egress_cancel(struct egress *egress, egress_call call);

/* A value in a Secret of the type drun.io/identity-provider, which the exporter takes from secrets
 * and puts in itself: the caller never has it. Who may: table.c of the exporter. */
struct egress_secret {
    const char *namespace, *name, *key; /* name NULL: none */
};

/* ------------------------------------------------------------------ one HTTPS request */

/* Where a client's secret goes (RFC 6749 section 2.3.1). */
enum egress_place {
    EGRESS_BASIC, /* Authorization: Basic, with secret_user before it */
    EGRESS_FORM,  /* client_secret at the end of the body, which is a form */
};

struct egress_request {
    struct egress_endpoint endpoint;
    const char *method;                /* "GET", "POST", ... */
    const char *url;                   /* https:// */
    const char *const *headers;        /* "Name: value", ends with NULL; or NULL */
    struct span body;                  /* at most EGRESS_BODY_MAX */
    const char *const *answer_headers; /* names of those that are wanted, ends with NULL; or NULL */
    uint32_t answer_max;               /* bytes of the answer's body; 0: EGRESS_BODY_MAX */
    uint32_t timeout_ms;               /* of the whole exchange; 0: EGRESS_TIMEOUT_MS */
    struct egress_secret secret;
    enum egress_place secret_place;
    const char *secret_user;
};

/* Valid while the function runs. */
struct egress_answer {
    unsigned status; /* any HTTP status is an answer */
    struct span body;
    struct egress_header {
        struct span name; /* as the request wrote it in answer_headers */
        struct span value;
    } headers[EGRESS_HEADERS_MAX]; /* only those that were wanted and came; the first of a name */
    size_t header_count;
};

/* The value, or an empty span. */
struct span egress_answer_header(const struct egress_answer *answer, const char *name);

/* Exactly one of the two is not NULL. Errors: ERR_UNAVAILABLE (no such name, nobody there, TLS not
 * spoken, or the exporter is away), ERR_TIMEOUT, ERR_DENIED (the certificate is not trusted, or the
 * address is not allowed), ERR_TOO_LARGE (the answer), ERR_LIMITED (too many calls), ERR_INVALID.
 */
typedef void egress_answer_fn(void *ctx, const struct egress_answer *answer, const struct err *why);

/* 0: fn will run once, from the loop, never from in here; `out` (may be NULL) can cancel it.
 * -1: it will not; ERR_UNAVAILABLE, ERR_LIMITED, or ERR_TOO_LARGE and ERR_INVALID for what is wrong
 * with the request. All of the request may go away after the call. */
int egress_fetch(struct egress *egress, const struct egress_request *request, egress_answer_fn *fn,
                 void *ctx, egress_call *out, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ one bind to a directory */

enum egress_scope { EGRESS_SCOPE_BASE, EGRESS_SCOPE_ONE, EGRESS_SCOPE_SUBTREE };

/*
 * A simple bind (RFC 4513 section 5.1.3) over ldaps://, or over ldap:// after StartTLS, never in
 * the clear; then one search. A sign-in takes two calls: first as the service account, searching
 * for the user (a filter made with egress_put_filter_value()); then as the DN that was found, with
 * the user's password and without a search.
 */
struct egress_bind {
    struct egress_endpoint endpoint;
    const char *url; /* ldaps://HOST[:PORT], ldap://HOST[:PORT] */
    const char *dn;  /* not empty */
    struct span
        password; /* not empty: a directory takes an empty one for "anonymous", and agrees */
    struct egress_secret secret; /* or this instead of a password */
    const char *base;            /* of the search; NULL: no search */
    enum egress_scope scope;
    const char *filter;            /* RFC 4515; NULL: (objectClass=*) */
    const char *const *attributes; /* wanted, ends with NULL; NULL: all that users see */
    uint32_t entries_max;          /* 0: EGRESS_ENTRIES_MAX; more in the directory: ERR_TOO_LARGE */
    uint32_t timeout_ms;
};

struct egress_attribute {
    struct span name;
    struct span *values;
    size_t value_count;
};

/* Valid while the function runs. */
struct egress_entry {
    struct span dn;
    struct egress_attribute *attributes;
    size_t attribute_count;
};

struct egress_directory {
    struct egress_entry *entries;
    size_t entry_count;
};

/* As for egress_answer_fn, and ERR_UNAUTHENTICATED: the directory refused DN and password;
 * ERR_NOT_FOUND: the search's base does not exist. */
typedef void egress_directory_fn(void *ctx, const struct egress_directory *found,
                                 const struct err *why);

int egress_bind(struct egress *egress, const struct egress_bind *bind, egress_directory_fn *fn,
                void *ctx, egress_call *out, struct err *err) MUST_USE;

/* The attribute, by its name in any case; NULL when the entry has none. */
const struct egress_attribute *egress_entry_attribute(const struct egress_entry *entry,
                                                      const char *name);

/* A value as it may stand in a filter (RFC 4515 section 3) or in a DN (RFC 4514 section 2.4),
 * whatever is in it. */
void egress_put_filter_value(struct span value, struct buf *out);
void egress_put_dn_value(struct span value, struct buf *out);

#endif
