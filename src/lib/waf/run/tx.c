/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction from its start to its log. */
#include "waf/run/run.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

enum { KEEP_MEMORY = 1024 * 1024, TEXT_MAX = 1024 * 1024, BODY_ROOM = 1024 * 1024 * 1024 };

struct waf_tx *waf_tx_new(struct waf_engine *engine)
{
    struct waf_tx *tx = mem_new(sizeof(*tx));

    tx->engine = engine;
    tx->arena = arena_new_keeping(engine->options.memory_max, KEEP_MEMORY);
    tx->text = (struct buf)BUF_INIT(TEXT_MAX);
    tx->request_body = (struct buf)BUF_INIT(BODY_ROOM);
    tx->response_body = (struct buf)BUF_INIT(BODY_ROOM);
    tx->slots = mem_new_array(engine->slot_count + 1, sizeof(*tx->slots));
    tx->xpaths = mem_new_array(engine->xpath_count + 1, sizeof(*tx->xpaths));
    tx->xpath_done = mem_new(engine->xpath_count + 1);
    tx->scanned = mem_new(engine->partition_count + 1);
    tx->active = mem_new_array(engine->pattern_count / 64 + 1, sizeof(*tx->active));
    tx->removed = mem_new_array(engine->rule_count / 64 + 1, sizeof(*tx->removed));
    return tx;
}

void waf_tx_free(struct waf_tx *tx)
{
    if (tx == NULL)
        return;
    waf_xml_free(tx->xml);
    arena_free(tx->arena);
    buf_free(&tx->text);
    buf_free(&tx->request_body);
    buf_free(&tx->response_body);
    free(tx->slots);
    free(tx->xpaths);
    free(tx->xpath_done);
    free(tx->scanned);
    free(tx->active);
    free(tx->removed);
    free(tx);
}

void waf_tx_free_ptr(struct waf_tx **tx)
{
    waf_tx_free(*tx);
}

static void clear(struct waf_tx *tx)
{
    const struct waf_engine *engine = tx->engine;
    struct waf_tx kept = *tx;

    waf_xml_free(tx->xml);
    arena_reset(tx->arena);
    *tx = (struct waf_tx){.engine = kept.engine,
                          .arena = kept.arena,
                          .text = kept.text,
                          .request_body = kept.request_body,
                          .response_body = kept.response_body,
                          .slots = kept.slots,
                          .xpaths = kept.xpaths,
                          .xpath_done = kept.xpath_done,
                          .scanned = kept.scanned,
                          .active = kept.active,
                          .removed = kept.removed};
    buf_reset(&tx->request_body);
    buf_reset(&tx->response_body);
    memset(tx->slots, 0, engine->slot_count * sizeof(*tx->slots));
    memset(tx->xpaths, 0, engine->xpath_count * sizeof(*tx->xpaths));
    memset(tx->xpath_done, 0, engine->xpath_count);
    memset(tx->scanned, 0, engine->partition_count);
    memset(tx->active, 0, (engine->pattern_count / 64 + 1) * sizeof(*tx->active));
    memset(tx->removed, 0, (engine->rule_count / 64 + 1) * sizeof(*tx->removed));
}

static void settings(struct waf_tx *tx)
{
    const struct image_head *head = tx->engine->head;

    tx->op.arena = tx->arena;
    tx->op.geo = tx->engine->geo;
    tx->start_ns = clock_mono_ns();
    tx->work_left = tx->engine->options.work_max;
    tx->highest_severity = WAF_SEVERITY_NONE;
    tx->mode = head->engine;
    tx->request_access = head->request_body_access != 0;
    tx->response_access = head->response_body_access != 0;
    tx->request_limit = head->request_body_limit;
    tx->response_limit = head->response_body_limit;
    tx->processor = PROCESS_NONE;
    tx->verdict.redirect = span_str("");
}

static struct span unique_id(struct waf_tx *tx, struct span given)
{
    if (given.len > 0)
        return tx_copy(tx, given);
    return tx_number(tx, (int64_t)clock_wall_ns());
}

void waf_tx_start(struct waf_tx *tx, const struct waf_connection *connection)
{
    clear(tx);
    settings(tx);
    /* v3 has all of them from the start, empty. */
    for (uint32_t i = 0; i < tx->engine->scalar_count; i++)
        list_set(tx, tx->engine->scalars[i], span_str(""));
    tx->client_addr = tx_copy(tx, connection->client_addr);
    list_set(tx, VAR_REMOTE_ADDR, tx->client_addr);
    list_set(tx, VAR_REMOTE_HOST, tx->client_addr);
    list_set(tx, VAR_SERVER_ADDR, tx_copy(tx, connection->server_addr));
    list_set(tx, VAR_REMOTE_USER, tx_copy(tx, connection->remote_user));
    list_set(tx, VAR_UNIQUE_ID, unique_id(tx, connection->unique_id));
    list_set_number(tx, VAR_REMOTE_PORT, connection->client_port);
    list_set_number(tx, VAR_SERVER_PORT, connection->server_port);
    list_set_number(tx, VAR_URLENCODED_ERROR, 0);
}

