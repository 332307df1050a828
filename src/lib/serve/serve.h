/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every role that answers HTTP shares: the credential becomes a principal (lib/auth), the
 * principal may or may not (lib/rbac over policy.snap), the kinds are served (lib/kube), and each
 * request leaves an audit record. Answers are given in batches: when all requests of a wake-up have
 * run, their audit records are made durable, then the store, then the answers leave. When either
 * fails, the whole batch is answered 503 and nothing is stored.
 */
#ifndef DRUN_SERVE_SERVE_H
#define DRUN_SERVE_SERVE_H

#include "audit/audit.h"
#include "auth/auth.h"
#include "http/http.h"
#include "kube/kube.h"
#include "role/role.h"
#include "store/store.h"

struct serve;

/* The client's TLS certificate, percent-encoded PEM. The gateway sets it, or empties it, whatever
 * the client sends. */
#define SERVE_CERTIFICATE_HEADER "X-Client-Certificate"

/* One request. Everything it points to lives until the answer is sent. */
struct serve_request {
    struct serve *serve;
    const struct http_request *http;
    struct http_answer *answer;
    /* Set by serve_authenticate(); NULL before. */
    const struct auth_principal *principal;
    /* The record that this request will leave. A route fills in event, actor and action; the rest
     * is filled in from the answer. An event without a name leaves no record. */
    struct audit_event event;
    /* A field selector beside the caller's own, for lists and watches; set by the narrow function.
     */
    const char *only;
    bool operator_socket; /* it came in at the operator's own socket */
    bool later;           /* set by serve_later() */
};

/* Looks at a request before the kinds do: true when it answered. The caller is not authenticated
 * yet. */
typedef bool serve_route_fn(void *ctx, struct serve_request *request);

/* Nothing of the role's kinds is left in a namespace that is going, durably; or `held` objects stay
 * because of their finalizers, of which `example` is one. Told once a second until the namespace is
 * gone. */
typedef void serve_emptied_fn(void *ctx, const char *namespace, const char *uid,
                              const struct kube_left *left);

/* RBAC gives the caller no right to what is asked: has he one to a part of it, as to his own keys?
 * For a list or watch it sets request->only. */
typedef bool serve_narrow_fn(void *ctx, struct serve_request *request,
                             const struct kube_attributes *ask);

struct serve_config {
    struct role *role;
    serve_route_fn *route;                /* NULL: none */
    struct store *store;                  /* flushed with each batch; NULL: none */
    const struct kube_kind *const *kinds; /* NULL: none */
    const struct kube_storage *storage;   /* of the kinds */
    kube_admit_fn *admit;                 /* may be NULL */
    kube_changed_fn *changed;             /* may be NULL */
    kube_token_fn *issue_token;           /* may be NULL */
    serve_narrow_fn *narrow;              /* may be NULL */
    serve_emptied_fn *emptied;            /* NULL: namespaces that go are no concern of this role */
    kube_owner_fn *owner_is_gone;         /* may be NULL */
    /* Makes records durable; NULL: by asking the audit role. */
    int (*record)(void *ctx, const struct audit_event *events, size_t count, struct err *err);
    /* Runs before each batch: what was put off to be done for many requests at once is begun, or
     * answered (serve_answered()), here; may be NULL. */
    loop_fn *prepare;
    /* Words an answer whose batch was taken back, in the dialect of its path: true when it did.
     * Else, and when it is NULL, it is a Kubernetes Status. */
    bool (*failed)(void *ctx, struct serve_request *request, const struct err *err);
    /* Runs in each batch when all is durable, before the answers leave; may be NULL. */
    loop_fn *after_flush;
    /* Runs when a batch was taken back instead; may be NULL. */
    loop_fn *after_discard;
    void *ctx; /* of all functions above */
};

/* Listens on the descriptors "listen:http" and "listen:operator" of the role, if it has them. */
int serve_new(const struct serve_config *config, struct serve **out, struct err *err) MUST_USE;
void serve_free(struct serve *serve);
void serve_free_ptr(struct serve **serve);

