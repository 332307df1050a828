/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes API for a role's kinds, such that kubectl works against it: discovery, OpenAPI,
 * get, list, watch, create, update, patch, delete, tables, `Status` errors. It knows nothing of
 * sockets: kube_serve() turns a request into an answer (kube_http.h puts it behind lib/http).
 *
 *     struct kube_config config = {.kinds = my_kinds, .storage = kube_memory_storage(memory),
 *                                  .authorize = allow_by_rbac, .ctx = role};
 *     TRY(kube_server_new(&config, &server, err));
 *     ...
 *     kube_serve(server, &request, &answer);
 *
 * Discovery and OpenAPI cover every kind of the platform; the role serves those in `kinds`.
 */
#ifndef DRUN_KUBE_KUBE_H
#define DRUN_KUBE_KUBE_H

#include "base/arena.h"
#include "base/buf.h"
#include "kube/kinds/kinds.h"
#include "kube/storage.h"

enum { KUBE_BODY_MAX = 3 * 1024 * 1024, KUBE_WARNINGS_MAX = 16, KUBE_ANSWER_MAX = 64 << 20 };

struct kube_server;
struct kube_watch;

struct kube_principal {
    const char *name;
    const char *uid;           /* may be NULL */
    const char *const *groups; /* ends with NULL; may be NULL */
};

struct kube_request {
    const char *method;
    const char *path; /* decoded, without the query */
    /* The first value of a query argument, decoded; NULL when there is none. It lives as long as
     * the request. */
    const char *(*query)(const struct kube_request *request, const char *name);
    void *query_ctx;
    const char *accept;       /* NULL: anything */
    const char *content_type; /* NULL: JSON */
    struct span body;
    const struct kube_principal *principal; /* authenticated already */
    struct arena *arena;
};

struct kube_answer {
    unsigned status;
    const char *content_type;          /* constant */
    struct buf body;                   /* the caller's, with its ceiling */
    char *warnings[KUBE_WARNINGS_MAX]; /* values of `Warning` headers, in the request's arena */
    size_t warning_count;
    unsigned retry_after_sec; /* 0: none */
    /* Not NULL: the answer goes on. Send the headers, then kube_watch_start(). The caller frees it
     * with kube_watch_free(). */
    struct kube_watch *watch;
};

/* What is to be authorized. A resource, or a path when `resource` is NULL. Never-NULL texts. */
struct kube_attributes {
    const struct kube_principal *principal;
    const char *verb;
    const char *group, *version, *resource, *subresource, *namespace, *name;
    const char *path;
};

/* True when it is allowed; otherwise `reason` may get a sentence. */
typedef bool kube_authorize_fn(void *ctx, const struct kube_attributes *attributes,
                               char reason[256]);
/* The caller's rights in a namespace, as SelfSubjectRulesReview shows them: rules as in a Role are
 * appended to the two arrays. */
typedef int kube_rules_fn(void *ctx, const struct kube_principal *principal, const char *namespace,
                          json_t *resource_rules, json_t *path_rules, struct err *err);

enum kube_namespace_state { KUBE_NAMESPACE_MISSING, KUBE_NAMESPACE_ACTIVE, KUBE_NAMESPACE_GOING };
typedef enum kube_namespace_state kube_namespace_fn(void *ctx, const char *name);

/* A write. `object` is the new state (of a deletion NULL), `old` the one before (of a creation
 * NULL); both in full, with metadata. */
struct kube_change {
    const struct kube_kind *kind;
    const char *verb; /* create, update, patch, delete */
    const char *subresource;
    const char *namespace, *name;
    const json_t *old;
    json_t *object;
    const struct kube_principal *principal;
    bool dry_run;
};

/* Admission, before the write: may change the object or refuse. ERR_DENIED becomes 403, ERR_INVALID
 * 422 with the causes that were added or the message, ERR_CONFLICT 409, ERR_LIMITED 429, ERR_EXISTS
 * 409; other codes 500 or 503. */
typedef int kube_admit_fn(void *ctx, struct kube_change *change, struct kube_causes *causes,
                          struct err *err);
/* After a write that was not a dry run. What it adds to `object` (a key that is shown once) is seen
 * in the answer and is not stored. */
typedef void kube_changed_fn(void *ctx, const struct kube_change *change);

/* POST serviceaccounts/NAME/token: fills in status.token and status.expirationTimestamp of the
 * TokenRequest. */
typedef int kube_token_fn(void *ctx, const struct kube_principal *principal, const json_t *account,
                          json_t *token_request, struct err *err);

/* TokenReview: fills in the status, authenticated false and an error for a bad token. The token is
 * not kept in the answer. */
typedef int kube_token_review_fn(void *ctx, const char *token, const json_t *audiences,
                                 json_t *status, struct err *err);

/* An owner of a kind that another role serves: true only when it is certain that there is none with
 * this uid any more. */
typedef bool kube_owner_fn(void *ctx, const struct kube_kind *kind, const char *namespace,
                           const char *name, const char *uid);

