/* SPDX-License-Identifier: Apache-2.0 */
/* The directives of the edge, and where it hangs in nginx. */
#include "gateway/module/edge.h"

#include "base/num.h"

/* ------------------------------------------------------------------ phases */

ngx_int_t edge_refuse(ngx_http_request_t *r, ngx_uint_t status, const char *code,
                      const char *message, uint64_t retry_ms)
{
    ngx_int_t rc = ngx_http_discard_request_body(r);

    if (rc == NGX_OK)
        rc = gw_reply_problem(r, status, code, message, retry_ms);
    ngx_http_finalize_request(r, rc);
    return NGX_DONE;
}

/* Once a request: an internal redirect comes here again. */
static ngx_int_t on_request(ngx_http_request_t *r)
{
    if (r != r->main || r->internal)
        return NGX_DECLINED;
    ngx_int_t rc = edge_sources_request(r);
    if (rc == NGX_DECLINED)
        rc = edge_hygiene(r);
    return rc == NGX_DECLINED ? edge_cors(r) : rc;
}

static ngx_int_t on_log(ngx_http_request_t *r)
{
    edge_sources_log(r);
    return NGX_OK;
}

/* ------------------------------------------------------------------ directives */

static void *conf_new(ngx_conf_t *cf)
{
    struct edge_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));

    if (conf != NULL)
        conf->answer_max_sec = NGX_CONF_UNSET_UINT;
    return conf;
}

static char *conf_check(ngx_conf_t *cf UNUSED, void *data)
{
    struct edge_conf *conf = data;

    ngx_conf_init_uint_value(conf->answer_max_sec, 0);
    return NGX_CONF_OK;
}

/* drun_free CIDR...; */
static char *set_free(ngx_conf_t *cf, ngx_command_t *cmd UNUSED, void *data)
{
    struct edge_conf *conf = data;
    ngx_str_t *args = cf->args->elts;

    if (conf->free == NULL)
        conf->free = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_cidr_t));
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        ngx_cidr_t *cidr = conf->free == NULL ? NULL : ngx_array_push(conf->free);
        if (cidr == NULL)
            return NGX_CONF_ERROR;
        memset(cidr, 0, sizeof(*cidr));
        if (ngx_ptocidr(&args[i], cidr) == NGX_ERROR)
            return (char *)"takes addresses and ranges of them";
    }
    return NGX_CONF_OK;
}

/* drun_cors ORIGIN...; */
static char *set_origins(ngx_conf_t *cf, ngx_command_t *cmd UNUSED, void *data)
{
    struct edge_conf *conf = data;
    ngx_str_t *args = cf->args->elts;

    conf->origins = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_str_t));
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        ngx_str_t *origin = conf->origins == NULL ? NULL : ngx_array_push(conf->origins);
        if (origin == NULL)
            return NGX_CONF_ERROR;
        *origin = args[i];
    }
    return NGX_CONF_OK;
}

static bool to_number(ngx_str_t text, uint64_t *out)
{
    struct err err = ERR_INIT;

    return num_parse_u64(gw_span(text), 0, UINT64_C(1) << 48, "a number", out, &err) == 0;
}

/* drun_rate MEASURE LIMIT NETWORK WINDOW_MS; */
static char *set_rate(ngx_conf_t *cf, ngx_command_t *cmd UNUSED, void *data)
{
    static const char *const names[LIMIT_MEASURES] = {
        [LIMIT_REQUESTS] = "requests",     [LIMIT_SIGN_INS] = "sign-ins",
        [LIMIT_HANDSHAKES] = "handshakes", [LIMIT_BYTES] = "bytes",
        [LIMIT_STRIKES] = "strikes",       [LIMIT_BANS] = "bans"};
    struct edge_conf *conf = data;
    ngx_str_t *args = cf->args->elts;
    uint64_t window_ms;

    for (size_t i = 0; i < LIMIT_MEASURES; i++) {
        struct limit_rate *rate = &conf->rates[i];
        if (!span_eq_str(gw_span(args[1]), names[i]))
            continue;
        if (!to_number(args[2], &rate->limit) || !to_number(args[3], &rate->network) ||
            !to_number(args[4], &window_ms) || window_ms == 0 || window_ms > 86400000)
            return (char *)"takes a measure, two limits and milliseconds";
        rate->window_ns = window_ms * 1000000;
        return NGX_CONF_OK;
    }
    return (char *)"knows no such measure";
}

