/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of nginx.conf about where requests come from: proxies that are believed, what one
 * source may take, pages of other origins. */
#include "gateway/conf_internal.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

enum {
    WINDOW_MS = 10000,
    MINUTE_MS = 60000,
    STRIKES = 1000, /* refusals in a window are a reason for a ban */
    BANS = 3,       /* in an hour are a reason for longer ones */
    BANS_WINDOW_MS = 3600000,
    LONG_TIMES = 10,
    HEADER_MAX = 64,
    ORIGIN_MAX = 256,
};

#define MAX_LIMIT (UINT64_C(1) << 40)

/* ------------------------------------------------------------------ checks */

/* "10.0.0.0/8", "2001:db8::/32", or one address; `least` bits at least. */
static int check_range(const char *text, const char *what, unsigned least, struct err *err)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr room;
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    bool v6 = strchr(text, ':') != NULL;
    uint64_t bits;

    if (len < sizeof(address)) {
        memcpy(address, text, len);
        address[len] = '\0';
    }
    if (len >= sizeof(address) || inet_pton(v6 ? AF_INET6 : AF_INET, address, &room) != 1)
        return err_set(err, ERR_INVALID, "%s: \"%.60s\" is no address and no range like 10.0.0.0/8",
                       what, text);
    if (slash == NULL)
        return 0;
    TRY(num_parse_u64(span_str(slash + 1), 0, v6 ? 128 : 32, what, &bits, err));
    if (bits < least)
        return err_set(err, ERR_INVALID, "%s: %s is everybody", what, text);
    return 0;
}

static int check_ranges(const struct gateway_list *list, const char *what, unsigned least,
                        struct err *err)
{
    for (size_t i = 0; i < list->count; i++)
        TRY(check_range(list->items[i], what, least, err));
    return 0;
}

static bool is_plain(const char *text, const char *more)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              strchr(more, *c) != NULL))
            return false;
    return text[0] != '\0';
}

/* SCHEME "://" HOST [":" PORT], in small letters, as browsers write it. */
static int check_origin(const char *origin, struct err *err)
{
    const char *host = strncmp(origin, "https://", 8) == 0  ? origin + 8
                       : strncmp(origin, "http://", 7) == 0 ? origin + 7
                                                            : "";

    if (strlen(origin) > ORIGIN_MAX || !is_plain(host, ".-:[]"))
        return err_set(err, ERR_INVALID,
                       "cors-origins: \"%.80s\" is no origin like https://app.example.com", origin);
    return 0;
}

static int check_limit(uint64_t value, const char *what, struct err *err)
{
    if (value > MAX_LIMIT)
        return err_set(err, ERR_INVALID, "%s is too large", what);
    return 0;
}

int gateway_check_edge(const struct gateway_edge *edge, struct err *err)
{
    TRY(check_ranges(&edge->trusted_proxies, "trusted-proxies", 1, err));
    TRY(check_ranges(&edge->unlimited, "unlimited-networks", 0, err));
    for (size_t i = 0; i < edge->cors_origins.count; i++)
        TRY(check_origin(edge->cors_origins.items[i], err));
    if (edge->forwarded_header != NULL &&
        (strlen(edge->forwarded_header) > HEADER_MAX || !is_plain(edge->forwarded_header, "-")))
        return err_set(err, ERR_INVALID, "forwarded-header: \"%.64s\" is no name of a header",
                       edge->forwarded_header);
    if (edge->listen_proxy != NULL) {
        TRY(gateway_check_listen(edge->listen_proxy, err));
        if (edge->trusted_proxies.count == 0)
            return err_set(err, ERR_INVALID,
                           "listen-proxy needs trusted-proxies: the addresses of those who connect "
                           "there");
    }
    TRY(check_limit(edge->requests_per_min, "source-requests", err));
    TRY(check_limit(edge->sign_ins_per_min, "source-sign-ins", err));
    TRY(check_limit(edge->handshakes_per_min, "source-handshakes", err));
    TRY(check_limit(edge->bytes_per_min, "source-bytes", err));
    return 0;
}

/* ------------------------------------------------------------------ lines */

static void put_list(const char *directive, const struct gateway_list *list, struct buf *out)
{
    if (list->count == 0)
        return;
    buf_printf(out, "    %s", directive);
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, " %s", list->items[i]);
    buf_put_str(out, ";\n");
}

static void put_trust(const struct gateway_edge *edge, struct buf *out)
{
    const struct gateway_list *proxies = &edge->trusted_proxies;

    if (proxies->count == 0)
        return;
    for (size_t i = 0; i < proxies->count; i++)
        buf_printf(out, "    set_real_ip_from %s;\n", proxies->items[i]);
    buf_printf(out, "    real_ip_header %s;\n    real_ip_recursive on;\n",
               edge->forwarded_header == NULL ? "X-Forwarded-For" : edge->forwarded_header);
    if (edge->listen_proxy == NULL)
        return;
    buf_put_str(out, "    geo $realip_remote_addr $drun_is_proxy {\n        default 0;\n");
    for (size_t i = 0; i < proxies->count; i++)
        buf_printf(out, "        %s 1;\n", proxies->items[i]);
    buf_put_str(out, "    }\n");
}

static void put_rate(const char *measure, uint64_t per_min, unsigned network_times, struct buf *out)
{
    uint64_t limit = per_min == 0 ? 0 : NUM_MAX(per_min * WINDOW_MS / MINUTE_MS, 1);

    buf_printf(out, "    drun_rate %s %" PRIu64 " %" PRIu64 " %d;\n", measure, limit,
               limit * network_times, WINDOW_MS);
}

void gateway_put_edge(const struct gateway_conf *conf, struct buf *out)
{
    const struct gateway_edge *edge = &conf->edge;
    unsigned times = edge->network_times;

    put_trust(edge, out);
    buf_printf(out, "    drun_sources_dir \"%s\";\n", conf->run_dir);
    put_list("drun_free", &edge->unlimited, out);
    put_list("drun_free", &edge->trusted_proxies, out);
    put_list("drun_cors", &edge->cors_origins, out);
    put_rate("requests", edge->requests_per_min, times, out);
    put_rate("sign-ins", edge->sign_ins_per_min, times, out);
    put_rate("handshakes", edge->handshakes_per_min, times, out);
    put_rate("bytes", edge->bytes_per_min, times, out);
    buf_printf(out, "    drun_connections %u %u;\n", edge->connections, edge->connections * times);
    buf_printf(out, "    drun_answer_max %u;\n", edge->answer_max_sec);
    if (edge->ban_sec == 0)
        return;
    buf_printf(out, "    drun_rate strikes %d 0 %d;\n    drun_rate bans %d 0 %d;\n", STRIKES,
               WINDOW_MS, BANS, BANS_WINDOW_MS);
    buf_printf(out, "    drun_ban %u %u;\n", edge->ban_sec, edge->ban_sec * LONG_TIMES);
}

/* nginx believes the protocol's address from trusted ranges alone; others have no business here. */
void gateway_put_proxy_server(struct buf *out)
{
    buf_put_str(out, "        real_ip_header proxy_protocol;\n"
                     "        if ($drun_is_proxy = 0) {\n            return 403;\n        }\n");
}