/* ------------------------------------------------------------------ responses */

void waf_tx_response_header(struct waf_tx *tx, struct span name, struct span value)
{
    name = tx_copy(tx, name);
    value = tx_copy(tx, value);
    (void)list_add(tx, VAR_RESPONSE_HEADERS, name, value);
    (void)list_add(tx, VAR_RESPONSE_HEADERS_NAMES, name, name);
    if (span_eq_word(name, "content-type")) {
        const uint8_t *end = value.len > 0 ? memchr(value.p, ';', value.len) : NULL;
        size_t len = end != NULL ? (size_t)(end - value.p) : value.len;
        list_set(tx, VAR_RESPONSE_CONTENT_TYPE, span_trim(span_of(value.p, len)));
    }
}

const struct waf_verdict *waf_tx_response_headers_end(struct waf_tx *tx, unsigned status,
                                                      struct span protocol)
{
    list_set(tx, VAR_RESPONSE_STATUS, tx_number(tx, status));
    list_set(tx, VAR_STATUS, tx_number(tx, status));
    list_set(tx, VAR_RESPONSE_PROTOCOL, tx_copy(tx, protocol));
    return run_phase(tx, 3);
}

bool waf_tx_wants_answer(const struct waf_tx *tx)
{
    return tx->response_access && tx->mode != ENGINE_OFF;
}

bool waf_tx_wants_response_body(const struct waf_tx *tx)
{
    const struct list *list = &tx->lists[VAR_RESPONSE_CONTENT_TYPE];
    struct span type = list->count > 0 ? list->items[0]->text : span_of("", 0);

    return waf_tx_wants_answer(tx) && waf_engine_takes_type(tx->engine, type);
}

/* Takes what there is room for. */
static const struct waf_verdict *take_body(struct waf_tx *tx, struct buf *body, struct span chunk,
                                           uint64_t limit, enum waf_event event, bool reject)
{
    uint64_t room = limit == 0 ? UINT64_MAX : limit - NUM_MIN(limit, (uint64_t)body->len);

    if (chunk.len <= room) {
        buf_put_span(body, chunk);
        return NULL;
    }
    tx->events |= event;
    list_set(tx, event == WAF_EVENT_REQUEST_BODY ? VAR_INBOUND_DATA_ERROR : VAR_OUTBOUND_DATA_ERROR,
             span_str("1"));
    if (!reject) {
        buf_put(body, chunk.p, (size_t)room);
        return NULL;
    }
    if (tx->mode == ENGINE_ON && tx->verdict.action < WAF_DENY)
        tx->verdict = (struct waf_verdict){.action = WAF_DENY, .status = 413};
    return tx->verdict.action >= WAF_DENY ? &tx->verdict : NULL;
}

const struct waf_verdict *waf_tx_response_body(struct waf_tx *tx, struct span chunk)
{
    if (!waf_tx_wants_response_body(tx))
        return NULL;
    return take_body(tx, &tx->response_body, chunk, tx->response_limit, WAF_EVENT_RESPONSE_BODY,
                     tx->engine->head->response_limit_action == 0);
}

const struct waf_verdict *waf_tx_response_body_end(struct waf_tx *tx)
{
    if (!waf_tx_wants_response_body(tx))
        return &tx->verdict;
    list_set(tx, VAR_RESPONSE_BODY, buf_span(&tx->response_body));
    list_set_number(tx, VAR_RESPONSE_CONTENT_LENGTH, (int64_t)tx->response_body.len);
    return run_phase(tx, 4);
}

/* ------------------------------------------------------------------ request bodies */

bool waf_tx_wants_request_body(const struct waf_tx *tx)
{
    return tx->request_access && tx->mode != ENGINE_OFF;
}

const struct waf_verdict *waf_tx_request_body(struct waf_tx *tx, struct span chunk)
{
    if (!waf_tx_wants_request_body(tx))
        return NULL;
    return take_body(tx, &tx->request_body, chunk, tx->request_limit, WAF_EVENT_REQUEST_BODY,
                     tx->engine->head->request_limit_action == 0);
}

const struct waf_verdict *waf_tx_request_body_end(struct waf_tx *tx)
{
    if (tx->mode != ENGINE_OFF)
        process_request_body(tx);
    return run_phase(tx, 2);
}

/* ------------------------------------------------------------------ the end */

void waf_tx_log(struct waf_tx *tx)
{
    (void)run_phase(tx, PHASES);
}

const struct waf_verdict *waf_tx_verdict(const struct waf_tx *tx)
{
    return &tx->verdict;
}

const struct waf_hit *waf_tx_hits(const struct waf_tx *tx, size_t *count)
{
    *count = tx->hits.count;
    return tx->hits.items;
}

unsigned waf_tx_events(const struct waf_tx *tx)
{
    return tx->events;
}

bool waf_tx_is_enforcing(const struct waf_tx *tx)
{
    return tx->mode == ENGINE_ON;
}