/* Two numbers, side by side in the configuration. */
static char *set_pair(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_uint_t *pair = (ngx_uint_t *)(void *)((char *)data + cmd->offset);
    ngx_str_t *args = cf->args->elts;

    for (int i = 0; i < 2; i++) {
        uint64_t value;
        if (!to_number(args[1 + i], &value) || value > UINT32_MAX)
            return (char *)"takes two numbers";
        pair[i] = (ngx_uint_t)value;
    }
    return NGX_CONF_OK;
}

#define MAIN (NGX_HTTP_MAIN_CONF)

static ngx_command_t commands[] = {
    /* drun_sources_dir PATH; where the workers share what sources do */
    {ngx_string("drun_sources_dir"), MAIN | NGX_CONF_TAKE1, ngx_conf_set_str_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct edge_conf, state_dir), NULL},
    {ngx_string("drun_free"), MAIN | NGX_CONF_1MORE, set_free, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("drun_cors"), MAIN | NGX_CONF_1MORE, set_origins, NGX_HTTP_MAIN_CONF_OFFSET, 0,
     NULL},
    {ngx_string("drun_rate"), MAIN | NGX_CONF_TAKE4, set_rate, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    /* drun_connections OF_AN_ADDRESS OF_A_NETWORK; at the same time */
    {ngx_string("drun_connections"), MAIN | NGX_CONF_TAKE2, set_pair, NGX_HTTP_MAIN_CONF_OFFSET,
     offsetof(struct edge_conf, connections), NULL},
    /* drun_ban SEC LONG_SEC; the second for who was banned often lately */
    {ngx_string("drun_ban"), MAIN | NGX_CONF_TAKE2, set_pair, NGX_HTTP_MAIN_CONF_OFFSET,
     offsetof(struct edge_conf, ban_sec), NULL},
    /* drun_answer_max SEC; of one answer; 0: no end */
    {ngx_string("drun_answer_max"), MAIN | NGX_CONF_TAKE1, ngx_conf_set_num_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct edge_conf, answer_max_sec), NULL},
    /* drun_bans_view; answers GET and DELETE of bans */
    {ngx_string("drun_bans_view"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, gw_set_handler,
     NGX_HTTP_LOC_CONF_OFFSET, 0, (void *)edge_bans},
    /* drun_challenge; the page where a browser works, in the internal location /.drun-check */
    {ngx_string("drun_challenge"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, gw_set_handler,
     NGX_HTTP_LOC_CONF_OFFSET, 0, (void *)edge_challenge_page},
    ngx_null_command};

static ngx_int_t after_conf(ngx_conf_t *cf)
{
    if (gw_add_handler(cf, NGX_HTTP_SERVER_REWRITE_PHASE, on_request) != NGX_OK ||
        gw_add_handler(cf, NGX_HTTP_LOG_PHASE, on_log) != NGX_OK || edge_cors_init() != NGX_OK)
        return NGX_ERROR;
    return edge_pace_init();
}

static ngx_int_t process_init(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
        return NGX_OK;
    const struct edge_conf *conf =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_drun_edge_module);
    return conf == NULL || conf->state_dir.len == 0 ? NGX_OK : edge_sources_start(cycle, conf);
}

static void process_exit(ngx_cycle_t *cycle UNUSED)
{
    edge_sources_stop();
}

static ngx_http_module_t context = {
    .postconfiguration = after_conf,
    .create_main_conf = conf_new,
    .init_main_conf = conf_check,
};

__attribute__((visibility("default"))) ngx_module_t ngx_http_drun_edge_module = {
    NGX_MODULE_V1, &context, commands, NGX_HTTP_MODULE, NULL, NULL,
    process_init,  NULL,     NULL,     process_exit,    NULL, NGX_MODULE_V1_PADDING};
