/* SPDX-License-Identifier: Apache-2.0 */
/* The verb watch: one JSON event a line, for as long as the client wants. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "kube/kube_internal.h"

enum { PENDING_MAX = 16 * 1024 * 1024, BOOKMARK_SEC = 60, SELECT_MAX = 256 * 1024 };

struct kube_watch {
    struct kube_server *server;
    const struct kube_kind *kind;
    struct kube_accept accept;
    struct arena *arena; /* holds the selectors and texts */
    char *include;
    struct kube_selector *labels, *fields;
    void *handle;       /* of the storage */
    struct buf pending; /* written before the start */
    kube_write_fn *write;
    kube_end_fn *end;
    void *ctx;
    bool bookmarks, columns_sent, over, told;
    int64_t revision; /* up to which everything was sent */
    int64_t bookmark_revision;
    uint64_t end_ns, bookmark_ns;
    LIST_ENTRY(kube_watch) entry;
};

static void emit(struct kube_watch *watch, struct span bytes)
{
    if (watch->over)
        return;
    if (watch->write != NULL) {
        watch->write(watch->ctx, bytes);
        return;
    }
    buf_put_span(&watch->pending, bytes);
    if (watch->pending.overflowed)
        watch->over = true;
}

static void tell_end(struct kube_watch *watch)
{
    watch->over = true;
    if (watch->end == NULL || watch->told)
        return;
    watch->told = true;
    watch->end(watch->ctx);
}

/* Takes object. */
static void send_event(struct kube_watch *watch, const char *type, json_t *object)
{
    CLEANUP(buf_free) struct buf line = BUF_INIT(4 * KUBE_BODY_MAX);
    CLEANUP_JSON json_t *event = json_pack("{s:s, s:o}", "type", type, "object", object);

    codec_json_put(event, &line);
    buf_put_str(&line, "\n");
    emit(watch, buf_span(&line));
}

static json_t *shown(struct kube_watch *watch, json_t *object)
{
    if (watch->accept.form == KUBE_FORM_TABLE) {
        CLEANUP_JSON json_t *items = json_pack("[O]", object);
        json_t *table = kube_table(watch->kind, items, json_object_get(object, "metadata"),
                                   &watch->accept, watch->include, !watch->columns_sent);
        watch->columns_sent = true;
        return table;
    }
    if (watch->accept.form == KUBE_FORM_METADATA || watch->accept.form == KUBE_FORM_METADATA_LIST)
        return kube_metadata_only(object, watch->accept.beta);
    return json_incref(object);
}

static bool matches(const struct kube_watch *watch, const json_t *object)
{
    return object != NULL && kube_selector_matches_labels(watch->labels, object) &&
           kube_selector_matches_fields(watch->fields, object);
}

static json_t *state(const struct kube_event *event, struct span value)
{
    struct kube_record record = {.key = event->key, .revision = event->revision, .value = value};
    struct err err = ERR_INIT;
    json_t *object = NULL;

    if (value.p == NULL || kube_decode(&record, &object, &err) < 0)
        return NULL;
    return object;
}

/* To a client that selects, an object appears and goes when it begins and ceases to match. */
static void on_event(void *ctx, const struct kube_event *event)
{
    struct kube_watch *watch = ctx;
    CLEANUP_JSON json_t *now = state(event, event->value);
    CLEANUP_JSON json_t *before = state(event, event->old);
    bool is = matches(watch, now), was = matches(watch, before);

    watch->revision = event->revision;
    if (is)
        send_event(watch, was ? "MODIFIED" : "ADDED", shown(watch, now));
    else if (was)
        send_event(watch, "DELETED", shown(watch, before));
}

static void send_gone(struct kube_watch *watch)
{
    send_event(watch, "ERROR",
               kube_status_new(410, "Expired",
                               "The resourceVersion for the provided watch is too old.", NULL));
}

static void on_lost(void *ctx)
{
    struct kube_watch *watch = ctx;

    send_gone(watch);
    tell_end(watch);
}

/* ------------------------------------------------------------------ the request */

