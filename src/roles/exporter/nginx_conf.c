/* SPDX-License-Identifier: Apache-2.0 */
/* What nginx is told. Everything in it that comes from an object or a Secret is quoted here. */
#include "base/fd.h"
#include "base/mem.h"
#include "exporter/keeper.h"
#include "exporter/upstream.h"
#include "log/log.h"

#include <fcntl.h>

static const char *const temp_dirs[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};

static const char *const api[] = {"chat/completions", "completions", "embeddings"};

/* What an outside engine says about itself and its own limits is not the client's business, and the
 * gateway says the latter itself. */
static const char *const hidden[] = {"Set-Cookie",
                                     "Alt-Svc",
                                     "Server-Timing",
                                     "Via",
                                     "CF-Ray",
                                     "CF-Cache-Status",
                                     "OpenAI-Organization",
                                     "OpenAI-Project",
                                     "X-RateLimit-Limit-Requests",
                                     "X-RateLimit-Limit-Tokens",
                                     "X-RateLimit-Remaining-Requests",
                                     "X-RateLimit-Remaining-Tokens",
                                     "X-RateLimit-Reset-Requests",
                                     "X-RateLimit-Reset-Tokens",
                                     "X-Request-Id"};

/* nginx has no escape for "$": a variable that holds one stands for it. */
void nginx_conf_put_value(struct span value, struct buf *out)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < value.len; i++)
        if (value.p[i] == '$')
            buf_put_str(out, "${drun_dollar}");
        else if (value.p[i] == '"' || value.p[i] == '\\')
            buf_printf(out, "\\%c", value.p[i]);
        else if (value.p[i] >= ' ' && value.p[i] <= '~')
            buf_put_u8(out, value.p[i]);
    buf_put_u8(out, '"');
}

static void put_process(const char *own_dir, const char *dir, struct buf *out)
{
    buf_put_str(out, "# Written by drun whenever an outside engine changes.\n"
                     "daemon off;\nerror_log stderr error;\nworker_processes 1;\n"
                     "worker_shutdown_timeout 300s;\nworker_rlimit_nofile 8192;\n"
                     "events {\n    worker_connections 4096;\n}\n");
    buf_printf(out, "pid \"%s/nginx.pid\";\nlock_file \"%s/nginx.lock\";\nhttp {\n", dir, dir);
    for (size_t i = 0; i < ARRAY_LEN(temp_dirs); i++)
        buf_printf(out, "    %s_temp_path \"%s/tmp-%s\";\n", temp_dirs[i], own_dir, temp_dirs[i]);
}

/* As the gateway holds it with engines: nothing is buffered, nothing of the client's headers goes
 * on, no header of the answer steers nginx. Errors of the way out are an engine's errors. */
static void put_common(struct buf *out)
{
    buf_put_str(out,
                "    geo $drun_dollar {\n        default \"$\";\n    }\n"
                "    access_log off;\n    server_tokens off;\n    default_type application/json;\n"
                "    keepalive_timeout 75s;\n    keepalive_requests 1000000;\n"
                "    client_max_body_size 0;\n    client_body_buffer_size 64m;\n"
                "    client_body_in_single_buffer on;\n"
                "    proxy_http_version 1.1;\n    proxy_pass_request_headers off;\n"
                "    proxy_buffering off;\n    proxy_buffer_size 16k;\n    proxy_buffers 4 16k;\n"
                "    proxy_max_temp_file_size 0;\n    proxy_connect_timeout 5s;\n"
                "    proxy_send_timeout 60s;\n"
                "    proxy_next_upstream error non_idempotent;\n    proxy_next_upstream_tries 3;\n"
                "    proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate "
                "X-Accel-Buffering X-Accel-Charset Expires Cache-Control Set-Cookie Vary;\n"
                "    proxy_ssl_protocols TLSv1.2 TLSv1.3;\n    proxy_ssl_server_name on;\n"
                "    proxy_ssl_verify on;\n    proxy_ssl_verify_depth 5;\n"
                "    proxy_ssl_trusted_certificate \"/etc/ssl/certs/ca-certificates.crt\";\n"
                "    proxy_intercept_errors on;\n"
                "    error_page 301 302 303 307 308 401 407 =502 @refused;\n"
                "    error_page 502 @away;\n    error_page 504 @late;\n");
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        buf_printf(out, "    proxy_hide_header %s;\n", hidden[i]);
}

static void put_error(const char *location, unsigned status, const char *code, const char *message,
                      struct buf *out)
{
    buf_printf(out,
               "        location %s {\n            add_header Retry-After 5 always;\n"
               "            return %u '{\"error\":{\"message\":\"%s\",\"type\":\"server_error\","
               "\"param\":null,\"code\":\"%s\"}}';\n        }\n",
               location, status, message, code);
}

