/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/conf_internal.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <string.h>

enum { PATH_MAX_LEN = 512, SOCKET_MAX_LEN = 107 };

/* Paths stand between double quotes, where nginx gives a meaning to these: " \ $ and, in a socket's
 * address, to the colon. Control characters and everything else that is not plain are refused too.
 */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("/._-+@=,~ ", c) != NULL;
}

int gateway_check_path(const char *path, const char *what, struct err *err)
{
    if (path == NULL || path[0] != '/')
        return err_set(err, ERR_INVALID, "%s must be an absolute path", what);
    if (strlen(path) > PATH_MAX_LEN)
        return err_set(err, ERR_INVALID, "%s is longer than %d bytes", what, PATH_MAX_LEN);
    for (const char *p = path; *p != '\0'; p++)
        if (!is_plain(*p))
            return err_set(err, ERR_INVALID,
                           "%s has a character that nginx.conf cannot hold: byte %zu", what,
                           (size_t)(p - path));
    if (strstr(path, "/../") != NULL)
        return err_set(err, ERR_INVALID, "%s must not go up with ..", what);
    return 0;
}

static int check_socket(const char *path, struct err *err)
{
    TRY(gateway_check_path(path, "a role's socket", err));
    if (strlen(path) > SOCKET_MAX_LEN)
        return err_set(err, ERR_INVALID, "the socket %s is longer than %d bytes", path,
                       SOCKET_MAX_LEN);
    return 0;
}

static int check_host(struct span host, struct err *err)
{
    char text[INET6_ADDRSTRLEN + 2];
    struct in6_addr address;
    bool v6 = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';

    if (v6)
        host = span_of(host.p + 1, host.len - 2);
    if (host.len >= sizeof(text))
        return err_set(err, ERR_INVALID, "an address to listen on is too long");
    memcpy(text, host.p, host.len);
    text[host.len] = '\0';
    if (inet_pton(v6 ? AF_INET6 : AF_INET, text, &address) != 1)
        return err_set(err, ERR_INVALID, "\"%s\" is no address to listen on", text);
    return 0;
}

/* "192.0.2.1:443", "[::]:443" */
int gateway_check_listen(const char *listen, struct err *err)
{
    const char *colon = strrchr(listen, ':');
    uint64_t port;

    if (colon == NULL)
        return err_set(err, ERR_INVALID, "\"%.60s\" is not ADDRESS:PORT", listen);
    TRY(check_host(span_of(listen, (size_t)(colon - listen)), err));
    return num_parse_u64(span_str(colon + 1), 1, 65535, "port", &port, err);
}

static int check_number(unsigned value, unsigned min, unsigned max, const char *what,
                        struct err *err)
{
    if (value < min || value > max)
        return err_set(err, ERR_INVALID, "%s must be between %u and %u", what, min, max);
    return 0;
}

static int check_numbers(const struct gateway_conf *conf, struct err *err)
{
    TRY(check_number(conf->workers, 1, GATEWAY_WORKERS_MAX, "workers", err));
    TRY(check_number(conf->connections, 64, 1 << 20, "connections", err));
    TRY(check_number(conf->model_body_max_kib, 1, 64 * 1024, "model_body_max_kib", err));
    TRY(check_number(conf->api_body_max_kib, 1, 64 * 1024, "api_body_max_kib", err));
    TRY(check_number(conf->engine_timeout_sec, 1, 24 * 3600, "engine_timeout_sec", err));
    TRY(check_number(conf->default_tokens, 1, 1 << 20, "default_tokens", err));
    if (conf->ring_count != 0 && conf->ring_count != conf->workers)
        return err_set(err, ERR_INVALID, "%u workers need %u audit rings, not %u", conf->workers,
                       conf->workers, conf->ring_count);
    for (unsigned i = 0; i < conf->ring_count; i++)
        if (conf->rings[i].ring_fd < 0 || conf->rings[i].bell_fd < 0)
            return err_set(err, ERR_INVALID, "audit ring %u is not open", i);
    return 0;
}

int gateway_check(const struct gateway_conf *conf, struct err *err)
{
    size_t listens = 0;

    TRY(gateway_check_path(conf->module, "the module", err));
    TRY(gateway_check_path(conf->run_dir, "the run directory", err));
    TRY(gateway_check_path(conf->snapshot_dir, "the directory of the snapshots", err));
    TRY(gateway_check_path(conf->certificate, "the certificate", err));
    TRY(gateway_check_path(conf->certificate_key, "the certificate's key", err));
    if (conf->data_dir != NULL)
        TRY(gateway_check_path(conf->data_dir, "the data directory", err));
    if (conf->console_root != NULL)
        TRY(gateway_check_path(conf->console_root, "the console's directory", err));
    for (size_t i = 0; i < GATEWAY_OWNER_COUNT; i++)
        if (conf->socket[i] != NULL)
            TRY(check_socket(conf->socket[i], err));
    if (conf->listen_mtls != NULL)
        TRY(gateway_check_listen(conf->listen_mtls, err));
    TRY(gateway_check_edge(&conf->edge, err));
    while (listens < GATEWAY_LISTEN_MAX && conf->listen[listens] != NULL)
        TRY(gateway_check_listen(conf->listen[listens++], err));
    if (listens == 0)
        return err_set(err, ERR_INVALID, "there is no address to listen on");
    return check_numbers(conf, err);
}