static int send_added(void *ctx, json_t *object, struct err *err UNUSED)
{
    struct kube_watch *watch = ctx;

    send_event(watch, "ADDED", shown(watch, object));
    return 0;
}

static void send_bookmark(struct kube_watch *watch, bool initial)
{
    json_t *meta =
        json_pack("{s:o}", "resourceVersion", json_sprintf("%lld", (long long)watch->revision));

    if (initial)
        json_object_set_new(meta, "annotations",
                            json_pack("{s:s}", "k8s.io/initial-events-end", "true"));
    CLEANUP_JSON json_t *object =
        json_pack("{s:s, s:s, s:o}", "kind", watch->kind->kind, "apiVersion",
                  kube_kind_api_version(watch->kind), "metadata", meta);
    if (watch->accept.form == KUBE_FORM_TABLE) {
        CLEANUP_JSON json_t *none = json_array();
        send_event(
            watch, "BOOKMARK",
            kube_table(watch->kind, none, meta, &watch->accept, "None", !watch->columns_sent));
        return;
    }
    send_event(watch, "BOOKMARK", json_incref(object));
}

static int read_number(struct kube_call *call, const char *name, uint64_t *out)
{
    const char *text = kube_query(call, name);
    struct err err = ERR_INIT;

    *out = 0;
    if (text[0] == '\0')
        return 0;
    if (num_parse_u64(span_str(text), 0, INT64_MAX, name, out, &err) < 0)
        return kube_refuse_bad(call, "%s", err.msg);
    return 0;
}

static int set_up(struct kube_call *call, struct kube_watch *watch)
{
    char *const include = arena_strdup(watch->arena, kube_query(call, "includeObject"));
    struct err err = ERR_INIT;
    uint64_t timeout;

    watch->include = include;
    if (arena_check(watch->arena, "the watch", &err) < 0)
        return kube_refuse_err(call, &err);
    if (kube_selector_labels(kube_query(call, "labelSelector"), watch->arena, &watch->labels,
                             &err) < 0 ||
        kube_selector_fields(kube_query(call, "fieldSelector"), watch->kind, watch->arena,
                             &watch->fields, &err) < 0)
        return kube_refuse_bad(call, "%s", err.msg);
    TRY(read_number(call, "timeoutSeconds", &timeout));
    uint64_t most = call->server->config.watch_sec;
    if (timeout == 0 || timeout > most)
        timeout = most;
    watch->end_ns = clock_mono_ns() + timeout * 1000000000U;
    watch->bookmark_ns = clock_mono_ns() + BOOKMARK_SEC * 1000000000ULL;
    watch->bookmarks = kube_query_true(call, "allowWatchBookmarks");
    return 0;
}

/* Without a revision, or with 0, a watch begins with what is there. */
static int send_initial(struct kube_call *call, struct kube_watch *watch, uint64_t *after)
{
    bool marked = kube_query_true(call, "sendInitialEvents");
    struct kube_walk walk = {.kind = call->kind,
                             .namespace = kube_scope(call),
                             .labels = watch->labels,
                             .fields = watch->fields,
                             .arena = call->arena};
    struct err err = ERR_INIT;

    if (*after > 0 && !marked)
        return 0;
    if (kube_walk(call->server, &walk, send_added, watch, &err) < 0)
        return kube_refuse_err(call, &err);
    *after = (uint64_t)walk.revision;
    watch->revision = walk.revision;
    if (marked && watch->bookmarks)
        send_bookmark(watch, true);
    return 0;
}

static int subscribe(struct kube_call *call, struct kube_watch *watch, uint64_t after)
{
    const struct kube_storage *storage = call->server->config.storage;
    struct kube_storage_watch spec = {
        .resource = kube_kind_resource(call->kind),
        .namespace = kube_scope(call),
        .after = (int64_t)after,
        .on_event = on_event,
        .on_lost = on_lost,
        .ctx = watch,
    };
    struct err err = ERR_INIT;

    watch->revision = (int64_t)after;
    if (storage->watch(storage->ctx, &spec, &watch->handle, &err) < 0)
        return err.code == ERR_GONE ? kube_refuse_expired(call, err.msg)
                                    : kube_refuse_err(call, &err);
    watch->bookmark_revision = watch->revision;
    return 0;
}

