/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/conf_internal.h"
#include "gateway/interface.h"

#include "base/fd.h"
#include "base/mem.h"

#include <inttypes.h>

/* ------------------------------------------------------------------ who owns which path */

struct route {
    const char
        *pattern; /* a regular expression over the decoded path; the first that matches wins */
    enum gateway_owner owner;
    bool is_objects; /* bodies are manifests */
};

#define NAMESPACED "(watch/)?(namespaces/[^/]+/)?"

static const struct route routes[] = {
    {"^/api/v1/" NAMESPACED "secrets(/|$)", GATEWAY_SECRETS, true},
    {"^/api/v1/namespaces/[^/]+/serviceaccounts/[^/]+/token$", GATEWAY_IDP, true},
    {"^/apis/drun\\.io/v1/" NAMESPACED
     "(users|groups|oidcclients|apikeys|trustedissuers|identityproviders)(/|$)",
     GATEWAY_IDP, true},
    {"^/apis/drun\\.io/v1/" NAMESPACED "controls(/|$)", GATEWAY_POSTURE, true},
    {"^/apis/audit\\.drun\\.io(/|$)", GATEWAY_AUDIT, true},
    {"^/(api|apis|openapi|version)(/|$)", GATEWAY_API, true},
    {"^/(oauth2|openid|\\.well-known|session|scim)(/|$)", GATEWAY_IDP, false},
    {"^/device$", GATEWAY_IDP, false},
};

static const char *const owner_names[GATEWAY_OWNER_COUNT] = {
    [GATEWAY_API] = "api",     [GATEWAY_IDP] = "idp",         [GATEWAY_SECRETS] = "secrets",
    [GATEWAY_AUDIT] = "audit", [GATEWAY_POSTURE] = "posture",
};

static const char *const waf_names[] = {"off", "open", "closed"};
static const char *const temp_dirs[] = {"body", "proxy", "fastcgi", "uwsgi", "scgi"};

/* ------------------------------------------------------------------ pieces */

#define HSTS                                                                                       \
    "add_header Strict-Transport-Security \"max-age=63072000; includeSubDomains\" always;\n"
#define SNIFF  "add_header X-Content-Type-Options nosniff always;\n"
#define COMMON "            " HSTS "            " SNIFF
/* Of answers that no browser has anything to do with. */
#define NO_PAGE                                                                                    \
    COMMON "            add_header X-Frame-Options DENY always;\n"                                 \
           "            add_header Referrer-Policy no-referrer always;\n"                          \
           "            add_header Content-Security-Policy \"default-src 'none'; frame-ancestors " \
           "'none'\" always;\n"

static void put_process(const struct gateway_conf *conf, struct buf *out)
{
    buf_put_str(out, "# Written by drun each time the gateway starts.\n");
    buf_printf(out, "load_module \"%s\";\n", conf->module);
    buf_put_str(out, "daemon off;\nerror_log stderr warn;\npcre_jit on;\n");
    buf_printf(out, "pid \"%s/nginx.pid\";\nlock_file \"%s/nginx.lock\";\n", conf->run_dir,
               conf->run_dir);
    buf_printf(out, "worker_processes %u;\nworker_shutdown_timeout 300s;\n", conf->workers);
    buf_printf(out, "events {\n    worker_connections %u;\n}\n", conf->connections);
}

static void put_types(struct buf *out)
{
    buf_put_str(out, "    types {\n"
                     "        text/html html;\n"
                     "        text/css css;\n"
                     "        text/javascript js mjs;\n"
                     "        text/plain txt;\n"
                     "        application/json json map;\n"
                     "        application/manifest+json webmanifest;\n"
                     "        application/wasm wasm;\n"
                     "        image/svg+xml svg;\n"
                     "        image/png png;\n"
                     "        image/jpeg jpg jpeg;\n"
                     "        image/x-icon ico;\n"
                     "        font/woff2 woff2;\n"
                     "    }\n"
                     "    default_type application/octet-stream;\n");
}

/* Slow or endless requests are cut off; bodies and headers have ceilings; nothing goes to a disk.
 */
