/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, single events with their proofs, watches. */
#include "api_internal.h"

#include "audit/tree.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/mem.h"
#include "base/num.h"

#include <inttypes.h>
#include <stdlib.h>

void api_put_base64(struct span bytes, struct buf *out)
{
    buf_put_u8(out, '"');
    enc_base64_put(ENC_BASE64, bytes, out);
    buf_put_u8(out, '"');
}

/* The record is in its canonical form, byte for byte what the log commits to. */
void api_put_event(const struct audit_found *found, struct buf *out)
{
    char when[CLOCK_TEXT_SIZE];

    clock_format_sec((int64_t)(found->event->time_ns / 1000000000), when);
    buf_printf(out,
               "{\"apiVersion\":\"audit.drun.io/v1\",\"kind\":\"AuditEvent\",\"metadata\":{"
               "\"name\":\"%" PRIu64 "\",\"creationTimestamp\":\"%s\"},\"event\":",
               found->index, when);
    buf_put_span(out, found->json);
}

/* ------------------------------------------------------------------ list */

struct listing {
    struct buf *out;
    uint64_t left;
    uint64_t count;
};

static int list_one(void *ctx, const struct audit_found *found, struct err *err UNUSED)
{
    struct listing *listing = ctx;

    if (listing->count++ > 0)
        buf_put_u8(listing->out, ',');
    api_put_event(found, listing->out);
    buf_put_u8(listing->out, '}');
    return --listing->left == 0;
}

void api_list(struct audit_api *api, const struct api_filter *filter, struct http_answer *answer)
{
    struct audit_log *log = audit_service_log(api->config.service);
    CLEANUP(buf_free_wiped) struct buf items = BUF_INIT(HTTP_ANSWER_MAX - 4096);
    struct listing listing = {.out = &items, .left = filter->limit};
    uint64_t next;
    struct err err = ERR_INIT;

    if (audit_log_query(log, &filter->query, list_one, &listing, &next, NULL, &err) < 0 ||
        buf_check(&items, "the list", &err) < 0) {
        api_fail(answer, &err);
        return;
    }
    answer->status = 200;
    api_json(answer);
    buf_printf(&answer->body,
               "{\"apiVersion\":\"audit.drun.io/v1\",\"kind\":\"AuditEventList\",\"metadata\":{"
               "\"resourceVersion\":\"%" PRIu64 "\"",
               audit_log_size(log));
    if (next != AUDIT_FROM_END)
        buf_printf(&answer->body, ",\"continue\":\"%" PRIu64 "\"", next);
    buf_put_str(&answer->body, "},\"items\":[");
    buf_put_span(&answer->body, buf_span(&items));
    buf_put_str(&answer->body, "]}\n");
}

/* ------------------------------------------------------------------ get */

struct disclosed {
    struct buf *out;
    struct buf salt;
};

static int disclose(void *ctx, const struct audit_found *found, struct err *err UNUSED)
{
    struct disclosed *disclosed = ctx;

    api_put_event(found, disclosed->out);
    buf_put_span(&disclosed->salt, found->salt);
    return 0;
}

static void put_proof(const struct tree_proof *proof, const struct tree_hash *seal,
                      struct span salt, struct span note, uint64_t size, struct buf *out)
{
    buf_put_str(out, ",\"proof\":{\"salt\":");
    api_put_base64(salt, out);
    buf_put_str(out, ",\"seal\":");
    api_put_base64(span_of(seal->bytes, TREE_HASH_LEN), out);
    buf_printf(out, ",\"treeSize\":%" PRIu64 ",\"hashes\":[", size);
    for (size_t i = 0; i < proof->count; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        api_put_base64(span_of(proof->node[i].bytes, TREE_HASH_LEN), out);
    }
    buf_put_str(out, "],\"checkpoint\":");
    api_put_base64(note, out);
    buf_put_u8(out, '}');
}

void api_get(struct audit_api *api, const char *name, struct http_answer *answer)
{
    struct audit_log *log = audit_service_log(api->config.service);
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(AUDIT_JSON_MAX + 16 * 1024);
    struct disclosed disclosed = {.out = &body, .salt = BUF_INIT(64)};
    struct tree_proof proof;
    struct tree_hash seal;
    uint64_t index;
    struct err err = ERR_INIT;

    int done = num_parse_u64(span_str(name), 0, UINT64_MAX - 1, "the index", &index, &err);
    if (done == 0)
        done = audit_log_get(log, index, disclose, &disclosed, &err);
    if (done == 0 && index >= audit_log_newest_size(log))
        done = audit_log_checkpoint(log, &err);
    uint64_t size = audit_log_newest_size(log);
    if (done == 0)
        done = audit_log_prove(log, index, size, &proof, &seal, &err);
    if (done < 0) {
        api_fail(answer, &err);
    } else {
        put_proof(&proof, &seal, buf_span(&disclosed.salt), audit_log_newest_note(log), size,
                  &body);
        answer->status = 200;
        api_json(answer);
        buf_put_span(&answer->body, buf_span(&body));
        buf_put_str(&answer->body, "}\n");
    }
    buf_free_wiped(&disclosed.salt);
}

