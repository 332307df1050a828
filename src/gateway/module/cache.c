/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/module/cache.h"

#include "base/clock.h"
#include "crypto/crypto.h"
#include "gateway/module/waf.h"
#include "kept/kept.h"

enum {
    NS_PER_SEC = 1000000000,
    BODY_MAX = 256 * 1024 * 1024,
    BODY_KEPT_MAX = 1024 * 1024, /* of a worker's memory, from one call to the next */
    HEAD_MAX = 8192,
    TYPE_MAX = UINT8_MAX,
};

struct gw_cache {
    uint8_t key[KEPT_KEY_LEN];
    uint64_t version; /* of the service that the key was made with */
    uint64_t ttl_ns;
    size_t max_bytes;
    bool looks; /* a kept answer will do */
    bool keeps; /* the answer that comes is wanted */
    bool hit;
    uint64_t age_ns;
    size_t put_len;   /* so much of the answer was put */
    struct buf bytes; /* of a hit: as it was put; else what went out until now */
};

static struct kept *store;

ngx_int_t gw_cache_make(ngx_cycle_t *cycle, const struct gw_main_conf *conf)
{
    struct err err = ERR_INIT;

    if (store != NULL || conf->cache_bytes == 0 || kept_new(conf->cache_bytes, &store, &err) == 0)
        return NGX_OK;
    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "drun: %s", err.msg);
    return NGX_ERROR;
}

/* ------------------------------------------------------------------ the key */

static void put(struct buf *out, struct span text)
{
    buf_put_u32(out, (uint32_t)text.len);
    buf_put_span(out, text);
}

/* Who shares answers: a namespace with itself; or a person who calls without one. */
static bool put_caller(const struct gw_call *call, const struct snapshot *policy, struct buf *out)
{
    const struct auth_principal *who = &call->principal;
    struct span namespace = auth_text(who, who->namespace);
    struct policy_namespace ns;

    buf_put_u8(out, namespace.len > 0);
    if (namespace.len == 0) {
        put(out, auth_text(who, who->name));
        put(out, auth_text(who, who->uid));
        return true;
    }
    if (!policy_find_namespace(policy, namespace, &ns))
        return false;
    put(out, ns.name);
    put(out, ns.uid);
    return true;
}

/* What the answer passes on its way out, and would not pass again: guard and firewall. */
static void put_filters(const struct gw_call *call, struct buf *out)
{
    const struct snapshot *rules = gw_waf_image();

    buf_put_u8(out, call->looks);
    if (call->looks)
        put(out, span_of(call->answer_policy.action, sizeof(call->answer_policy.action)));
    buf_put_u64(out, rules == NULL ? 0 : snapshot_generation(rules));
}

/* All that an answer depends on, but for the body. False: this caller shares with nobody. */
static bool put_head(ngx_http_request_t *r, const struct gw_call *call,
                     const struct snapshot *policy, const struct policy_route *route,
                     struct buf *out)
{
    const struct gw_loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_drun_module);

    put(out, route->namespace);
    put(out, route->name);
    put(out, route->cache.version);
    buf_put_u8(out, (uint8_t)conf->api);
    buf_put_u8(out, call->request.stream);
    /* What the body gets besides (body.c). */
    buf_put_u64(out, gw_answer_limit(conf, call, route));
    put_filters(call, out);
    return put_caller(call, policy, out) && !out->overflowed;
}

static void collect(void *ctx, struct span stretch)
{
    buf_put_span(ctx, stretch);
}

static bool make_key(ngx_http_request_t *r, const struct gw_call *call,
                     const struct snapshot *policy, const struct policy_route *route,
                     uint8_t key[KEPT_KEY_LEN])
{
    static struct buf body = BUF_INIT(BODY_MAX); /* one call at a time */
    uint8_t room[HEAD_MAX + 1];
    struct buf head = {.data = room, .cap = sizeof(room), .max = HEAD_MAX};

    _Static_assert((int)KEPT_KEY_LEN == (int)CRYPTO_HASH_LEN, "a key is a digest");
    if (!put_head(r, call, policy, route, &head))
        return false;
    buf_reset(&body);
    openai_request_compact(&call->request, collect, &body);
    bool whole = !body.overflowed;
    const struct span parts[] = {buf_span(&head), buf_span(&body)};
    crypto_sha256_parts(parts, ARRAY_LEN(parts), key);
    if (body.cap > BODY_KEPT_MAX)
        buf_free(&body);
    return whole;
}

