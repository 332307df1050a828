/* SPDX-License-Identifier: Apache-2.0 */
/* What one source may take: connections and handshakes where they are accepted, before any of them
 * costs a key exchange; requests, sign-ins and bytes before a request is looked at. Who goes on
 * when it is refused is banned for a while. */
#include "gateway/module/edge.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

#include <fcntl.h>
#include <sys/socket.h>

#define SEC_NS UINT64_C(1000000000)

/* One a process, as nginx has it. */
static struct limit_sources *sources;
static const struct edge_conf *config;

/* ------------------------------------------------------------------ addresses */

static bool is_free(const struct sockaddr *address)
{
    return address->sa_family == AF_UNIX ||
           (config->free != NULL &&
            ngx_cidr_match((struct sockaddr *)(uintptr_t)address, config->free) == NGX_OK);
}

static bool address_of(const struct sockaddr *address, uint8_t out[LIMIT_ADDRESS_LEN])
{
    if (address->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return true;
    }
    if (address->sa_family != AF_INET)
        return false;
    memset(out, 0, 10);
    memset(out + 10, 0xFF, 2);
    memcpy(out + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    return true;
}

/* ------------------------------------------------------------------ limits */

/* A level of a flood makes every limit smaller. */
static struct limit_rate tightened(enum limit_measure measure, enum limit_level level)
{
    static const unsigned parts[LIMIT_LEVELS] = {
        [LIMIT_CALM] = 1, [LIMIT_BUSY] = 4, [LIMIT_FLOOD] = 16};
    struct limit_rate rate = config->rates[measure];

    if (rate.limit > 0)
        rate.limit = NUM_MAX(rate.limit / parts[level], 1);
    if (rate.network > 0)
        rate.network = NUM_MAX(rate.network / parts[level], 1);
    return rate;
}

static void strike(const uint8_t address[LIMIT_ADDRESS_LEN], enum limit_offence offence,
                   uint64_t now)
{
    if (config->ban_sec == 0 || limit_source_take(sources, LIMIT_STRIKES, address, 1,
                                                  &config->rates[LIMIT_STRIKES], now, NULL))
        return;
    bool is_new =
        limit_source_take(sources, LIMIT_BANS, address, 1, &config->rates[LIMIT_BANS], now, NULL);
    if (!limit_ban(sources, address, offence, now,
                   (is_new ? config->ban_sec : config->long_ban_sec) * SEC_NS))
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "drun: there is no room for another ban");
}

/* ------------------------------------------------------------------ connections */

struct guest {
    uint8_t address[LIMIT_ADDRESS_LEN];
};

static void on_leave(void *data)
{
    const struct guest *guest = data;

    if (sources != NULL)
        limit_source_leave(sources, guest->address);
}

/* Without a word, and without a state that waits for the other end. */
static void turn_away(ngx_connection_t *c)
{
    const struct linger at_once = {.l_onoff = 1};

    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    ngx_http_close_connection(c);
}

static bool may_enter(ngx_connection_t *c, const uint8_t address[LIMIT_ADDRESS_LEN])
{
    uint64_t now = clock_mono_ns();

    if (limit_banned(sources, address, now) > 0)
        return false;
    struct limit_rate rate =
        tightened(LIMIT_HANDSHAKES, limit_class_level(sources, LIMIT_CLASS_ARRIVALS));
    if (!limit_source_take(sources, LIMIT_HANDSHAKES, address, 1, &rate, now, NULL)) {
        strike(address, LIMIT_OFFENCE_HANDSHAKES, now);
        return false;
    }
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(c->pool, sizeof(struct guest));
    if (cleanup == NULL)
        return false;
    if (!limit_source_enter(sources, address, (uint32_t)config->connections,
                            (uint32_t)config->connections_network)) {
        strike(address, LIMIT_OFFENCE_CONNECTIONS, now);
        return false;
    }
    cleanup->handler = on_leave;
    memcpy(((struct guest *)cleanup->data)->address, address, LIMIT_ADDRESS_LEN);
    (void)limit_class_count(sources, LIMIT_CLASS_ARRIVALS, now);
    return true;
}

static void on_accept(ngx_connection_t *c)
{
    uint8_t address[LIMIT_ADDRESS_LEN];

    if (sources == NULL || is_free(c->sockaddr) || !address_of(c->sockaddr, address) ||
        may_enter(c, address))
        ngx_http_init_connection(c);
    else
        turn_away(c);
}

/* ------------------------------------------------------------------ requests */

static const struct {
    const char *prefix;
    enum limit_class class;
} classes[] = {
    {"/v1/", LIMIT_CLASS_CALLS},
    {"/api", LIMIT_CLASS_OBJECTS},
    {"/openapi", LIMIT_CLASS_OBJECTS},
    {"/version", LIMIT_CLASS_OBJECTS},
    {"/oauth2/token", LIMIT_CLASS_SIGN_IN},
    {"/oauth2/authorize", LIMIT_CLASS_SIGN_IN},
    {"/oauth2/device", LIMIT_CLASS_SIGN_IN},
    {"/oauth2/par", LIMIT_CLASS_SIGN_IN},
    {"/oauth2/register", LIMIT_CLASS_SIGN_IN},
    {"/session", LIMIT_CLASS_SIGN_IN},
};

