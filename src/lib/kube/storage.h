/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where objects are kept: a few functions over (resource, namespace, name) with revisions, shaped
 * like lib/store. One back-end is memory (here), the other the store (kube_store.h).
 *
 * A value is the object's JSON without metadata.resourceVersion; that is the record's revision.
 */
#ifndef DRUN_KUBE_STORAGE_H
#define DRUN_KUBE_STORAGE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum { KUBE_PAGE_MAX = 500, KUBE_PAGE_ARENA = 16 * 1024 * 1024 };

struct kube_key {
    const char *resource;  /* "users.drun.io", "secrets" */
    const char *namespace; /* "" for what belongs to no namespace */
    const char *name;
};

struct kube_record {
    struct kube_key key;
    int64_t revision;
    struct span value;
};

/* What else a record is found by. A back-end without an index keeps none. */
enum { KUBE_TERMS_MAX = 4, KUBE_TERM_SIZE = 400 };

struct kube_terms {
    char items[KUBE_TERMS_MAX][KUBE_TERM_SIZE];
    size_t count;
};

/* "NAME=VALUE", letters of the value small; one that is too long is left out. */
void kube_terms_add(struct kube_terms *terms, const char *name, const char *value);

struct kube_page {
    struct kube_record *records; /* in the arena */
    size_t count;
    const char *next; /* opaque; NULL on the last page */
    int64_t revision; /* a watch after it misses nothing that the page does not show */
};

struct kube_event {
    struct kube_key key;
    int64_t revision;
    struct span value; /* p is NULL when it was deleted */
    struct span old;   /* p is NULL when it came into being */
};

/* What an event points to lives until the callback returns. */
typedef void kube_event_fn(void *ctx, const struct kube_event *event);
/* The history that a watch needs is gone: it is over, but stays until unwatch(). */
typedef void kube_lost_fn(void *ctx);

struct kube_storage_watch {
    const char *resource;
    const char *namespace; /* NULL: all */
    int64_t after;         /* events of later revisions than this */
    kube_event_fn *on_event;
    kube_lost_fn *on_lost;
    void *ctx;
};

struct kube_storage {
    void *ctx;
    /* ERR_NOT_FOUND when there is none. */
    int (*get)(void *ctx, const struct kube_key *key, struct arena *arena, struct kube_record *out,
               struct err *err);
    /* `namespace` NULL: all of them; `from` NULL or the `next` of the page before. `term` (may be
     * NULL) leaves out what was put without it, where there is an index: who asks looks again. */
    int (*list)(void *ctx, const char *resource, const char *namespace, const char *term,
                const char *from, size_t limit, struct arena *arena, struct kube_page *out,
                struct err *err);
    /* `expected` is the revision that the record has now, 0 for a new one: ERR_EXISTS,
     * ERR_NOT_FOUND, ERR_CONFLICT. */
    int (*put)(void *ctx, const struct kube_key *key, struct span value,
               const struct kube_terms *terms, int64_t expected, int64_t *revision,
               struct err *err);
    int (*remove)(void *ctx, const struct kube_key *key, int64_t expected, int64_t *revision,
                  struct err *err);
    /* ERR_GONE when that history was compacted. */
    int (*watch)(void *ctx, const struct kube_storage_watch *watch, void **out, struct err *err);
    void (*unwatch)(void *ctx, void *watch);
    int64_t (*revision)(void *ctx); /* of the last change */
};

/* In memory: for what is computed anew at each start, such as the posture, and for tests. Changes
 * reach watches at once. */
struct kube_memory;
struct kube_memory *kube_memory_new(void) MUST_USE;
void kube_memory_free(struct kube_memory *memory);
/* Lives as long as the memory. */
const struct kube_storage *kube_memory_storage(struct kube_memory *memory);
/* Forgets events up to and with this revision. */
void kube_memory_compact(struct kube_memory *memory, int64_t revision);

#endif
