/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the operator, or systemd. What I hold: listening sockets, pidfds, the control
 * sockets. Who may speak to me: my roles, and only "ready".
 */
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "supervisor/notify.h"
#include "supervisor/supervisor_internal.h"

#include <signal.h>

static const struct role_entry *entry_of(const struct supervisor *supervisor, enum role_id id)
{
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++)
        if (entry->id == id)
            return entry;
    return NULL;
}

static int start_all(struct supervisor *supervisor, struct err *err)
{
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++) {
        struct child *child = &supervisor->children[entry->id];
        TRY(child_start(child, err));
        TRY(child_wait_until_ready(child, err));
        if (supervisor->stopping)
            return 0;
    }
    return 0;
}

static void stop_all(struct supervisor *supervisor)
{
    supervisor->stopping = true;
    for (int id = ROLE_COUNT - 1; id > ROLE_SUPERVISOR; id--)
        child_stop(&supervisor->children[id]);
}

static void on_stop_signal(void *ctx, int signo UNUSED)
{
    struct supervisor *supervisor = ctx;

    supervisor->stopping = true;
    loop_stop(supervisor->loop);
}

static int prepare(struct supervisor *supervisor, const char *data_dir, struct err *err)
{
    sigset_t set;

    TRY(instance_open(data_dir, supervisor->settings, &supervisor->instance, err));
    TRY(loop_new(&supervisor->loop, err));
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    TRY(loop_add_signals(supervisor->loop, &set, on_stop_signal, supervisor, err));
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++) {
        struct child *child = &supervisor->children[entry->id];
        INVARIANT(entry_of(supervisor, entry->id) == entry);
        child->entry = entry;
        TRY(loop_add_timer(supervisor->loop, 1ULL << 40, 0, child_restart, child,
                           &child->restart_timer, err));
    }
    return places_make(supervisor, err);
}

static int serve(struct supervisor *supervisor, struct err *err)
{
    uint64_t began = clock_mono_ns();
    char url[256];

    TRY(start_all(supervisor, err));
    if (supervisor->stopping)
        return 0;
    settings_public_url(supervisor->settings, url, sizeof(url));
    TRY(places_announce(supervisor, url, err));
    log_say(LOG_INFO, "supervisor.ready", "ready on %s after %llu ms", url,
            (unsigned long long)(clock_mono_ns() - began) / 1000000);
    role_trim_memory();
    TRY(notify_systemd("READY=1", err));
    TRY(loop_run(supervisor->loop, err));
    return notify_systemd("STOPPING=1", err);
}

static void release(struct supervisor *supervisor)
{
    if (supervisor->instance.run_dir_claimed)
        places_clear(supervisor);
    loop_free(supervisor->loop);
    for (int id = 0; id < ROLE_COUNT; id++)
        fd_close(&supervisor->http_fd[id]);
    fd_close(&supervisor->operator_fd);
    fd_close(&supervisor->tls_fd);
    fd_close(&supervisor->mtls_fd);
    fd_close(&supervisor->proxy_fd);
    instance_close(&supervisor->instance);
}

int supervisor_run(const struct role_entry *table, const char *data_dir,
                   const struct settings *settings, int passphrase_fd, struct err *err)
{
    struct supervisor supervisor = {
        .table = table,
        .settings = settings,
        .operator_fd = -1,
        .tls_fd = -1,
        .mtls_fd = -1,
        .proxy_fd = -1,
        .passphrase_fd = passphrase_fd,
    };

    for (int id = 0; id < ROLE_COUNT; id++) {
        supervisor.http_fd[id] = -1;
        child_init(&supervisor.children[id], &supervisor);
    }
    supervisor.instance.lock_fd = -1;
    int result = prepare(&supervisor, data_dir, err);
    if (result == 0)
        result = serve(&supervisor, err);
    stop_all(&supervisor);
    release(&supervisor);
    return result;
}