/* GET of one object with watch=true is a watch that selects its name. */
static int narrow(struct kube_call *call, struct kube_watch *watch)
{
    struct err err = ERR_INIT;

    if (call->route.name[0] == '\0')
        return 0;
    char *text = arena_printf(watch->arena, "metadata.name=%s", call->route.name);
    if (text == NULL ||
        kube_selector_fields(text, watch->kind, watch->arena, &watch->fields, &err) < 0)
        return kube_refuse_bad(call, "this name cannot be watched");
    return 0;
}

static int begin(struct kube_call *call, struct kube_watch *watch)
{
    uint64_t after;

    TRY(set_up(call, watch));
    TRY(narrow(call, watch));
    TRY(read_number(call, "resourceVersion", &after));
    TRY(send_initial(call, watch, &after));
    return subscribe(call, watch, after);
}

int kube_do_watch(struct kube_call *call)
{
    struct kube_watch *watch = mem_new(sizeof(*watch));

    watch->server = call->server;
    watch->kind = call->kind;
    watch->accept = call->accept;
    watch->arena = arena_new(SELECT_MAX);
    watch->pending = (struct buf)BUF_INIT(PENDING_MAX);
    LIST_INSERT_HEAD(&call->server->watches, watch, entry);
    if (begin(call, watch) < 0) {
        kube_watch_free(watch);
        return -1;
    }
    call->answer->status = 200;
    call->answer->content_type = "application/json";
    call->answer->watch = watch;
    return 0;
}

/* ------------------------------------------------------------------ its life */

void kube_watch_start(struct kube_watch *watch, kube_write_fn *write, kube_end_fn *end, void *ctx)
{
    watch->write = write;
    watch->end = end;
    watch->ctx = ctx;
    if (watch->pending.len > 0)
        write(ctx, buf_span(&watch->pending));
    buf_free(&watch->pending);
    if (watch->over)
        tell_end(watch);
}

void kube_watch_free(struct kube_watch *watch)
{
    if (watch == NULL)
        return;
    const struct kube_storage *storage = watch->server->config.storage;
    if (watch->handle != NULL)
        storage->unwatch(storage->ctx, watch->handle);
    LIST_REMOVE(watch, entry);
    buf_free(&watch->pending);
    arena_free(watch->arena);
    free(watch);
}

static void bookmark(struct kube_watch *watch, uint64_t now)
{
    const struct kube_storage *storage = watch->server->config.storage;

    watch->bookmark_ns = now + BOOKMARK_SEC * 1000000000ULL;
    /* Whatever this watch has not seen by now is none of its business. */
    watch->revision = NUM_MAX(watch->revision, storage->revision(storage->ctx));
    if (watch->revision != watch->bookmark_revision)
        send_bookmark(watch, false);
    watch->bookmark_revision = watch->revision;
}

/* The last bookmark is where the client's next watch begins. */
static void tick(struct kube_watch *watch, uint64_t now)
{
    if (watch->over)
        return;
    bool ends = now >= watch->end_ns;
    if (watch->bookmarks && (ends || now >= watch->bookmark_ns))
        bookmark(watch, now);
    if (ends)
        tell_end(watch);
}

void kube_server_tick(struct kube_server *server)
{
    uint64_t now = clock_mono_ns();
    struct kube_watch *watch = LIST_FIRST(&server->watches);

    while (watch != NULL) {
        struct kube_watch *next = LIST_NEXT(watch, entry);
        tick(watch, now);
        watch = next;
    }
    kube_collect_tick(server);
}

void kube_server_drain(struct kube_server *server)
{
    struct kube_watch *watch = LIST_FIRST(&server->watches);

    while (watch != NULL) {
        struct kube_watch *next = LIST_NEXT(watch, entry);
        tell_end(watch);
        watch = next;
    }
}