/* ------------------------------------------------------------------ what the caller wants */

/* Directives of RFC 9111 section 5.2.1: an answer of its own; one that is not kept. */
struct wishes {
    bool no_cache;
    bool no_store;
};

static bool has_word(ngx_str_t value, const char *word)
{
    return ngx_strlcasestrn(value.data, value.data + value.len, (u_char *)(uintptr_t)word,
                            strlen(word) - 1) != NULL;
}

static struct wishes wishes_of(const ngx_http_request_t *r)
{
    struct wishes wishes = {false, false};

    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            static const char name[] = "cache-control";
            if (headers[i].key.len != sizeof(name) - 1 ||
                ngx_strncasecmp(headers[i].key.data, (u_char *)(uintptr_t)name, sizeof(name) - 1) !=
                    0)
                continue;
            wishes.no_cache |= has_word(headers[i].value, "no-cache");
            wishes.no_store |= has_word(headers[i].value, "no-store");
        }
    }
    return wishes;
}

/* A proof of the platform asks the engine. What is fetched from elsewhere may be another picture
 * each time. A backend whose parameters are changed answers another question than was asked. */
static bool is_fit(const struct gw_call *call, const struct policy_backend *backend)
{
    const struct auth_principal *who = &call->principal;

    return call->request.deterministic && !call->request.remote && backend->edit_set.len == 0 &&
           backend->edit_drop.len == 0 && !span_eq_str(auth_text(who, who->name), AUTH_POSTURE);
}

/* ------------------------------------------------------------------ a hit */

static bool is_stream(struct span type)
{
    return span_has_prefix(type, "text/event-stream");
}

static ngx_int_t put_age(ngx_http_request_t *r, uint64_t age_ns)
{
    ngx_str_t value = {0, ngx_pnalloc(r->pool, NGX_INT64_LEN)};

    if (value.data == NULL)
        return NGX_ERROR;
    value.len = (size_t)(ngx_sprintf(value.data, "%uL", age_ns / NS_PER_SEC) - value.data);
    return gw_header_add(r, "Age", value);
}

/* As it is put: the length of the type, the type, the body. */
static ngx_int_t send_kept(ngx_http_request_t *r, const struct gw_cache *cache)
{
    struct span value = buf_span(&cache->bytes);
    struct span type = span_of(value.p + 1, value.p[0]);
    struct span body = span_of(type.p + type.len, value.len - type.len - 1);
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);
    ngx_chain_t link = {.buf = buf, .next = NULL};

    if (buf == NULL || put_age(r, cache->age_ns) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    buf->start = buf->pos = (u_char *)(uintptr_t)body.p;
    buf->end = buf->last = buf->pos + body.len;
    buf->memory = buf->last_buf = buf->last_in_chain = 1;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = is_stream(type) ? -1 : (off_t)body.len;
    r->headers_out.content_type = (ngx_str_t){type.len, (u_char *)(uintptr_t)type.p};
    r->headers_out.content_type_len = type.len;
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only)
        return rc;
    return ngx_http_output_filter(r, &link);
}

static void free_bytes(void *data)
{
    struct gw_cache *cache = data;

    buf_free(&cache->bytes);
}

static uint64_t version_of(const struct policy_route *route)
{
    return limit_key(route->cache.version, span_str("cache"));
}

static struct gw_cache *make(ngx_http_request_t *r, const struct policy_route *route)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(struct gw_cache));

    if (cleanup == NULL)
        return NULL;
    struct gw_cache *cache = cleanup->data;
    *cache = (struct gw_cache){.ttl_ns = (uint64_t)route->cache.ttl_sec * NS_PER_SEC,
                               .version = version_of(route),
                               .max_bytes = route->cache.max_bytes};
    cleanup->handler = free_bytes;
    return cache;
}

static ngx_int_t look(ngx_http_request_t *r, struct gw_call *call)
{
    struct gw_cache *cache = call->cache;

    buf_free(&cache->bytes);
    cache->bytes = (struct buf)BUF_INIT(KEPT_VALUE_MAX);
    cache->hit =
        cache->looks && kept_get(store, cache->key, clock_mono_ns(), &cache->bytes, &cache->age_ns);
    if (!cache->hit) {
        buf_free(&cache->bytes);
        cache->bytes = (struct buf)BUF_INIT(cache->max_bytes);
        return NGX_DECLINED;
    }
    cache->keeps = false;
    call->stage = GW_KEPT;
    ngx_http_finalize_request(r, send_kept(r, cache));
    return NGX_DONE;
}