void api_consistency(struct audit_api *api, const struct http_request *request,
                     struct http_answer *answer)
{
    struct audit_log *log = audit_service_log(api->config.service);
    const char *from_text = http_request_query(request, "from");
    const char *to_text = http_request_query(request, "to");
    struct tree_proof proof;
    uint64_t from = 0;
    uint64_t to = audit_log_newest_size(log);
    struct err err = ERR_INIT;

    int done = num_parse_u64(span_str(from_text == NULL ? "" : from_text), 1, UINT64_MAX, "from",
                             &from, &err);
    if (done == 0 && to_text != NULL)
        done = num_parse_u64(span_str(to_text), 1, UINT64_MAX, "to", &to, &err);
    if (done == 0)
        done = audit_log_prove_consistency(log, from, to, &proof, &err);
    if (done < 0) {
        api_fail(answer, &err);
        return;
    }
    answer->status = 200;
    http_answer_header(answer, "Content-Type", "text/plain; charset=utf-8");
    buf_printf(&answer->body, "%" PRIu64 " %" PRIu64 "\n", from, to);
    for (size_t i = 0; i < proof.count; i++) {
        enc_base64_put(ENC_BASE64, span_of(proof.node[i].bytes, TREE_HASH_LEN), &answer->body);
        buf_put_u8(&answer->body, '\n');
    }
}

/* ------------------------------------------------------------------ watch */

static void end_watch(void *ctx)
{
    struct api_watch *watch = ctx;

    if (watch->api != NULL) {
        LIST_REMOVE(watch, entry);
        watch->api->watch_count--;
    }
    for (size_t i = 0; i < ARRAY_LEN(watch->texts); i++)
        free(watch->texts[i]);
    free(watch);
}

/* The request's texts do not live as long as the watch. */
static struct span keep(char **place, struct span text)
{
    *place = mem_strndup((const char *)text.p, text.len);
    return span_of(*place, text.len);
}

static int watch_one(void *ctx, const struct audit_found *found, struct err *err UNUSED)
{
    struct api_watch *watch = ctx;
    CLEANUP(buf_free_wiped) struct buf line = BUF_INIT(AUDIT_JSON_MAX + 1024);

    buf_put_str(&line, "{\"type\":\"ADDED\",\"object\":");
    api_put_event(found, &line);
    buf_put_str(&line, "}}\n");
    http_stream_write(watch->stream, buf_span(&line));
    return 0;
}

/* One page; while there is a backlog more comes with the next append or the next second. */
static void feed(struct api_watch *watch)
{
    struct audit_log *log = audit_service_log(watch->api->config.service);
    struct err err = ERR_INIT;
    uint64_t next;

    if (log == NULL || watch->next >= audit_log_size(log))
        return;
    watch->filter.query.start = watch->next;
    if (audit_log_query(log, &watch->filter.query, watch_one, watch, &next, NULL, &err) < 0)
        return;
    watch->next = next == AUDIT_FROM_END ? audit_log_size(log) : next;
}

void api_start_watch(struct audit_api *api, const struct api_filter *filter,
                     struct http_answer *answer)
{
    struct audit_log *log = audit_service_log(api->config.service);
    struct err err = ERR_INIT;

    if (api->watch_count == API_WATCHES_MAX) {
        err_set(&err, ERR_LIMITED, "there are %d watches already", API_WATCHES_MAX);
        api_fail(answer, &err);
        return;
    }
    struct api_watch *watch = mem_new(sizeof(*watch));
    watch->api = api;
    watch->filter = *filter;
    watch->filter.query.oldest_first = true;
    watch->filter.query.scan_max = API_WATCH_SCAN_MAX;
    watch->filter.query.actor = keep(&watch->texts[0], filter->query.actor);
    watch->filter.query.event = keep(&watch->texts[1], filter->query.event);
    watch->filter.query.namespace = keep(&watch->texts[2], filter->query.namespace);
    watch->filter.query.role = keep(&watch->texts[3], filter->query.role);
    watch->next = filter->query.start == AUDIT_FROM_END ? audit_log_size(log) : filter->query.start;
    LIST_INSERT_HEAD(&api->watches, watch, entry);
    api->watch_count++;
    answer->status = 200;
    api_json(answer);
    watch->stream = http_answer_stream(answer, end_watch, watch);
    feed(watch);
}

void audit_api_appended(void *ctx)
{
    struct audit_api *api = ctx;
    struct api_watch *watch;

    LIST_FOREACH (watch, &api->watches, entry)
        feed(watch);
}

void audit_api_free(struct audit_api *api)
{
    if (api == NULL)
        return;
    while (!LIST_EMPTY(&api->watches)) {
        struct api_watch *watch = LIST_FIRST(&api->watches);
        LIST_REMOVE(watch, entry);
        /* The watch is freed when its stream has closed, which may be later. */
        watch->api = NULL;
        http_stream_end(watch->stream);
    }
    free(api);
}
