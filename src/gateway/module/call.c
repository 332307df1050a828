/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/module/module.h"

#include "base/clock.h"
#include "base/mem.h"

#include <openssl/rand.h>

enum { ID_BYTES = 16, SPARE_MAX = 256 };

/* Calls that ended, for the next ones: a worker makes as many as it serves at once. */
static struct gw_call *spare;
static size_t spare_count;

static struct gw_call *take_spare(void)
{
    struct gw_call *call = spare;

    if (call == NULL)
        return mem_new(sizeof(*call));
    spare = call->next;
    spare_count--;
    return call;
}

/* Runs with the end of the request's pool. It also marks the call: an internal redirect
 * (error_page) forgets a module's context, but not the pool's cleanups. */
static void give_back(void *data)
{
    struct gw_call *call = data;

    /* A request that never came to its log phase. */
    gw_line_leave(call);
    gw_limits_leave(call);
    gw_budgets_settle(call);
    gw_worker_unpromise(call->found_room);
    gw_answer_free(call->answer);
    call->answer = NULL;
    if (spare_count == SPARE_MAX) {
        free(call);
        return;
    }
    call->next = spare;
    spare = call;
    spare_count++;
}

struct gw_call *gw_call_of(ngx_http_request_t *r)
{
    struct gw_call *call = ngx_http_get_module_ctx(r, ngx_http_drun_module);

    if (call != NULL || !(r->internal || r->filter_finalize || r->error_page))
        return call;
    for (ngx_pool_cleanup_t *cleanup = r->pool->cleanup; cleanup != NULL; cleanup = cleanup->next) {
        if (cleanup->handler != give_back)
            continue;
        ngx_http_set_ctx(r, cleanup->data, ngx_http_drun_module);
        return cleanup->data;
    }
    return NULL;
}

static bool is_id(ngx_str_t text)
{
    if (text.len == 0 || text.len > GW_REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        u_char c = text.data[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '-' || c == '_' || c == '.';
        if (!good)
            return false;
    }
    return true;
}

const ngx_table_elt_t *gw_header_in(const ngx_http_request_t *r, const char *name)
{
    size_t len = strlen(name);

    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL;
         part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++)
            if (headers[i].key.len == len &&
                ngx_strncasecmp(headers[i].key.data, (u_char *)(uintptr_t)name, len) == 0)
                return &headers[i];
    }
    return NULL;
}

/* Random bytes are drawn for many ids at once; a worker alone uses them. */
static void draw(u_char out[ID_BYTES])
{
    static u_char pool[64 * ID_BYTES];
    static size_t left;

    if (left == 0) {
        INVARIANT(RAND_bytes(pool, sizeof(pool)) == 1);
        left = sizeof(pool);
    }
    left -= ID_BYTES;
    memcpy(out, pool + left, ID_BYTES);
}

/* The client's own id when it is a harmless one, else 16 random bytes. */
static void set_request_id(ngx_http_request_t *r, struct gw_call *call)
{
    const ngx_table_elt_t *header = gw_header_in(r, "X-Request-Id");
    u_char random[ID_BYTES];

    call->request_id.data = call->request_id_room;
    if (header != NULL && is_id(header->value)) {
        call->request_id.len = header->value.len;
        memcpy(call->request_id_room, header->value.data, header->value.len);
        return;
    }
    draw(random);
    u_char *end = ngx_hex_dump(call->request_id_room, random, sizeof(random));
    call->request_id.len = (size_t)(end - call->request_id_room);
}

struct gw_call *gw_call_new(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);

    if (cleanup == NULL)
        return NULL;
    struct gw_call *call = take_spare();
    /* The principal and what the meter keeps are large and filled in before they are read. */
    memset(call, 0, offsetof(struct gw_call, meter));
    cleanup->handler = give_back;
    cleanup->data = call;
    call->meter.bytes = 0;
    call->start_ns = clock_mono_ns();
    call->principal.source = AUTH_NOBODY;
    call->principal.name = call->principal.uid = call->principal.credential =
        call->principal.session = (struct auth_text){0};
    set_request_id(r, call);
    ngx_http_set_ctx(r, call, ngx_http_drun_module);
    return call;
}
