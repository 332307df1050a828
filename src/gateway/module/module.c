/* SPDX-License-Identifier: Apache-2.0 */
/* The directives, and where the module hangs in nginx. */
#include "gateway/module/cache.h"
#include "gateway/module/edge.h"

static void *main_conf_new(ngx_conf_t *cf)
{
    struct gw_main_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));

    if (conf != NULL)
        conf->audit_full = conf->waf = conf->cache_bytes = conf->gateways = NGX_CONF_UNSET_UINT;
    return conf;
}

static char *main_conf_check(ngx_conf_t *cf, void *conf)
{
    struct gw_main_conf *main = conf;

    ngx_conf_init_uint_value(main->audit_full, GW_AUDIT_REFUSE);
    ngx_conf_init_uint_value(main->waf, GW_WAF_OFF);
    ngx_conf_init_size_value(main->cache_bytes, 0);
    ngx_conf_init_uint_value(main->gateways, 1);
    if (main->data_dir.len == 0)
        main->data_dir = main->state_dir;
    if ((main->run_dir.len == 0) == (main->state_dir.len == 0))
        return gw_interface_check(cf, main);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "drun_run_dir needs drun_state_dir, and it that");
    return NGX_CONF_ERROR;
}

static void *loc_conf_new(ngx_conf_t *cf)
{
    struct gw_loc_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));

    if (conf == NULL)
        return NULL;
    conf->refuse_unknown = conf->waf_objects = NGX_CONF_UNSET;
    conf->default_tokens = NGX_CONF_UNSET_UINT;
    return conf;
}

/* A location is the model API by its own line alone, so that is not inherited. */
static char *loc_conf_merge(ngx_conf_t *cf UNUSED, void *parent, void *child)
{
    struct gw_loc_conf *outer = parent;
    struct gw_loc_conf *conf = child;

    ngx_conf_merge_value(conf->refuse_unknown, outer->refuse_unknown, 0);
    ngx_conf_merge_value(conf->waf_objects, outer->waf_objects, 0);
    ngx_conf_merge_uint_value(conf->default_tokens, outer->default_tokens, 1024);
    return NGX_CONF_OK;
}

/* drun_model_api chat | completions | embeddings | messages | count-tokens | guard; */
static char *set_model_api(ngx_conf_t *cf, ngx_command_t *cmd UNUSED, void *conf)
{
    static const struct {
        const char *name;
        enum openai_api api;
    } apis[] = {{"chat", OPENAI_CHAT},
                {"completions", OPENAI_COMPLETIONS},
                {"embeddings", OPENAI_EMBEDDINGS},
                {"messages", OPENAI_MESSAGES},
                {"count-tokens", OPENAI_COUNT_TOKENS},
                {"guard", OPENAI_TRY_GUARD}};
    struct gw_loc_conf *loc = conf;
    ngx_str_t *args = cf->args->elts;

    for (size_t i = 0; i < ARRAY_LEN(apis); i++) {
        if (!span_eq_str(gw_span(args[1]), apis[i].name))
            continue;
        loc->model_api = 1;
        loc->api = apis[i].api;
        return NGX_CONF_OK;
    }
    return (char *)"takes chat, completions, embeddings, messages, count-tokens or guard";
}

static ngx_int_t parse_fd(u_char *text, size_t len)
{
    return len == 0 ? NGX_ERROR : ngx_atoi(text, len);
}

