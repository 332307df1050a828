/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /apis/limits.drun.io/v1/bans: who is banned, and where a flood runs.
 *
 *     GET             {"kind": "BanList", "items": [...], "status": {"kernel", "floods"}}
 *     DELETE /ADDRESS ends one before its time
 *
 * What they show is in the workers' own memory, so a worker answers, and not a role. RBAC: verbs
 * list and delete on bans in limits.drun.io.
 */
#include "gateway/module/edge.h"

#include "audit/audit.h"
#include "base/clock.h"
#include "rbac/rbac.h"

#include <arpa/inet.h>
#include <inttypes.h>

#define PATH   "/apis/limits.drun.io/v1/bans"
#define SEC_NS UINT64_C(1000000000)
enum { LIST_MAX = 512 * 1024, V4_AT = 12 };

static void put_address(const uint8_t address[LIMIT_ADDRESS_LEN], char out[INET6_ADDRSTRLEN])
{
    static const uint8_t mapped[V4_AT] = {[10] = 0xFF, [11] = 0xFF};

    if (memcmp(address, mapped, V4_AT) == 0)
        (void)inet_ntop(AF_INET, address + V4_AT, out, INET6_ADDRSTRLEN);
    else
        (void)inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
}

static void put_time(uint64_t mono_ns, uint64_t now_ns, char out[CLOCK_TEXT_SIZE])
{
    int64_t ahead_sec = ((int64_t)mono_ns - (int64_t)now_ns) / (int64_t)SEC_NS;

    clock_format_sec(ngx_time() + ahead_sec, out);
}

static void put_ban(const struct limit_ban *ban, uint64_t now, struct buf *out)
{
    char address[INET6_ADDRSTRLEN];
    char since[CLOCK_TEXT_SIZE];
    char until[CLOCK_TEXT_SIZE];

    put_address(ban->address, address);
    put_time(ban->since_ns, now, since);
    put_time(ban->until_ns, now, until);
    buf_printf(out,
               "{\"apiVersion\":\"limits.drun.io/v1\",\"kind\":\"Ban\",\"metadata\":{\"name\":"
               "\"%s\",\"creationTimestamp\":\"%s\"},\"spec\":{\"address\":\"%s%s\",\"until\":"
               "\"%s\",\"reason\":\"%s\"}}",
               address, since, address, strchr(address, ':') != NULL ? "/64" : "", until,
               limit_offence_name(ban->offence));
}

static void put_floods(struct limit_sources *sources, uint64_t now, struct buf *out)
{
    for (int i = 0; i < LIMIT_CLASSES; i++) {
        struct limit_weather weather = limit_class_look(sources, (enum limit_class)i, now);
        buf_printf(out,
                   "%s{\"class\":\"%s\",\"level\":\"%s\",\"perSecond\":%" PRIu64
                   ",\"usual\":%" PRIu64 "}",
                   i == 0 ? "" : ",", limit_class_name((enum limit_class)i),
                   limit_level_name(weather.level), weather.rate, weather.usual);
    }
}

static ngx_int_t list(ngx_http_request_t *r, struct limit_sources *sources)
{
    static const char *const states[] = {[LIMIT_KERNEL_UNKNOWN] = "unknown",
                                         [LIMIT_KERNEL_IN_FORCE] = "in force",
                                         [LIMIT_KERNEL_NOT_GRANTED] = "not granted"};
    static struct limit_ban bans[LIMIT_BAN_SLOTS];
    CLEANUP(buf_free) struct buf out = BUF_INIT(LIST_MAX);
    struct limit_kernel kernel = limit_kernel_get(sources);
    uint64_t now = clock_mono_ns();
    size_t count = limit_bans(sources, now, bans);

    buf_put_str(&out, "{\"apiVersion\":\"limits.drun.io/v1\",\"kind\":\"BanList\",\"metadata\":{},"
                      "\"items\":[");
    for (size_t i = 0; i < count; i++) {
        buf_put_str(&out, i == 0 ? "" : ",");
        put_ban(&bans[i], now, &out);
    }
    /* The reason is the keeper's own sentence, without anything that JSON would escape. */
    buf_printf(&out, "],\"status\":{\"kernel\":{\"state\":\"%s\",\"reason\":\"%s\"},\"floods\":[",
               states[kernel.state <= LIMIT_KERNEL_NOT_GRANTED ? kernel.state : 0], kernel.why);
    put_floods(sources, now, &out);
    buf_put_str(&out, "]}}\n");
    return out.overflowed ? NGX_HTTP_INTERNAL_SERVER_ERROR
                          : gw_reply_json(r, NGX_HTTP_OK, buf_span(&out));
}

