/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes nginx.conf. Every value is checked before it goes in: a path or an address that could end
 * a directive is refused with ERR_INVALID.
 *
 * nginx runs in the foreground as the user that starts it, which must not be root. Listening
 * sockets may be inherited: when the environment has NGINX="5;6;", descriptors 5 and 6 are taken
 * for the `listen` lines with the same address. All its files are below run_dir, which is a tmpfs,
 * but those in data_dir; gateway_conf_dirs() names the folders that must be there.
 *
 *     struct gateway_conf conf = GATEWAY_CONF_DEFAULTS;
 *     conf.run_dir = "/run/drun/gateway";
 *     ...
 *     TRY(gateway_conf_put(&conf, &text, err));
 */
#ifndef DRUN_GATEWAY_CONF_H
#define DRUN_GATEWAY_CONF_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

enum { GATEWAY_CONF_MAX = 256 * 1024, GATEWAY_LISTEN_MAX = 16, GATEWAY_WORKERS_MAX = 64 };

/* Who serves a path. */
enum gateway_owner {
    GATEWAY_API,
    GATEWAY_IDP,
    GATEWAY_SECRETS,
    GATEWAY_AUDIT,
    GATEWAY_POSTURE,
    GATEWAY_OWNER_COUNT
};

/* The firewall, and whether requests are served while it has no rules. */
enum gateway_waf { GATEWAY_WAF_OFF, GATEWAY_WAF_OPEN, GATEWAY_WAF_CLOSED };

struct gateway_ring {
    int ring_fd;
    int bell_fd;
};

/* What one source may take, and who may say what its address is. A list is of CIDR ranges and
 * addresses; all texts live as long as the configuration is used. */
struct gateway_list {
    char *const *items;
    size_t count;
};

struct gateway_edge {
    struct gateway_list trusted_proxies;
    const char *forwarded_header; /* in which these name the client; NULL: X-Forwarded-For */
    const char *listen_proxy;     /* where these speak the PROXY protocol, versions 1 and 2; NULL */
    struct gateway_list unlimited; /* networks that no limit below is for */
    struct gateway_list cors_origins;
    /* Of one address; 0: no limit. */
    uint64_t requests_per_min, sign_ins_per_min, handshakes_per_min, bytes_per_min;
    unsigned connections;
    unsigned network_times; /* its network may take so many times as much; 0: no limit */
    unsigned ban_sec;       /* of who goes on when refused; 0: nobody is banned */
    unsigned answer_max_sec;
};

struct gateway_conf {
    struct gateway_edge edge;
    const char *listen[GATEWAY_LISTEN_MAX]; /* "192.0.2.1:443", "[::]:443"; ends with NULL */
    const char *listen_mtls; /* the same platform, but clients are asked for a certificate; NULL */
    const char *module;      /* path of ngx_http_drun_module.so */
    const char *run_dir;
    const char *data_dir;     /* kept over restarts, for the budgets; NULL: run_dir */
    const char *snapshot_dir; /* idp/identity.snap, api/policy.snap, waf/waf.snap are there */
    const char *certificate;  /* PEM, with its chain */
    const char *certificate_key;
    const char *console_root;                /* the built console; NULL: none is served */
    const char *socket[GATEWAY_OWNER_COUNT]; /* NULL: that owner's paths answer 503 */
    unsigned workers;
    unsigned connections;                           /* for each worker */
    struct gateway_ring rings[GATEWAY_WORKERS_MAX]; /* inherited descriptors */
    unsigned ring_count;                            /* 0 or `workers` */
    unsigned gateways;                              /* that share limits and budgets */
    int lease_bell;  /* inherited; rung when a call waits for a share of a budget; with several */
    bool audit_drop; /* a call whose record finds no room is served and counted; else refused */
    enum gateway_waf waf;
    uint64_t answer_cache; /* bytes for answers that are kept; 0: none are */
    unsigned
        model_body_max_kib; /* ceiling of a model call's body; held in memory while it is read */
    unsigned api_body_max_kib;
    unsigned engine_timeout_sec; /* between two bytes of an engine's answer */
    unsigned default_tokens;     /* an answer is reckoned at, when nobody says */
    bool refuse_unknown;         /* parameters of a model call */
};

#define GATEWAY_CONF_DEFAULTS                                                                      \
    {                                                                                              \
        .workers = 1, .gateways = 1, .connections = 4096, .model_body_max_kib = 8192,              \
        .api_body_max_kib = 3072, .engine_timeout_sec = 300, .default_tokens = 1024,               \
        .answer_cache = 64 << 20, .edge = {.answer_max_sec = 3600},                                \
    }

int gateway_conf_put(const struct gateway_conf *conf, struct buf *out, struct err *err) MUST_USE;
/* Makes the folders that nginx writes to. */
int gateway_conf_dirs(const struct gateway_conf *conf, struct err *err) MUST_USE;

#endif
