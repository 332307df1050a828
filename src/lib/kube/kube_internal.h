/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: one request on its way through the API. */
#ifndef DRUN_KUBE_KUBE_INTERNAL_H
#define DRUN_KUBE_KUBE_INTERNAL_H

#include "codec/json.h"
#include "crypto/crypto.h"
#include "kube/kube.h"
#include "kube/route.h"
#include "kube/selector.h"

#include <sys/queue.h>

enum kube_form {
    KUBE_FORM_OBJECT,
    KUBE_FORM_TABLE,
    KUBE_FORM_METADATA,
    KUBE_FORM_METADATA_LIST,
    KUBE_FORM_DISCOVERY,
    KUBE_FORM_PROTOBUF, /* of the OpenAPI v2 document alone */
};

struct kube_accept {
    enum kube_form form;
    bool yaml;
    bool beta; /* of tables v1beta1, of discovery v2beta1 */
};

struct kube_collector;

struct kube_server {
    struct kube_config config;
    uint8_t continue_key[CRYPTO_KEY_LEN];
    LIST_HEAD(, kube_watch) watches;
    struct kube_collector *collector;
    json_t *openapi_paths; /* the index of /openapi/v3, made when first asked for */
};

struct kube_call {
    struct kube_server *server;
    const struct kube_request *request;
    struct kube_answer *answer;
    struct arena *arena;
    json_t *pool; /* owns the values of this request */
    struct kube_route route;
    const struct kube_kind *kind;
    const struct kube_subresource *other; /* when the route names one that is not status */
    struct kube_accept accept;
    const char *verb;
    json_t *managed;  /* the managedFields to store; NULL: as they were */
    bool status_part; /* the route names the status */
};

/* ------------------------------------------------------------------ the call (serve.c) */

/* Takes a value; it lives until the end of the request. */
json_t *kube_keep(struct kube_call *call, json_t *value);
/* "" when the argument is missing. */
const char *kube_query(const struct kube_call *call, const char *name);
bool kube_query_true(const struct kube_call *call, const char *name);
/* 1 for dryRun=All, 0 without, -1 when it was refused. */
int kube_query_dry_run(struct kube_call *call) MUST_USE;
/* The namespace to look in: NULL for all. */
const char *kube_scope(const struct kube_call *call);
bool kube_serves(const struct kube_server *server, const struct kube_kind *kind);

/* ------------------------------------------------------------------ refusals (status.c) */

/* These put a `Status` into the answer and return -1, so that `return kube_refuse(...)` reads
 * well. `details` is taken and may be NULL. */
int kube_refuse(struct kube_call *call, unsigned code, const char *reason, json_t *details,
                const char *fmt, ...) PRINTF_LIKE(5, 6);
int kube_refuse_bad(struct kube_call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);
int kube_refuse_missing_path(struct kube_call *call);
int kube_refuse_not_found(struct kube_call *call, const char *name);
int kube_refuse_exists(struct kube_call *call, const char *name);
int kube_refuse_conflict(struct kube_call *call, const char *name, const char *why);
int kube_refuse_forbidden(struct kube_call *call, const char *name, const char *why);
int kube_refuse_invalid(struct kube_call *call, const char *name, const struct kube_causes *causes);
int kube_refuse_expired(struct kube_call *call, const char *why);
int kube_refuse_err(struct kube_call *call, const struct err *err);
json_t *kube_status_new(unsigned code, const char *reason, const char *message, json_t *details);
json_t *kube_details(const struct kube_call *call, const char *name);

/* ------------------------------------------------------------------ answers (respond.c) */