static void put_ceilings(const struct gateway_conf *conf, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(temp_dirs); i++)
        buf_printf(out, "    %s_temp_path \"%s/tmp/%s\";\n", i == 0 ? "client_body" : temp_dirs[i],
                   conf->run_dir, temp_dirs[i]);
    buf_put_str(out, "    access_log off;\n"
                     "    server_tokens off;\n"
                     "    tcp_nodelay on;\n"
                     "    sendfile on;\n"
                     "    gzip off;\n"
                     "    absolute_redirect off;\n"
                     "    server_names_hash_bucket_size 128;\n"
                     "    client_header_timeout 10s;\n"
                     "    client_body_timeout 20s;\n"
                     "    send_timeout 60s;\n"
                     "    reset_timedout_connection on;\n"
                     "    keepalive_timeout 75s;\n"
                     "    keepalive_requests 10000;\n"
                     "    client_header_buffer_size 2k;\n"
                     "    large_client_header_buffers 4 16k;\n"
                     "    client_body_in_single_buffer on;\n"
                     "    http2_max_concurrent_streams 128;\n");
    buf_printf(out,
               "    client_max_body_size %uk;\n    client_body_buffer_size %uk;\n"
               "    proxy_max_temp_file_size 0;\n",
               conf->api_body_max_kib, conf->api_body_max_kib);
}

static void put_tls(const struct gateway_conf *conf, struct buf *out)
{
    buf_put_str(out, "    ssl_protocols TLSv1.3;\n"
                     "    ssl_ecdh_curve X25519:prime256v1:secp384r1;\n"
                     "    ssl_session_cache shared:drun:2m;\n"
                     "    ssl_session_timeout 1h;\n"
                     "    ssl_session_tickets off;\n"
                     "    ssl_early_data off;\n"
                     "    ssl_buffer_size 4k;\n");
    buf_printf(out, "    ssl_certificate \"%s\";\n    ssl_certificate_key \"%s\";\n",
               conf->certificate, conf->certificate_key);
}

static void put_upstreams(const struct gateway_conf *conf, struct buf *out)
{
    /* Shorter than engines keep an idle connection (llama.cpp 5 s), so that ours is never the stale
     * one. */
    buf_put_str(out, "    upstream drun_engines {\n        drun_engine;\n        keepalive 64;\n"
                     "        keepalive_timeout 4s;\n        keepalive_requests 10000;\n    }\n");
    for (size_t i = 0; i < GATEWAY_OWNER_COUNT; i++)
        if (conf->socket[i] != NULL)
            buf_printf(out,
                       "    upstream drun_%s {\n        server \"unix:%s\" max_fails=0;\n"
                       "        keepalive 64;\n    }\n",
                       owner_names[i], conf->socket[i]);
}

/* What nginx refuses before it knows a location, or in one that says nothing of it. Not a named
 * location: those need a path, and there may be none. */
#define EARLY_PATH "/.drun-error"

static void put_early_errors(struct buf *out)
{
    buf_put_str(
        out,
        "        error_page 400 403 404 405 408 411 413 414 415 421 429 500 501 502 503 504 505 " EARLY_PATH
        ";\n"
        /* nginx would call these four 400 before we see them. */
        "        error_page 494 =494 " EARLY_PATH ";\n"
        "        error_page 495 =495 " EARLY_PATH ";\n"
        "        error_page 496 =496 " EARLY_PATH ";\n"
        "        error_page 497 =497 " EARLY_PATH ";\n"
        "        location = " EARLY_PATH " {\n            internal;\n"
        "            drun_early_error;\n" NO_PAGE "        }\n");
}

/* ------------------------------------------------------------------ the model API */