/* ------------------------------------------------------------------ ending one */

static void record(ngx_http_request_t *r, const struct auth_principal *who, const char *name,
                   bool done)
{
    struct audit_event event = {
        .event = span_str(AUDIT_API_REQUEST),
        .outcome = done ? AUDIT_SUCCESS : AUDIT_FAILURE,
        .status = done ? NGX_HTTP_OK : NGX_HTTP_NOT_FOUND,
        .actor = {.name = auth_text(who, who->name), .uid = auth_text(who, who->uid)},
        .action = {.verb = span_str("delete"),
                   .api_group = span_str("limits.drun.io"),
                   .resource = span_str("bans"),
                   .name = span_str(name)},
        .address = gw_span(r->connection->addr_text),
    };

    gw_worker_record(r->connection->log, &event, 0);
}

static ngx_int_t end(ngx_http_request_t *r, struct limit_sources *sources,
                     const struct auth_principal *who, ngx_str_t name)
{
    static const char done[] =
        "{\"apiVersion\":\"v1\",\"kind\":\"Status\",\"status\":\"Success\"}\n";
    uint8_t address[LIMIT_ADDRESS_LEN];
    char text[INET6_ADDRSTRLEN];
    struct err err = ERR_INIT;

    if (name.len >= sizeof(text))
        return gw_reply_problem(r, NGX_HTTP_BAD_REQUEST, "bad_request", "That is no address", 0);
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    if (auth_parse_address(text, address, &err) < 0)
        return gw_reply_problem(r, NGX_HTTP_BAD_REQUEST, "bad_request", "That is no address", 0);
    bool found = limit_unban(sources, address, clock_mono_ns());
    record(r, who, text, found);
    if (!found)
        return gw_reply_problem(r, NGX_HTTP_NOT_FOUND, "not_found", "That address is not banned",
                                0);
    return gw_reply_json(r, NGX_HTTP_OK, span_str(done));
}

/* ------------------------------------------------------------------ who may */

static bool may(const struct snapshot *policy, const struct auth_principal *who, const char *verb)
{
    struct span groups[AUTH_GROUPS_MAX];
    struct rbac_request request = {
        .user = {.name = auth_text(who, who->name), .groups = groups},
        .verb = span_str(verb),
        .api_group = span_str("limits.drun.io"),
        .resource = span_str("bans"),
        .subresource = span_of("", 0),
        .namespace = span_of("", 0),
        .name = span_of("", 0),
        .path = span_of("", 0),
    };

    request.user.group_count = auth_groups(who, groups);
    return auth_scope_allows_verb(who, span_str(verb)) && rbac_decide(policy, &request, NULL);
}

ngx_int_t edge_bans(ngx_http_request_t *r)
{
    static struct auth_principal who; /* of one answer at a time */
    struct limit_sources *sources = edge_sources();
    struct err err = ERR_INIT;
    ngx_str_t name = {0};

    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK)
        return rc;
    if (r->uri.len > sizeof(PATH)) {
        name.data = r->uri.data + sizeof(PATH);
        name.len = r->uri.len - sizeof(PATH);
    }
    bool ends = r->method == NGX_HTTP_DELETE && name.len > 0;
    if (!ends && r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD)
        return gw_reply_problem(r, NGX_HTTP_NOT_ALLOWED, "method_not_allowed",
                                "Bans are listed with GET and ended with DELETE", 0);
    if (gw_worker_authenticate(r, &who, &err) < 0 || who.source == AUTH_NOBODY)
        return gw_reply_problem(r, NGX_HTTP_UNAUTHORIZED, "unauthorized",
                                "This needs a credential that holds", 0);
    const struct snapshot *policy = gw_worker_policy(r);
    if (policy == NULL || sources == NULL)
        return gw_reply_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE, "not_ready",
                                "The platform is starting; try again in a moment", 1000);
    if (!may(policy, &who, ends ? "delete" : "list"))
        return gw_reply_problem(r, NGX_HTTP_FORBIDDEN, "forbidden",
                                "You have no right to this: it needs list and delete on bans in "
                                "limits.drun.io",
                                0);
    return ends ? end(r, sources, &who, name) : list(r, sources);
}
