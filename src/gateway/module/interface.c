/* SPDX-License-Identifier: Apache-2.0 */
/* The binary that wrote the configuration, and this module, must be of one build: directives,
 * snapshots and rings are theirs alone and carry no versions. */
#include "gateway/interface.h"
#include "gateway/module/module.h"

static const char what_to_do[] =
    "install the drun binary and ngx_http_drun_module.so of one build, or name the module's folder "
    "with the setting share-dir";

/* What stands in this file, not what the compiler knows of it: a test puts another build's there.
 */
static const char *own_interface(void)
{
    const char *own = gateway_interface;

    __asm__("" : "+r"(own));
    return own;
}

char *gw_interface_set(ngx_conf_t *cf, ngx_command_t *cmd UNUSED, void *conf)
{
    const ngx_str_t *args = cf->args->elts;
    struct gw_main_conf *main = conf;

    main->interface_known = true;
    if (span_eq_str(gw_span(args[1]), own_interface()))
        return NGX_CONF_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "drun's nginx module is of the build %s, but drun itself is of %V; %s",
                       own_interface(), &args[1], what_to_do);
    return NGX_CONF_ERROR;
}

char *gw_interface_check(ngx_conf_t *cf, const struct gw_main_conf *main)
{
    if (main->interface_known || main->run_dir.len == 0)
        return NGX_CONF_OK;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "drun's nginx module is of the build %s, but drun itself is older; %s",
                       own_interface(), what_to_do);
    return NGX_CONF_ERROR;
}