/* The engine gets nothing of the client's headers, and cannot steer nginx by its own. */
static void put_engine_proxy(const struct gateway_conf *conf, const char *path, struct buf *out)
{
    buf_printf(out, "            proxy_pass http://drun_engines%s;\n", path);
    buf_put_str(out, "            proxy_http_version 1.1;\n"
                     "            proxy_pass_request_headers off;\n"
                     "            proxy_set_header Host engine;\n"
                     "            proxy_set_header Connection \"\";\n"
                     "            proxy_set_header Content-Type application/json;\n"
                     "            proxy_set_header Accept-Encoding identity;\n"
                     "            proxy_ignore_headers X-Accel-Redirect X-Accel-Expires "
                     "X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset Expires Cache-Control "
                     "Set-Cookie Vary;\n"
                     "            proxy_hide_header Set-Cookie;\n"
                     "            proxy_hide_header X-Request-Id;\n"
                     "            proxy_hide_header Keep-Alive;\n"
                     "            proxy_hide_header Strict-Transport-Security;\n"
                     "            proxy_hide_header Access-Control-Allow-Origin;\n"
                     "            proxy_hide_header Access-Control-Allow-Credentials;\n"
                     "            proxy_buffering off;\n"
                     "            proxy_buffer_size 16k;\n"
                     "            proxy_buffers 4 16k;\n"
                     "            proxy_connect_timeout 2s;\n"
                     "            proxy_next_upstream error non_idempotent;\n");
    buf_printf(out, "            proxy_read_timeout %us;\n            proxy_send_timeout 60s;\n",
               conf->engine_timeout_sec);
}

/* `engine` is the path that the engine has for it, "" for the same. */
static void put_model_call(const struct gateway_conf *conf, const char *path, const char *api,
                           const char *engine, struct buf *out)
{
    buf_printf(out, "        location = %s {\n            drun_model_api %s;\n", path, api);
    buf_printf(out,
               "            client_max_body_size %uk;\n            client_body_buffer_size %uk;\n",
               conf->model_body_max_kib, conf->model_body_max_kib);
    buf_put_str(out,
                NO_PAGE "            error_page 400 408 413 414 500 502 503 504 @drun_error;\n");
    put_engine_proxy(conf, engine, out);
    buf_put_str(out, "        }\n");
}

static void put_model_api(const struct gateway_conf *conf, struct buf *out)
{
    buf_printf(out, "        drun_default_tokens %u;\n        drun_refuse_unknown %s;\n",
               conf->default_tokens, conf->refuse_unknown ? "on" : "off");
    put_model_call(conf, "/v1/chat/completions", "chat", "", out);
    put_model_call(conf, "/v1/completions", "completions", "", out);
    put_model_call(conf, "/v1/embeddings", "embeddings", "", out);
    put_model_call(conf, "/v1/messages", "messages", "/v1/chat/completions", out);
    put_model_call(conf, "/v1/messages/count_tokens", "count-tokens", "", out);
    put_model_call(conf, "/v1/guard", "guard", "", out);
    buf_put_str(
        out,
        "        location = /v1/models {\n            drun_models_list;\n" NO_PAGE "        }\n"
        "        location ^~ /v1/models/ {\n            drun_models_list;\n" NO_PAGE "        }\n"
        "        location ^~ /v1/ {\n            error_page 404 @drun_error;\n"
        "            return 404;\n        }\n"
        "        location @drun_error {\n            drun_error;\n" NO_PAGE "        }\n");
}

/* ------------------------------------------------------------------ roles and console */

static void put_role_proxy(const char *owner, struct buf *out)
{
    buf_printf(out, "            proxy_pass http://drun_%s;\n", owner);
    buf_put_str(out, "            proxy_http_version 1.1;\n"
                     "            proxy_set_header Host $http_host;\n"
                     "            proxy_set_header Connection \"\";\n"
                     "            proxy_set_header X-Forwarded-For $remote_addr;\n"
                     "            proxy_set_header X-Forwarded-Proto https;\n"
                     "            proxy_set_header X-Forwarded-Host \"\";\n"
                     "            proxy_set_header X-Request-Id $request_id;\n"
                     "            proxy_set_header X-Real-IP \"\";\n"
                     "            proxy_set_header X-Client-Certificate "
                     "$ssl_client_escaped_cert;\n"
                     "            proxy_set_header Forwarded \"\";\n"
                     "            proxy_set_header Accept-Encoding identity;\n"
                     "            proxy_hide_header Strict-Transport-Security;\n"
                     "            proxy_hide_header X-Content-Type-Options;\n"
                     "            proxy_buffering off;\n"
                     "            proxy_read_timeout 3600s;\n"
                     "            proxy_connect_timeout 2s;\n"
                     "            proxy_next_upstream off;\n"
                     "            error_page 400 403 404 405 408 411 414 415 500 " EARLY_PATH ";\n"
                     "            error_page 413 @drun_large;\n"
                     "            error_page 502 503 504 = @drun_away;\n");
}