static void put_errors(struct buf *out)
{
    put_error("@refused", 502, "upstream_refused",
              "The outside engine of this model refuses the platform; its operator must look at "
              "the model service",
              out);
    put_error("@away", 502, "upstream_unavailable",
              "The outside engine of this model is away; try again in a moment", out);
    put_error("@late", 504, "upstream_timeout",
              "The outside engine of this model gave no answer in time", out);
    buf_put_str(out, "        location / {\n            return 404;\n        }\n");
}

static void put_header(const char *name, const char *before, struct span value, struct buf *out)
{
    CLEANUP(buf_free_wiped) struct buf whole = BUF_INIT(16 * 1024);

    buf_put_str(&whole, before);
    buf_put_span(&whole, value);
    buf_put_str(out, "        proxy_set_header ");
    nginx_conf_put_value(span_str(name), out);
    buf_put_u8(out, ' ');
    nginx_conf_put_value(buf_span(&whole), out);
    buf_put_str(out, ";\n");
}

static void put_headers(const struct upstream *upstream, struct buf *out)
{
    const json_t *list = json_object_get(json_object_get(upstream->spec, "upstream"), "headers");
    char authority[POOL_LANE_SIZE];
    const char *prefix;
    const char *key_header = upstream_key_header(upstream, &prefix);
    const json_t *header;
    size_t i;

    egress_url_authority(&upstream->url, authority, sizeof(authority));
    put_header("Host", "", span_str(upstream->url.port == 443 ? upstream->url.host : authority),
               out);
    put_header("Connection", "", span_str(""), out);
    put_header("Content-Type", "", span_str("application/json"), out);
    put_header("Accept-Encoding", "", span_str("identity"), out);
    put_header("User-Agent", "", span_str("drun/" DRUN_VERSION), out);
    json_array_foreach (list, i, header)
        put_header(codec_json_text(header, "name", "X-None"), "",
                   span_str(codec_json_text(header, "value", "")), out);
    if (upstream->key != NULL)
        put_header(key_header, prefix, secret_span(upstream->key), out);
}

static void put_authorities(const struct upstream *upstream, const char *own_dir, struct buf *out)
{
    CLEANUP_FREE char *name = mem_printf("ca-%s.pem", upstream->id);
    struct err err = ERR_INIT;
    CLEANUP_FD int dir_fd = -1;

    if (upstream->ca_pem.len == 0)
        return;
    dir_fd = fd_open_dir(AT_FDCWD, own_dir, &err);
    if (dir_fd < 0 ||
        fd_replace_file(dir_fd, name, 0600, buf_span(&upstream->ca_pem), false, &err) < 0)
        log_error("exporter.authorities", &err);
    buf_printf(out, "        proxy_ssl_trusted_certificate \"%s/%s\";\n", own_dir, name);
}

static void put_paths(const struct upstream *upstream, struct buf *out)
{
    const struct egress_url *url = &upstream->url;

    for (size_t i = 0; i < ARRAY_LEN(api); i++) {
        CLEANUP_FREE char *target =
            mem_printf("https://up_%s%s/%s%s%s", upstream->id, url->path, api[i],
                       url->query[0] != '\0' ? "?" : "", url->query);
        buf_printf(out,
                   "        location = /v1/%s {\n            set $args \"\";\n"
                   "            proxy_pass ",
                   api[i]);
        nginx_conf_put_value(span_str(target), out);
        buf_put_str(out, ";\n        }\n");
    }
}

static void put_upstream(const struct upstream *upstream, const char *own_dir, const char *dir,
                         struct buf *out)
{
    buf_printf(out, "    upstream up_%s {\n", upstream->id);
    for (size_t i = 0; i < upstream->addresses.count; i++)
        buf_printf(out, "        server %s;\n", upstream->addresses.text[i]);
    buf_put_str(out, "        keepalive 16;\n        keepalive_timeout 30s;\n    }\n");
    buf_printf(out, "    server {\n        listen \"unix:%s/%s.sock\";\n", dir, upstream->id);
    put_headers(upstream, out);
    put_authorities(upstream, own_dir, out);
    buf_printf(out, "        proxy_ssl_name \"%s\";\n        proxy_read_timeout %us;\n",
               upstream->url.host, upstream_timeout_sec(upstream));
    put_paths(upstream, out);
    put_errors(out);
    buf_put_str(out, "    }\n");
}

bool nginx_conf_put(const struct upstreams *upstreams, const char *own_dir, const char *dir,
                    uint64_t generation, struct buf *out)
{
    const struct upstream *upstream;
    bool any = false;

    put_process(own_dir, dir, out);
    put_common(out);
    LIST_FOREACH (upstream, &upstreams->list, entry) {
        if (!upstream_is_served(upstream))
            continue;
        put_upstream(upstream, own_dir, dir, out);
        any = true;
    }
    /* The last: nginx opens them in turn, so that with this one all are open. */
    buf_printf(out,
               "    server {\n        listen \"unix:%s/taken.%llu.sock\";\n        return 204;\n"
               "    }\n",
               dir, (unsigned long long)generation);
    buf_put_str(out, "}\n");
    return any;
}