/* drun_audit_rings RING:BELL ...; descriptors that nginx inherits, one pair for each worker */
static char *set_rings(ngx_conf_t *cf, ngx_command_t *cmd UNUSED, void *conf)
{
    struct gw_main_conf *main = conf;
    ngx_str_t *args = cf->args->elts;

    if (main->rings != NULL)
        return (char *)"is there twice";
    main->rings = ngx_array_create(cf->pool, cf->args->nelts, sizeof(struct gw_ring));
    if (main->rings == NULL)
        return NGX_CONF_ERROR;
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        u_char *end = args[i].data + args[i].len;
        u_char *colon = ngx_strlchr(args[i].data, end, ':');
        struct gw_ring *ring = ngx_array_push(main->rings);
        if (ring == NULL)
            return NGX_CONF_ERROR;
        ring->ring_fd = colon == NULL ? -1 : parse_fd(args[i].data, (size_t)(colon - args[i].data));
        ring->bell_fd = colon == NULL ? -1 : parse_fd(colon + 1, (size_t)(end - colon - 1));
        if (ring->ring_fd < 0 || ring->bell_fd < 0)
            return (char *)"takes pairs of descriptors, RING:BELL";
    }
    return NGX_CONF_OK;
}

/* drun_gateways N BELL; that share limits and budgets, and a descriptor that nginx inherits */
static char *set_gateways(ngx_conf_t *cf, ngx_command_t *cmd UNUSED, void *conf)
{
    struct gw_main_conf *main = conf;
    ngx_str_t *args = cf->args->elts;
    ngx_int_t count = ngx_atoi(args[1].data, args[1].len);

    if (main->gateways != NGX_CONF_UNSET_UINT)
        return (char *)"is there twice";
    main->lease_bell = parse_fd(args[2].data, args[2].len);
    if (count < 2 || main->lease_bell < 0)
        return (char *)"takes how many gateways there are, and a descriptor";
    main->gateways = (ngx_uint_t)count;
    return NGX_CONF_OK;
}

static ngx_conf_enum_t audit_full[] = {{ngx_string("refuse"), GW_AUDIT_REFUSE},
                                       {ngx_string("drop"), GW_AUDIT_DROP},
                                       {ngx_null_string, 0}};

static ngx_conf_enum_t waf[] = {{ngx_string("off"), GW_WAF_OFF},
                                {ngx_string("open"), GW_WAF_OPEN},
                                {ngx_string("closed"), GW_WAF_CLOSED},
                                {ngx_null_string, 0}};

char *gw_set_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf UNUSED)
{
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    core->handler = (ngx_http_handler_pt)cmd->post;
    return NGX_CONF_OK;
}