static enum limit_class class_of(ngx_str_t uri)
{
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        size_t len = strlen(classes[i].prefix);
        if (uri.len >= len && memcmp(uri.data, classes[i].prefix, len) == 0)
            return classes[i].class;
    }
    return LIMIT_CLASS_PAGES;
}

/* What somebody may guess at: looking at one's session is nothing of the kind. */
static bool is_attempt(const ngx_http_request_t *r, enum limit_class class)
{
    return class == LIMIT_CLASS_SIGN_IN && r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD;
}

static ngx_int_t refuse(ngx_http_request_t *r, const uint8_t address[LIMIT_ADDRESS_LEN],
                        enum limit_offence offence, uint64_t now, uint64_t retry_ns)
{
    strike(address, offence, now);
    return edge_refuse(r, NGX_HTTP_TOO_MANY_REQUESTS, "rate_limit_exceeded",
                       "Too much comes from your address or its network; try again later",
                       retry_ns / 1000000 + 1);
}

/* The connection is the client's own, and not that of a proxy that carries others as well. */
static bool is_own_connection(const ngx_connection_t *c)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);

    return getpeername(c->fd, (struct sockaddr *)&peer, &len) == 0 &&
           ngx_cmp_sockaddr((struct sockaddr *)&peer, len, c->sockaddr, c->socklen, 0) == NGX_OK;
}

/* All streams of the connection end with it. */
static ngx_int_t end_banned(ngx_http_request_t *r, uint64_t until, uint64_t now)
{
    if (!is_own_connection(r->connection))
        return edge_refuse(r, NGX_HTTP_TOO_MANY_REQUESTS, "banned",
                           "Too much came from your address; it is shut out for a while",
                           (until - now) / 1000000 + 1);
    (void)shutdown(r->connection->fd, SHUT_RDWR);
    return NGX_HTTP_CLOSE;
}

ngx_int_t edge_sources_request(ngx_http_request_t *r)
{
    uint8_t address[LIMIT_ADDRESS_LEN];
    uint64_t retry = 0;

    if (sources == NULL || is_free(r->connection->sockaddr) ||
        !address_of(r->connection->sockaddr, address))
        return NGX_DECLINED;
    uint64_t now = clock_mono_ns();
    uint64_t until = limit_banned(sources, address, now);
    if (until > 0)
        return end_banned(r, until, now);
    enum limit_class class = class_of(r->unparsed_uri);
    enum limit_level level = limit_class_level(sources, class);
    if (level > LIMIT_CALM && edge_challenge_passed(r, address))
        level = LIMIT_CALM;
    struct limit_rate rate = tightened(LIMIT_REQUESTS, level);
    if (!limit_source_take(sources, LIMIT_REQUESTS, address, 1, &rate, now, &retry))
        return refuse(r, address, LIMIT_OFFENCE_REQUESTS, now, retry);
    rate = tightened(LIMIT_SIGN_INS, level);
    if (is_attempt(r, class) &&
        !limit_source_take(sources, LIMIT_SIGN_INS, address, 1, &rate, now, &retry))
        return refuse(r, address, LIMIT_OFFENCE_SIGN_INS, now, retry);
    rate = tightened(LIMIT_BYTES, LIMIT_CALM);
    if (!limit_source_take(sources, LIMIT_BYTES, address, 0, &rate, now, &retry))
        return refuse(r, address, LIMIT_OFFENCE_REQUESTS, now, retry);
    (void)limit_class_count(sources, class, now);
    return level == LIMIT_FLOOD ? edge_challenge(r) : NGX_DECLINED;
}

void edge_sources_log(ngx_http_request_t *r)
{
    uint8_t address[LIMIT_ADDRESS_LEN];

    if (sources == NULL || is_free(r->connection->sockaddr) ||
        !address_of(r->connection->sockaddr, address))
        return;
    uint64_t bytes =
        (uint64_t)NUM_MAX(r->request_length, 0) + (uint64_t)NUM_MAX(r->connection->sent, 0);
    limit_source_charge(sources, LIMIT_BYTES, address, bytes, &config->rates[LIMIT_BYTES],
                        clock_mono_ns());
}

/* ------------------------------------------------------------------ the worker */

bool edge_address(const ngx_http_request_t *r, uint8_t out[LIMIT_ADDRESS_LEN])
{
    return address_of(r->connection->sockaddr, out);
}

struct limit_sources *edge_sources(void)
{
    return sources;
}

static int open_sources(const struct edge_conf *conf, struct err *err)
{
    CLEANUP_FREE char *path =
        mem_printf("%.*s", (int)conf->state_dir.len, (const char *)conf->state_dir.data);
    CLEANUP_FD int dir_fd = fd_open_dir(AT_FDCWD, path, err);

    TRY(dir_fd);
    return limit_sources_open(dir_fd, "sources", true, &sources, err);
}

ngx_int_t edge_sources_start(ngx_cycle_t *cycle, const struct edge_conf *conf)
{
    ngx_listening_t *listening = cycle->listening.elts;
    struct err err = ERR_INIT;

    config = conf;
    if (open_sources(conf, &err) < 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "drun: %s", err.msg);
        return NGX_ERROR;
    }
    for (ngx_uint_t i = 0; i < cycle->listening.nelts; i++)
        if (listening[i].handler == ngx_http_init_connection)
            listening[i].handler = on_accept;
    return NGX_OK;
}

void edge_sources_stop(void)
{
    limit_sources_close_ptr(&sources);
}
