/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the operator, or systemd. What I hold: listening sockets, pidfds, the control
 * sockets, the passphrase as a file that I never read. Who may speak to me: my roles, and only
 * "ready" and why they end; the operator, to seal and unseal.
 */
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "supervisor/listen.h"
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

/* What is not wanted is in no table, and so nothing is made for it. */
static void keep_wanted(struct supervisor *supervisor, const struct role_entry *table)
{
    size_t count = 0;

    for (; table->main != NULL; table++)
        if (table->wanted == NULL || table->wanted(supervisor->settings)) {
            INVARIANT(count < ROLE_COUNT - 1);
            supervisor->table[count++] = *table;
        }
}

static int open_listeners(struct supervisor *supervisor, struct err *err)
{
    for (size_t i = 0; i < SETTINGS_LISTENERS; i++)
        if (supervisor->listener_fd[i] >= 0)
            TRY(listen_again(supervisor->listener_fd[i], err));
    return 0;
}

static void close_listeners(struct supervisor *supervisor)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < SETTINGS_LISTENERS; i++)
        if (supervisor->listener_fd[i] >= 0 && listen_refuse(supervisor->listener_fd[i], &err) < 0)
            log_error("supervisor.listen", &err);
}

static int start_all(struct supervisor *supervisor, struct err *err)
{
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++) {
        struct child *child = &supervisor->children[entry->id];
        /* Who comes while the others start waits, but not for an unseal that does not get here. */
        if (entry->id == ROLE_GATEWAY)
            TRY(open_listeners(supervisor, err));
        TRY(child_start(child, err));
        TRY(child_wait_until_ready(child, err));
        if (supervisor->stopping)
            return 0;
    }
    return 0;
}

void supervisor_stop(struct supervisor *supervisor)
{
    supervisor->stopping = true;
    child_stop(&supervisor->children[ROLE_GATEWAY]);
    child_stop(&supervisor->children[ROLE_GATEWAY2]);
    close_listeners(supervisor);
    for (int id = ROLE_COUNT - 1; id > ROLE_SUPERVISOR; id--)
        child_stop(&supervisor->children[id]);
}

static void on_stop_signal(void *ctx, int signo UNUSED)
{
    struct supervisor *supervisor = ctx;

    supervisor->stopping = true;
    supervisor->ending = true;
    loop_stop(supervisor->loop);
}

static int prepare(struct supervisor *supervisor, const struct supervisor_options *options,
                   struct err *err)
{
    sigset_t set;

    TRY(instance_open(options->data_dir, supervisor->settings, &supervisor->instance, err));
    TRY(loop_new(&supervisor->loop, err));
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    TRY(loop_add_signals(supervisor->loop, &set, on_stop_signal, supervisor, err));
    for (const struct role_entry *entry = supervisor->table; entry->main != NULL; entry++) {
        struct child *child = &supervisor->children[entry->id];
        INVARIANT(entry_of(supervisor, entry->id) == entry);
        child->entry = entry;
        TRY(loop_add_timer(supervisor->loop, NEVER_MS, 0, child_restart, child,
                           &child->restart_timer, err));
    }
    TRY(places_make(supervisor, err));
    TRY(seal_listen(supervisor, err));
    TRY(seal_init(supervisor, options->sealed, err));
    if (!seal_is_sealed(supervisor))
        return places_open(supervisor, err);
    close_listeners(supervisor);
    return 0;
}

int supervisor_start(struct supervisor *supervisor, struct err *err)
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
    return 0;
}

static int serve(struct supervisor *supervisor, struct err *err)
{
    if (!seal_is_sealed(supervisor)) {
        TRY(supervisor_start(supervisor, err));
        if (!supervisor->stopping)
            seal_say_ready(supervisor);
    }
    TRY(notify_systemd("READY=1", err));
    while (!supervisor->ending) {
        if (!seal_is_asked(supervisor))
            TRY(loop_run(supervisor->loop, err));
        if (!supervisor->ending)
            seal_work(supervisor);
    }
    return notify_systemd("STOPPING=1", err);
}

static void release(struct supervisor *supervisor)
{
    seal_end(supervisor);
    if (supervisor->instance.run_dir_claimed)
        places_clear(supervisor);
    loop_free(supervisor->loop);
    for (int id = 0; id < ROLE_COUNT; id++)
        fd_close(&supervisor->http_fd[id]);
    fd_close(&supervisor->operator_fd);
    for (size_t i = 0; i < SETTINGS_LISTENERS; i++)
        fd_close(&supervisor->listener_fd[i]);
    instance_close(&supervisor->instance);
}

int supervisor_run(const struct supervisor_options *options, int *passphrase_fd, struct err *err)
{
    struct supervisor supervisor = {
        .settings = options->settings,
        .operator_fd = -1,
        .passphrase_fd = fd_take(passphrase_fd),
        .sealing = {.given_fd = -1, .socket_fd = -1},
    };

    for (int id = 0; id < ROLE_COUNT; id++) {
        supervisor.http_fd[id] = -1;
        child_init(&supervisor.children[id], &supervisor);
    }
    for (size_t i = 0; i < SETTINGS_LISTENERS; i++)
        supervisor.listener_fd[i] = -1;
    supervisor.instance.lock_fd = -1;
    keep_wanted(&supervisor, options->table);
    int result = prepare(&supervisor, options, err);
    if (result == 0)
        result = serve(&supervisor, err);
    supervisor_stop(&supervisor);
    release(&supervisor);
    return result;
}