ngx_int_t gw_cache_answer(ngx_http_request_t *r, struct gw_call *call,
                          const struct snapshot *policy, const struct policy_backend *backend)
{
    const struct policy_route *route = &backend->route;

    call->cache = NULL;
    if (route->cache.ttl_sec == 0 || store == NULL)
        return NGX_DECLINED;
    struct gw_cache *cache = call->cache = make(r, route);
    if (cache == NULL)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    struct wishes wishes = wishes_of(r);
    if (wishes.no_store || !is_fit(call, backend) || !make_key(r, call, policy, route, cache->key))
        return NGX_DECLINED;
    cache->looks = !wishes.no_cache;
    cache->keeps = true;
    return look(r, call);
}

/* Who asked the same and was in front may have been answered meanwhile. */
ngx_int_t gw_cache_waited(ngx_http_request_t *r, struct gw_call *call)
{
    return call->cache != NULL && call->cache->keeps ? look(r, call) : NGX_DECLINED;
}

/* ------------------------------------------------------------------ a miss */

static void stop(struct gw_cache *cache)
{
    cache->keeps = false;
    buf_free(&cache->bytes);
}

void gw_cache_check(struct gw_call *call, const struct policy_route *route)
{
    if (call->cache != NULL && call->cache->version != version_of(route))
        stop(call->cache);
}

/* Nothing that the guard found something in, and nothing that is less than an answer. */
static bool is_worth_it(const ngx_http_request_t *r, const struct gw_call *call)
{
    const struct openai_meter *meter = &call->meter;
    struct err err = ERR_INIT;

    if (r->headers_out.status != NGX_HTTP_OK || call->cut || call->withheld || meter->failed ||
        call->found.count > 0 || call->cache->bytes.len == 0)
        return false;
    if (meter->kind == OPENAI_METER_EVENTS)
        return meter->done;
    return openai_json_check(buf_span(&call->cache->bytes), &err) == 0;
}

static void keep(const ngx_http_request_t *r, struct gw_call *call)
{
    struct gw_cache *cache = call->cache;
    struct span type = gw_span(r->headers_out.content_type);
    uint8_t type_len = (uint8_t)type.len;
    const struct span parts[] = {span_of(&type_len, 1), type, buf_span(&cache->bytes)};
    uint64_t now = clock_mono_ns();

    if (type.len <= TYPE_MAX && is_worth_it(r, call))
        (void)kept_put(store, cache->key, parts, ARRAY_LEN(parts), now, now + cache->ttl_ns);
    cache->put_len = cache->bytes.len;
}

/* A client that has all of it may ask again before nginx says that it is over. */
static bool is_complete(const ngx_http_request_t *r, const struct gw_call *call)
{
    const struct openai_meter *meter = &call->meter;

    if (meter->kind == OPENAI_METER_EVENTS)
        return meter->done && !meter->has_line && meter->held_len == 0;
    return r->headers_out.content_length_n == (off_t)call->cache->bytes.len;
}

void gw_cache_take(const ngx_http_request_t *r, struct gw_call *call)
{
    struct gw_cache *cache = call->cache;
    bool last = false;

    if (!cache->keeps)
        return;
    for (const ngx_chain_t *link = call->out; link != NULL; link = link->next) {
        const ngx_buf_t *buf = link->buf;
        if (ngx_buf_in_memory(buf))
            buf_put(&cache->bytes, buf->pos, (size_t)(buf->last - buf->pos));
        last |= buf->last_buf;
    }
    if (cache->bytes.overflowed) {
        stop(cache);
        return;
    }
    if (cache->bytes.len != cache->put_len && (last || is_complete(r, call)))
        keep(r, call);
    if (last)
        stop(cache);
}

/* ------------------------------------------------------------------ what is told */

struct span gw_cache_told(const struct gw_call *call)
{
    return span_str(call->cache == NULL ? "" : call->cache->hit ? "hit" : "miss");
}

ngx_int_t gw_cache_put_field(ngx_http_request_t *r, const struct gw_call *call)
{
    struct span told = gw_cache_told(call);

    return gw_header_add(r, "X-Drun-Cache", (ngx_str_t){told.len, (u_char *)(uintptr_t)told.p});
}