/* -1 when nothing that is asked for can be given; the answer is then filled in. */
int kube_negotiate(struct kube_call *call) MUST_USE;
/* Puts the value into the answer as it is, in JSON or YAML. */
void kube_put(struct kube_call *call, unsigned code, const json_t *value);
/* The same for an object or list of the call's kind, in the form that was asked for. */
void kube_respond(struct kube_call *call, unsigned code, json_t *object);
void kube_warn(struct kube_call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A new reference: the object as a Table with or without column definitions. */
json_t *kube_table(const struct kube_kind *kind, const json_t *items, const json_t *list_meta,
                   const struct kube_accept *accept, const char *include, bool columns);
json_t *kube_metadata_only(const json_t *object, bool beta);
/* "5m", "3h20m": how kubectl shows an age. */
void kube_age(int64_t seconds, char out[32]);

/* ------------------------------------------------------------------ objects (object.c) */

int kube_decode(const struct kube_record *record, json_t **out, struct err *err) MUST_USE;
/* Without the resourceVersion. */
void kube_encode(const json_t *object, struct buf *out);
void kube_set_revision(json_t *object, int64_t revision);
int64_t kube_revision_of(const json_t *object); /* 0: none, -1: no number */
const char *kube_name_of(const json_t *object);
const char *kube_namespace_of(const json_t *object);
struct kube_key kube_key_of(const struct kube_kind *kind, const char *namespace, const char *name);
json_t *kube_meta(json_t *object); /* made when it is missing */
/* A new object of the kind with apiVersion, kind, metadata first. */
void kube_normalise(const struct kube_kind *kind, json_t *object);

/* What every write goes through before it is stored: pruned already; defaults, rules, admission,
 * validation. -1 when it was refused. */
int kube_admit(struct kube_call *call, json_t *object, const json_t *old, bool dry_run) MUST_USE;
void kube_changed(struct kube_call *call, json_t *object, const json_t *old);
void kube_tell_changed(struct kube_server *server, const struct kube_change *change);
/* The body as an object of the kind: parsed, checked, pruned. Borrowed from the pool. */
int kube_read_object(struct kube_call *call, const struct kube_kind *kind, json_t **out) MUST_USE;
/* Any body; *out is NULL when it is empty. With a shape it may come as protobuf. */
int kube_read_body(struct kube_call *call, const struct kube_shape *shape, json_t **out) MUST_USE;
/* Prunes and judges what is unknown by fieldValidation. */
int kube_check_fields(struct kube_call *call, const struct kube_kind *kind,
                      json_t *object) MUST_USE;
int kube_put_uid(json_t *meta, struct err *err) MUST_USE;
/* One more when anything but metadata and status has changed. */
void kube_count_generation(json_t *object, const json_t *old);
/* The stored object of the route's name. */
int kube_load(struct kube_call *call, json_t **out, int64_t *revision) MUST_USE;

/* ------------------------------------------------------------------ ends (drop.c, collect.c) */

#define KUBE_FINALIZER_ORPHAN     "orphan"
#define KUBE_FINALIZER_FOREGROUND "foregroundDeletion"

/* Must somebody finish before the object can go? */
bool kube_is_held(const struct kube_kind *kind, const json_t *object);
/* Deletes the object as it was read (it may have more finalizers by now); 0: it is gone, 1: it is
 * marked and stays until nobody holds it. ERR_CONFLICT when it has changed since. */
int kube_drop(struct kube_server *server, const struct kube_kind *kind, json_t *object,
              const struct kube_principal *by, struct err *err) MUST_USE;
/* Writes the object in place of `old`, or ends it when it is marked and nobody holds it any more.
 */
int kube_rewrite(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                 const json_t *old, const struct kube_principal *by, struct err *err) MUST_USE;

struct kube_collector *kube_collector_new(void) MUST_USE;
void kube_collector_free(struct kube_collector *collector);
/* Something was written or has gone: who must be looked at because of it? */
void kube_collect_note(struct kube_server *server, const struct kube_change *change);
void kube_collect_tick(struct kube_server *server);
/* An object with an owner that another role serves was seen. */
void kube_collect_foreign(struct kube_server *server);
extern const struct kube_principal kube_collector_principal;

/* owners.c: metadata.ownerReferences, or NULL; the kind that one of them names, or NULL. */
json_t *kube_references_of(const json_t *object);
const struct kube_kind *kube_kind_of_reference(const json_t *reference);
/* Deleted and still there; and then: waiting for its dependents, or for them to forget it. */
bool kube_is_going(const json_t *object);
bool kube_is_draining(const json_t *object);
bool kube_is_orphaning(const json_t *object);
/* Does the object name this uid as an owner; and must that owner wait for it? */
bool kube_owner_named_by(const json_t *object, const char *uid);
bool kube_owner_blocked_by(const json_t *object, const char *uid);
/* Takes away the reference to this uid; with NULL those whose owners have gone or are going. */
int kube_owners_strip(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                      const char *uid, struct err *err) MUST_USE;
/* Deletes the object when all its owners have gone, or forgets those that have: 1 when it is still
 * there. */
int kube_owners_judge(struct kube_server *server, const struct kube_kind *kind, json_t *object,
                      struct err *err) MUST_USE;

/* ------------------------------------------------------------------ verbs */

struct kube_walk {
    const struct kube_kind *kind;
    const char *namespace; /* NULL: all */
    const struct kube_selector *labels, *fields;
    const char *term; /* NULL, or: objects that are found by it (storage.h) */
    const char *from; /* NULL, or the `next` of before */
    size_t limit;     /* matching objects; 0: all */
    struct arena *arena;
    const char *next; /* result: in the arena, or NULL */
    int64_t revision; /* result */
};
/* What the object is found by. */
void kube_terms_of(const struct kube_kind *kind, const json_t *object, struct kube_terms *out);
/* That by which everything is found that the selector of the fields lets through; or NULL. */
const char *kube_term_for(const struct kube_walk *walk, char room[KUBE_TERM_SIZE]);
/* Calls fn for each object that matches; it may keep a reference. */
typedef int kube_walk_fn(void *ctx, json_t *object, struct err *err);
int kube_walk(struct kube_server *server, struct kube_walk *walk, kube_walk_fn *fn, void *ctx,
              struct err *err) MUST_USE;
/* Selectors of the query. */
int kube_walk_select(struct kube_call *call, struct kube_walk *walk) MUST_USE;

int kube_do_get(struct kube_call *call) MUST_USE;
int kube_do_list(struct kube_call *call) MUST_USE;
int kube_do_watch(struct kube_call *call) MUST_USE;
int kube_do_create(struct kube_call *call) MUST_USE;
/* Creates the object, which was pruned; answers. */
int kube_create(struct kube_call *call, json_t *object) MUST_USE;
int kube_do_update(struct kube_call *call) MUST_USE;
int kube_do_patch(struct kube_call *call) MUST_USE;
int kube_do_delete(struct kube_call *call) MUST_USE;
int kube_do_delete_collection(struct kube_call *call) MUST_USE;
int kube_do_review(struct kube_call *call) MUST_USE;
int kube_do_token(struct kube_call *call) MUST_USE;

/* ------------------------------------------------------------------ scale.c */

/* The call is about the subresource scale. */
bool kube_is_scale(const struct kube_call *call);
/* A new reference: how many there are and shall be. */
json_t *kube_scale_of(const json_t *object);
/* The replacement of the stored object by itself with another spec.replicas. */
int kube_put_scale(struct kube_call *call, json_t *scale, const json_t *old,
                   int64_t revision) MUST_USE;
/* Writes `object` in place of `old`; both with metadata. Answers. */
int kube_replace(struct kube_call *call, json_t *object, const json_t *old,
                 int64_t revision) MUST_USE;
/* A server-side apply (apply.c). */
int kube_do_apply(struct kube_call *call) MUST_USE;

int kube_do_discovery(struct kube_call *call) MUST_USE;
int kube_do_openapi(struct kube_call *call) MUST_USE;
json_t *kube_openapi_v3(const char *group, const char *version);
json_t *kube_openapi_v2(void);
/* A message openapi.v2.Document (gnostic) from the JSON form of the document. */
void kube_openapi_v2_proto(const json_t *document, struct buf *out);

bool kube_authorized(struct kube_call *call, const char *verb, const char *subresource,
                     char reason[256]);

#endif