/* The first thing that an owner of kinds does: it keeps its own folders, its sockets that listen
 * already and a thread; with a PostgreSQL store also the way to that server. What comes from
 * outside or from a disk is opened behind it. */
int serve_lock_down(struct role *role, struct err *err) MUST_USE;

/* The role's own store, SQLite in its folder or its schema in PostgreSQL, as the settings say;
 * refused when it is older than what the audit log knows of it. */
int serve_store_open(struct role *role, struct store **out, struct err *err) MUST_USE;

/* For a route that returns true without an answer yet: the request lives on until
 * serve_answered(), which must come, on this thread, before serve_free(). */
void serve_later(struct serve_request *request);
void serve_answered(struct serve_request *request);

/* The request that the kinds are serving, for admission and the like; NULL outside. */
struct serve_request *serve_current(const struct serve *serve);
/* NULL without kinds. */
struct kube_server *serve_kube(struct serve *serve);
/* The policy in force; NULL while none was published. Valid until the loop turns. */
const struct snapshot *serve_policy(struct serve *serve);

/* Who asks, from the Authorization header; fills in request->principal and the record's actor. On
 * failure the answer is the 401 or 403 already. */
int serve_authenticate(struct serve_request *request) MUST_USE;
/* The same, where tokens of this scope alone are good, too. */
int serve_authenticate_for(struct serve_request *request, const char *scope) MUST_USE;
struct serve_action {
    const char *verb, *group, *resource, *subresource, *namespace, *name; /* "" for none */
};
/* May the principal? When not, the answer is the 403 already and false comes back. */
bool serve_authorize(struct serve_request *request, const struct serve_action *action);
/* The same without an answer: err says why not. */
bool serve_may(struct serve_request *request, const struct serve_action *action, struct err *err);

/* A dangerous operation by a person needs a second factor that was shown lately (the settings
 * step-up and step-up-age); when there was none, the answer is the 401 of RFC 9470 already, and
 * false comes back. Keys, programs and the operator's socket pass. The kinds of SERVE_DANGEROUS
 * (step_up.c) are asked for by themselves. */
bool serve_step_up(struct serve_request *request);
struct auth_demand serve_step_up_demand(const struct serve *serve);
/* The WWW-Authenticate header alone. */
void serve_challenge_step_up(struct serve_request *request, const struct auth_demand *demand);

/* For a role that may call api: what to answer `emptied` and `owner_is_gone` with. */
void serve_tell_emptied(struct role *role, const char *namespace, const char *uid,
                        const struct kube_left *left);
/* The uid of an object of api's; empty when there is none. */
int serve_ask_uid(struct role *role, const struct kube_kind *kind, const char *namespace,
                  const char *name, struct buf *uid, struct err *err) MUST_USE;
bool serve_ask_owner_is_gone(struct role *role, const struct kube_kind *kind, const char *namespace,
                             const char *name, const char *uid);

/* The object API for a route that speaks another language about the same objects: as the caller of
 * the request, with all of authorization, admission and notification. `body` is JSON, empty for
 * none. `answer` is the caller's, to be freed; it is not the request's answer. Not for watches. */
void serve_call_kube(struct serve_request *request, const char *method, const char *path,
                     struct span body, struct kube_answer *answer);

/* A record beside those of requests, durable with the batch. Texts are copied. */
void serve_record(struct serve *serve, const struct audit_event *event);
/* Text that lives until the answer is sent. */
struct span serve_keep(struct serve_request *request, const char *text);
/* The client's address as the gateway gives it; "" when it did not. */
const char *serve_address(const struct serve_request *request);

/* The body is the buffer of the answer, already filled in. */
void serve_answer(struct serve_request *request, unsigned status, const char *content_type);
/* A Kubernetes Status. */
void serve_answer_error(struct serve_request *request, const struct err *err);

#endif
