/* SPDX-License-Identifier: Apache-2.0 */
/* The image in force. A newer one is taken up between two requests; one that is refused leaves the
 * old one in force. */
#include "gateway/module/waf.h"

#include "base/fd.h"
#include "base/mem.h"

#include <fcntl.h>

/* A request that asks for more looking than this is refused: a body made to tire the rules out
 * would hide an attack behind it. */
static const uint64_t work_max = 64 * 1024 * 1024;

struct firewall {
    struct snapshot_reader *reader;
    struct snapshot *image;
    struct waf_engine *engine;
    struct waf_tx *tx;
    bool is_repeatable;
};

static struct firewall *firewall;

ngx_int_t gw_waf_start(ngx_cycle_t *cycle, const struct gw_main_conf *conf)
{
    CLEANUP_FREE char *path =
        mem_printf("%.*s/waf", (int)conf->run_dir.len, (const char *)conf->run_dir.data);
    struct err err = ERR_INIT;
    int dir_fd = fd_open_dir(AT_FDCWD, path, &err);

    if (dir_fd < 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "drun: %s", err.msg);
        return NGX_ERROR;
    }
    firewall = mem_new(sizeof(*firewall));
    firewall->reader = snapshot_reader_new(&waf_snapshot, &dir_fd);
    return NGX_OK;
}

static void drop(struct firewall *old)
{
    waf_tx_free(old->tx);
    waf_engine_free(old->engine);
    snapshot_free(old->image);
}

void gw_waf_stop(void)
{
    if (firewall == NULL)
        return;
    drop(firewall);
    snapshot_reader_free(firewall->reader);
    free(firewall);
    firewall = NULL;
}

static int take_up(struct err *err)
{
    static const struct waf_engine_options options = {.work_max = work_max,
                                                      .on_limit = WAF_LIMIT_DENY};
    struct firewall fresh = {.reader = firewall->reader,
                             .image = snapshot_reader_take(firewall->reader)};

    if (fresh.image == NULL)
        return 0;
    if (waf_engine_new(fresh.image, &options, &fresh.engine, err) < 0) {
        snapshot_free(fresh.image);
        return -1;
    }
    waf_image_spend(fresh.image);
    fresh.tx = waf_tx_new(fresh.engine);
    fresh.is_repeatable = waf_engine_is_repeatable(fresh.engine);
    gw_waf_forget();
    drop(firewall);
    *firewall = fresh;
    return 0;
}

struct waf_tx *gw_waf_tx(ngx_log_t *log)
{
    struct err err = ERR_INIT;

    if (firewall == NULL)
        return NULL;
    int result = snapshot_reader_refresh(firewall->reader, &err);
    if (result > 0)
        result = take_up(&err);
    if (result < 0)
        ngx_log_error(NGX_LOG_ERR, log, 0, "drun: the firewall's rules: %s", err.msg);
    return firewall->tx;
}

const struct waf_engine *gw_waf_engine(void)
{
    return firewall == NULL ? NULL : firewall->engine;
}

bool gw_waf_is_repeatable(void)
{
    return firewall->is_repeatable;
}

const struct snapshot *gw_waf_image(void)
{
    return firewall == NULL ? NULL : firewall->image;
}