static ngx_command_t commands[] = {
    /* drun_interface ID */
    {ngx_string("drun_interface"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, gw_interface_set,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    /* drun_run_dir PATH; drun_state_dir PATH; both or neither */
    {ngx_string("drun_run_dir"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_str_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct gw_main_conf, run_dir), NULL},
    {ngx_string("drun_state_dir"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_str_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct gw_main_conf, state_dir), NULL},
    /* drun_data_dir PATH; kept over restarts */
    {ngx_string("drun_data_dir"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_str_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct gw_main_conf, data_dir), NULL},
    {ngx_string("drun_audit_rings"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE, set_rings,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("drun_gateways"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE2, set_gateways,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("drun_audit_full"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_enum_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct gw_main_conf, audit_full), audit_full},
    {ngx_string("drun_model_api"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, set_model_api,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    /* drun_refuse_unknown on | off; members at the top that the schema does not know */
    {ngx_string("drun_refuse_unknown"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_FLAG,
     ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET, offsetof(struct gw_loc_conf, refuse_unknown),
     NULL},
    /* drun_waf off | open | closed; with the firewall, and what is done while it has no rules */
    {ngx_string("drun_waf"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_enum_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct gw_main_conf, waf), waf},
    /* drun_waf_objects on | off; bodies are manifests */
    {ngx_string("drun_waf_objects"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_FLAG,
     ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET, offsetof(struct gw_loc_conf, waf_objects),
     NULL},
    /* drun_default_tokens N; what an answer is reckoned at when nobody says */
    {ngx_string("drun_default_tokens"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_num_slot, NGX_HTTP_LOC_CONF_OFFSET, offsetof(struct gw_loc_conf, default_tokens),
     NULL},
    /* drun_cache_size SIZE; of all answers that are kept; 0 keeps none */
    {ngx_string("drun_cache_size"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct gw_main_conf, cache_bytes), NULL},
    /* drun_models_list; answers GET /v1/models and /v1/models/NAME */
    {ngx_string("drun_models_list"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, gw_set_handler,
     NGX_HTTP_LOC_CONF_OFFSET, 0, (void *)gw_models},
    /* drun_waf_desk; answers /apis/waf.drun.io/v1 */
    {ngx_string("drun_waf_desk"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, gw_set_handler,
     NGX_HTTP_LOC_CONF_OFFSET, 0, (void *)gw_waf_desk},
    /* drun_error; in the named location of error_page */
    {ngx_string("drun_error"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, gw_set_handler,
     NGX_HTTP_LOC_CONF_OFFSET, 0, (void *)gw_error_page},
    /* drun_early_error; in the internal location of the server's own error_page */
    {ngx_string("drun_early_error"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, gw_set_handler,
     NGX_HTTP_LOC_CONF_OFFSET, 0, (void *)gw_early_error},
    /* drun_engine; in an upstream block, before keepalive */
    {ngx_string("drun_engine"), NGX_HTTP_UPS_CONF | NGX_CONF_NOARGS, gw_engine, 0, 0, NULL},
    ngx_null_command};

ngx_int_t gw_add_handler(ngx_conf_t *cf, ngx_http_phases phase, ngx_http_handler_pt handler)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *slot = ngx_array_push(&core->phases[phase].handlers);

    if (slot == NULL)
        return NGX_ERROR;
    *slot = handler;
    return NGX_OK;
}

static ngx_int_t after_conf(ngx_conf_t *cf)
{
    if (gw_add_handler(cf, NGX_HTTP_PREACCESS_PHASE, gw_waf_preaccess) != NGX_OK ||
        gw_add_handler(cf, NGX_HTTP_ACCESS_PHASE, gw_access) != NGX_OK ||
        gw_add_handler(cf, NGX_HTTP_LOG_PHASE, gw_log) != NGX_OK)
        return NGX_ERROR;
    return gw_filters_init(cf);
}

static ngx_int_t master_init(ngx_cycle_t *cycle)
{
    const struct gw_main_conf *conf =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_drun_module);

    if (gw_line_make_bells(cycle) != NGX_OK || gw_guard_compile(cycle) != NGX_OK)
        return NGX_ERROR;
    return conf == NULL ? NGX_OK : gw_cache_make(cycle, conf);
}

static ngx_int_t process_init(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
        return NGX_OK;
    const struct gw_main_conf *conf =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_drun_module);
    return conf == NULL || conf->run_dir.len == 0 ? NGX_OK : gw_worker_start(cycle, conf);
}

static ngx_http_module_t context = {
    .postconfiguration = after_conf,
    .create_main_conf = main_conf_new,
    .init_main_conf = main_conf_check,
    .create_loc_conf = loc_conf_new,
    .merge_loc_conf = loc_conf_merge,
};

#define PUBLIC __attribute__((visibility("default")))

PUBLIC ngx_module_t ngx_http_drun_module = {
    NGX_MODULE_V1, &context, commands, NGX_HTTP_MODULE, NULL, master_init,
    process_init,  NULL,     NULL,     gw_worker_stop,  NULL, NGX_MODULE_V1_PADDING};

/* What nginx looks for in a module that it loads. The filters come before copy_filter, and so see
 * each buffer behind it: in memory. Of ours the firewall's sees an answer first, as it came. */
PUBLIC ngx_module_t *ngx_modules[] = {&ngx_http_drun_module, &ngx_http_drun_edge_module,
                                      &ngx_http_drun_waf_module, NULL};
PUBLIC char *ngx_module_names[] = {(char *)"ngx_http_drun_module",
                                   (char *)"ngx_http_drun_edge_module",
                                   (char *)"ngx_http_drun_waf_module", NULL};
PUBLIC char *ngx_module_order[] = {
    (char *)"ngx_http_drun_module", (char *)"ngx_http_drun_edge_module",
    (char *)"ngx_http_drun_waf_module", (char *)"ngx_http_copy_filter_module", NULL};
