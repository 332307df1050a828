/* SPDX-License-Identifier: Apache-2.0 */
/* The balancer of `upstream drun_engines { drun_engine; keepalive 64; }`: the one address is the
 * route's Unix socket. A connection that was kept may have been closed by the engine; nginx then
 * tries once more with a new one, and otherwise never; but for model routes (routing.c), and
 * services of several engines (replicas.c). */
#include "gateway/module/routing.h"

static ngx_int_t get_peer(ngx_peer_connection_t *pc, void *data)
{
    struct gw_call *call = data;
    ngx_int_t rc = NGX_OK;

    if (call->plan != NULL)
        rc = gw_plan_next(call, pc);
    else if (call->of_several)
        rc = gw_replica_next(call, pc);
    if (rc != NGX_OK)
        return rc;
    pc->sockaddr = (struct sockaddr *)&call->engine;
    pc->socklen = sizeof(call->engine);
    pc->name = &call->engine_name;
    pc->cached = 0;
    pc->connection = NULL;
    return NGX_OK;
}

static void free_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t state)
{
    struct gw_call *call = data;

    if (pc->tries > 0)
        pc->tries--;
    if (call->plan != NULL)
        gw_plan_tried(call, pc);
    if (call->of_several)
        gw_replica_tried(call, pc, state);
}

static ngx_int_t init_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *us UNUSED)
{
    struct gw_call *call = gw_call_of(r);
    ngx_peer_connection_t *pc = &r->upstream->peer;

    /* A location that goes to the engines without drun_model_api decides nothing, so it goes
     * nowhere. */
    if (call == NULL || call->stage != GW_DECIDED)
        return NGX_ERROR;
    pc->data = call;
    pc->get = get_peer;
    pc->free = free_peer;
    pc->tries = 1;
    if (call->plan != NULL)
        gw_plan_begin(call, pc);
    if (call->of_several)
        gw_replica_begin(r, call);
    return NGX_OK;
}

static ngx_int_t init_upstream(ngx_conf_t *cf UNUSED, ngx_http_upstream_srv_conf_t *us)
{
    us->peer.init = init_peer;
    return NGX_OK;
}

char *gw_engine(ngx_conf_t *cf, ngx_command_t *cmd UNUSED, void *conf UNUSED)
{
    ngx_http_upstream_srv_conf_t *us =
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);
    /* nginx demands a server in each upstream block. */
    ngx_http_upstream_server_t *server = ngx_array_push(us->servers);

    if (server == NULL)
        return NGX_CONF_ERROR;
    memset(server, 0, sizeof(*server));
    ngx_str_set(&server->name, "engine");
    us->peer.init_upstream = init_upstream;
    us->flags = NGX_HTTP_UPSTREAM_CREATE;
    return NGX_CONF_OK;
}