/* A Kubernetes Status, as the roles would answer. */
static void put_refusal(const char *location, unsigned status, const char *reason,
                        const char *message, const char *header, struct buf *out)
{
    buf_printf(
        out,
        "        location %s {\n            default_type application/json;\n" NO_PAGE
        "%s            return %u '{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
        "\"status\":\"Failure\",\"message\":\"%s\",\"reason\":\"%s\",\"code\":%u}';\n"
        "        }\n",
        location, header, status, message, reason, status);
}

static void put_roles(const struct gateway_conf *conf, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        buf_printf(out, "        location ~ \"%s\" {\n" COMMON, routes[i].pattern);
        if (routes[i].is_objects)
            buf_put_str(out, "            drun_waf_objects on;\n");
        if (conf->socket[routes[i].owner] != NULL)
            put_role_proxy(owner_names[routes[i].owner], out);
        else
            buf_put_str(out, "            error_page 503 = @drun_away;\n            return 503;\n");
        buf_put_str(out, "        }\n");
    }
    buf_put_str(out, "        location = /apis/limits.drun.io/v1/bans {\n"
                     "            drun_bans_view;\n" NO_PAGE "        }\n"
                     "        location ^~ /apis/limits.drun.io/v1/bans/ {\n"
                     "            drun_bans_view;\n" NO_PAGE "        }\n"
                     /* The request that is asked about lies in spec, which is not judged. */
                     "        location ^~ /apis/waf.drun.io/v1/ {\n"
                     "            drun_waf_objects on;\n            drun_waf_desk;\n"
                     "            client_max_body_size 512k;\n"
                     "            client_body_buffer_size 512k;\n" NO_PAGE "        }\n");
    put_refusal("@drun_away", 503, "ServiceUnavailable",
                "this part of the platform is starting; try again in a moment",
                "            add_header Retry-After 1 always;\n", out);
    put_refusal("@drun_large", 413, "RequestEntityTooLarge",
                "the request body is larger than this platform takes", "", out);
}

#define CONSOLE_HEADERS                                                                            \
    COMMON                                                                                         \
    "            add_header Content-Security-Policy \"default-src 'none'; script-src 'self'; "     \
    "style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src "   \
    "'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'\" "    \
    "always;\n"                                                                                    \
    "            add_header X-Frame-Options DENY always;\n"                                        \
    "            add_header Referrer-Policy no-referrer always;\n"                                 \
    "            add_header Cross-Origin-Opener-Policy same-origin always;\n"                      \
    "            add_header Cross-Origin-Resource-Policy same-origin always;\n"                    \
    "            add_header Permissions-Policy \"camera=(), microphone=(), geolocation=(), "       \
    "payment=(), usb=()\" always;\n"

static void put_console(const struct gateway_conf *conf, struct buf *out)
{
    if (conf->console_root == NULL) {
        buf_put_str(out, "        location / {\n" NO_PAGE "            return 404;\n        }\n");
        return;
    }
    buf_printf(out, "        root \"%s\";\n", conf->console_root);
    /* Compressed when it was built: an answer that holds a secret is never compressed here. */
    buf_put_str(out, "        gzip_static on;\n        gzip_vary on;\n");
    buf_put_str(out,
                "        location ^~ /assets/ {\n" CONSOLE_HEADERS
                "            add_header Cache-Control \"public, max-age=31536000, immutable\";\n"
                "            limit_except GET { deny all; }\n"
                "        }\n"
                "        location / {\n" CONSOLE_HEADERS
                "            add_header Cache-Control no-cache;\n"
                "            limit_except GET { deny all; }\n"
                "            try_files $uri /index.html =404;\n"
                "        }\n");
}

/* ------------------------------------------------------------------ the whole */

