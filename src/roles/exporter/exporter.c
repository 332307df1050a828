/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: an outbound network, and the keys of outside engines.
 * Who may speak to me: the roles of my message table, each for what an administrator's objects
 * name; the gateway speaks to nginx, my child, on a Unix socket for each outside engine.
 */
#include "exporter/exporter.h"

#include "audit/audit.h"
#include "exporter/exporter_internal.h"
#include "exporter/upstream.h"
#include "log/log.h"
#include "role/settings.h"

/* Names are resolved and certificates verified here; libraries are loaded when they are needed. */
static const struct lockdown_path paths[] = {
    {"/usr", LOCKDOWN_PATH_EXEC},
    {"/lib", LOCKDOWN_PATH_EXEC | LOCKDOWN_PATH_OPTIONAL},
    {"/lib64", LOCKDOWN_PATH_EXEC | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/ld.so.cache", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/ssl", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/gai.conf", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/host.conf", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/hosts", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/nsswitch.conf", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/resolv.conf", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/etc/services", LOCKDOWN_PATH_READ | LOCKDOWN_PATH_OPTIONAL},
    {"/dev/null", LOCKDOWN_PATH_WRITE},
    {0},
};

static const struct role_promises promises = {
    .promises =
        LOCKDOWN_FILES | LOCKDOWN_EXEC | LOCKDOWN_THREADS | LOCKDOWN_NET_INET | LOCKDOWN_NET_UNIX,
    .network = true,
    .paths = paths,
};

void exporter_report_refusal(struct exporter *exporter, const char *what, const struct err *why)
{
    const struct audit_event one = {
        .event = span_str(AUDIT_EGRESS_DENIED),
        .outcome = AUDIT_DENIED,
        .actor = {.name = span_str("system:drun:exporter"), .source = AUDIT_SOURCE_ROLE},
        .action = {.verb = span_str("connect"), .name = span_str(what)},
        .reason = span_str(why->msg),
    };
    struct err err = ERR_INIT;

    log_say(LOG_WARN, "exporter.refused", "%s: %s", what, why->msg);
    if (exporter->role != NULL &&
        audit_send(role_peer(exporter->role, ROLE_AUDIT), &one, 1, &err) < 0)
        log_error("exporter.audit", &err);
}

static int read_networks(struct exporter *exporter, struct err *err)
{
    const struct opt_list *list = &role_settings(exporter->role)->egress_networks;

    for (size_t i = 0; i < list->count; i++)
        if (egress_networks_add(&exporter->networks, list->items[i], err) < 0)
            return err_wrap(err, "setting egress-networks");
    return 0;
}

static void on_peer(void *ctx, enum role_id peer)
{
    struct exporter *exporter = ctx;

    if (exporter->upstreams != NULL)
        upstreams_on_peer(exporter->upstreams, peer);
}

static void on_stop(void *ctx)
{
    struct exporter *exporter = ctx;

    upstreams_stop(exporter->upstreams);
}

static int start(struct exporter *exporter, struct err *err)
{
    /* A name server that is silent holds a thread no longer than this. */
    (void)setenv("RES_OPTIONS", "timeout:2 attempts:2", 1);
    TRY(read_networks(exporter, err));
    TRY(role_lock_down(exporter->role, &promises, err));
    TRY(pool_new(exporter->loop, &exporter->pool, err));
    role_on_peer(exporter->role, on_peer, exporter);
    role_on_stop(exporter->role, on_stop, exporter);
    TRY(upstreams_start(exporter, err));
    return role_serve(exporter->role, &exporter_table, exporter, err);
}

int exporter_main(struct role *role, struct err *err)
{
    struct exporter exporter = {
        .role = role, .loop = role_loop(role), .scratch_dir = role_own_run_dir(role)};
    int result = start(&exporter, err);

    if (result == 0)
        result = role_run(role, err);
    if (!pool_free(exporter.pool))
        _exit(result < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    upstreams_free(exporter.upstreams);
    return result;
}