struct kube_config {
    const struct kube_kind *const *kinds; /* served here; ends with NULL */
    const struct kube_storage *storage;
    void *ctx; /* for the functions */
    kube_authorize_fn *authorize;
    kube_rules_fn *rules;               /* may be NULL: the review is then incomplete and empty */
    kube_namespace_fn *namespace_state; /* NULL: from the own Namespaces, if served here */
    kube_admit_fn *admit;               /* may be NULL */
    kube_changed_fn *changed;           /* may be NULL */
    kube_token_fn *issue_token;         /* may be NULL */
    kube_token_review_fn *review_token; /* may be NULL */
    kube_owner_fn *owner_is_gone;       /* may be NULL: such owners count as there */
    uint64_t watch_sec; /* the longest watch; 0: 3600. A client asks for less by timeoutSeconds. */
};

/* The config is copied; what it points to must outlive the server. */
int kube_server_new(const struct kube_config *config, struct kube_server **out,
                    struct err *err) MUST_USE;
/* Its watches must have been freed. */
void kube_server_free(struct kube_server *server);

/* Always fills in the answer; an error is a `Status` in it. answer->body must be initialised and
 * empty. */
void kube_serve(struct kube_server *server, const struct kube_request *request,
                struct kube_answer *answer);

/* ------------------------------------------------------------------ watches */

typedef void kube_write_fn(void *ctx, struct span bytes);
typedef void kube_end_fn(void *ctx);

/* Writes what is there already, then each event as it happens. `end` is called when the watch is
 * over; the caller then frees it, not before `end` has returned. */
void kube_watch_start(struct kube_watch *watch, kube_write_fn *write, kube_end_fn *end, void *ctx);
void kube_watch_free(struct kube_watch *watch);
/* Sends bookmarks and ends watches whose time is over; call it about once a second. */
void kube_server_tick(struct kube_server *server);
/* Ends all watches; before a shutdown. */
void kube_server_drain(struct kube_server *server);

/* ------------------------------------------------------------------ for the role itself */

/* Reads an object, with its resourceVersion. The caller owns *out. */
int kube_object_get(struct kube_server *server, const struct kube_kind *kind, const char *namespace,
                    const char *name, json_t **out, struct err *err) MUST_USE;
/* Calls fn for each object until it returns other than 0, which is then the result. The object is
 * borrowed. `namespace` NULL: all. */
typedef int kube_object_fn(void *ctx, const json_t *object, struct err *err);
int kube_object_each(struct kube_server *server, const struct kube_kind *kind,
                     const char *namespace, kube_object_fn *fn, void *ctx,
                     struct err *err) MUST_USE;
/* The same for those that are found by a term, where the storage has an index: fn looks again. */
int kube_object_each_by(struct kube_server *server, const struct kube_kind *kind,
                        const char *namespace, const char *term, kube_object_fn *fn, void *ctx,
                        struct err *err) MUST_USE;
/* Writes up to KUBE_PAGE_MAX objects again as they are, so that they are found by their terms: for
 * those from before there were any. From `from` (NULL: the beginning) on; 1 when there is more, and
 * `next` says from where. Between two calls the storage may be flushed. */
int kube_object_index(struct kube_server *server, const struct kube_kind *kind, const char *from,
                      struct buf *next, struct err *err) MUST_USE;
/* Creates or replaces an object (by metadata.namespace and name) after defaults and validation;
 * without authorization, admission or notification. With a metadata.resourceVersion only that
 * revision is replaced. A write that changes nothing is none. */
int kube_object_put(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                    struct err *err) MUST_USE;
/* Sets the status alone; ERR_NOT_FOUND when the object is gone. */
int kube_object_put_status(struct kube_server *server, const struct kube_kind *kind,
                           const char *namespace, const char *name, json_t *status,
                           struct err *err) MUST_USE;
/* Removes it at once, whatever its finalizers. */
int kube_object_delete(struct kube_server *server, const struct kube_kind *kind,
                       const char *namespace, const char *name, struct err *err) MUST_USE;

/* ------------------------------------------------------------------ ends */

/* What is left of a namespace after a piece of work on it. */
struct kube_left {
    size_t ended;      /* removed or marked just now; when 0, there is nothing more to do here */
    size_t held;       /* still there, because of their finalizers */
    char example[384]; /* one of those and who holds it: a phrase */
};
/* Deletes up to `limit` objects of a namespace that is going, with notification. */
int kube_namespace_empty(struct kube_server *server, const char *namespace, size_t limit,
                         struct kube_left *out, struct err *err) MUST_USE;
/* All its content is gone: the namespace of that uid goes too, unless it has finalizers of somebody
 * else. ERR_NOT_FOUND; ERR_CONFLICT when it is not going. */
int kube_namespace_finish(struct kube_server *server, const char *name, const char *uid,
                          struct err *err) MUST_USE;

/* Deletes what has lost all its owners, a page at a time: 1 while there is more to look at. What
 * failed is tried again by the next call. */
int kube_server_collect(struct kube_server *server, struct err *err) MUST_USE;
bool kube_server_has_garbage(const struct kube_server *server);
/* Writes were taken back, and deletions among them: all is looked at once more. */
void kube_server_taken_back(struct kube_server *server);

/* A `Status` for an error outside the API, such as the batch that could not be made durable. */
void kube_answer_error(struct kube_answer *answer, const struct err *err);

#endif