/* Before a location is found the server's own headers are sent. */
static void put_server_begin(struct buf *out)
{
    buf_put_str(out, "        server_name _;\n" NO_PAGE);
    put_early_errors(out);
    /* Its policy, which allows one script, is the module's. */
    buf_put_str(out, "        location = /.drun-check {\n            internal;\n"
                     "            drun_challenge;\n" COMMON
                     "            add_header X-Frame-Options DENY always;\n"
                     "            add_header Referrer-Policy no-referrer always;\n"
                     "            add_header Cache-Control no-store always;\n        }\n");
}

/* What a certificate is worth is for who gets it to say: any is taken, and none is. */
static void put_mtls_server(const struct gateway_conf *conf, struct buf *out)
{
    if (conf->listen_mtls == NULL)
        return;
    buf_printf(out, "    server {\n        listen %s ssl http2;\n", conf->listen_mtls);
    buf_put_str(out, "        ssl_verify_client optional_no_ca;\n"
                     "        ssl_verify_depth 4;\n");
    put_server_begin(out);
    put_model_api(conf, out);
    put_roles(conf, out);
    buf_put_str(out,
                "        location / {\n" NO_PAGE "            return 404;\n        }\n    }\n");
}

static void put_platform(const struct gateway_conf *conf, struct buf *out)
{
    put_server_begin(out);
    put_model_api(conf, out);
    put_roles(conf, out);
    put_console(conf, out);
    buf_put_str(out, "    }\n");
}

static void put_http(const struct gateway_conf *conf, struct buf *out)
{
    /* First, so that a module that is not ours says so and not that it knows no directive. */
    buf_printf(out, "http {\n    drun_interface \"%s\";\n", gateway_interface);
    put_types(out);
    put_ceilings(conf, out);
    put_tls(conf, out);
    buf_printf(out, "    drun_run_dir \"%s\";\n    drun_state_dir \"%s\";\n", conf->snapshot_dir,
               conf->run_dir);
    if (conf->data_dir != NULL)
        buf_printf(out, "    drun_data_dir \"%s\";\n", conf->data_dir);
    buf_printf(out, "    drun_waf %s;\n    drun_cache_size %" PRIu64 ";\n", waf_names[conf->waf],
               conf->answer_cache);
    if (conf->gateways > 1)
        buf_printf(out, "    drun_gateways %u %d;\n", conf->gateways, conf->lease_bell);
    if (conf->ring_count > 0) {
        buf_put_str(out, "    drun_audit_rings");
        for (unsigned i = 0; i < conf->ring_count; i++)
            buf_printf(out, " %d:%d", conf->rings[i].ring_fd, conf->rings[i].bell_fd);
        buf_printf(out, ";\n    drun_audit_full %s;\n", conf->audit_drop ? "drop" : "refuse");
    }
    gateway_put_edge(conf, out);
    put_upstreams(conf, out);
    buf_put_str(out, "    server {\n");
    for (size_t i = 0; i < GATEWAY_LISTEN_MAX && conf->listen[i] != NULL; i++)
        buf_printf(out, "        listen %s ssl http2;\n", conf->listen[i]);
    put_platform(conf, out);
    put_mtls_server(conf, out);
    if (conf->edge.listen_proxy != NULL) {
        buf_printf(out, "    server {\n        listen %s ssl http2 proxy_protocol;\n",
                   conf->edge.listen_proxy);
        gateway_put_proxy_server(out);
        put_platform(conf, out);
    }
    buf_put_str(out, "}\n");
}

int gateway_conf_put(const struct gateway_conf *conf, struct buf *out, struct err *err)
{
    TRY(gateway_check(conf, err));
    put_process(conf, out);
    put_http(conf, out);
    return buf_check(out, "nginx.conf", err);
}

int gateway_conf_dirs(const struct gateway_conf *conf, struct err *err)
{
    TRY(gateway_check_path(conf->run_dir, "the run directory", err));
    for (size_t i = 0; i < ARRAY_LEN(temp_dirs); i++) {
        CLEANUP_FREE char *path = mem_printf("%s/tmp/%s", conf->run_dir, temp_dirs[i]);
        TRY(fd_make_dirs(path, 0700, err));
    }
    return 0;
}
