/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs me: the supervisor. What I hold: root on the node, the sandboxes, the key of the sealed
 * model files. Who may speak to me: posture, to see a sandbox attacked and the disk searched; the
 * gateway's keeper, to have addresses banned; api tells me what to run by answering my question.
 */
#include "agent/agent.h"

#include "agent/agent_internal.h"
#include "agent/bans.h"
#include "agent/engine_log.h"
#include "agent/proof_table.h"
#include "follow/follow.h"

#include <linux/capability.h>

#define CAP(name) (1ULL << CAP_##name)

/* A runtime makes users, mounts, devices and cgroups, and enters what it made. */
static const struct role_promises promises = {
    .promises =
        LOCKDOWN_MOUNT | LOCKDOWN_EXEC | LOCKDOWN_FILES | LOCKDOWN_NET_UNIX | LOCKDOWN_THREADS,
    .mounts = true,
    .keep_capabilities = CAP(SYS_ADMIN) | CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) | CAP(SETFCAP) |
                         CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) | CAP(KILL) |
                         CAP(MKNOD) | CAP(SYS_CHROOT) | CAP(SYS_PTRACE) | CAP(SYS_RESOURCE) |
                         CAP(NET_ADMIN),
    .data_access = LOCKDOWN_PATH_WRITE,
};

static void on_peer(void *ctx, enum role_id peer)
{
    struct agent *agent = ctx;

    if (peer == ROLE_API && agent->follow != NULL)
        follow_anew(agent->follow);
}

static void release(struct agent *agent)
{
    proofs_cancel(agent);
    follow_free(agent->follow);
    engine_log_free(agent->engine_log);
    services_free(agent->services);
    models_free(agent->models);
    host_free(agent->host);
    bans_free(agent->bans);
}

static int start(struct agent *agent, struct err *err)
{
    TRY(host_start(agent->host, err));
    TRY(models_new(agent, &agent->models, err));
    TRY(services_new(agent, &agent->services, err));
    TRY(engine_log_new(agent, &agent->engine_log, err));
    role_on_peer(agent->role, on_peer, agent);
    return agent_follow(agent, err);
}

int agent_main(struct role *role, struct err *err)
{
    struct agent agent = {.role = role};
    int result = host_new(role, &agent.host, err);

    if (result == 0)
        result = bans_new(role, &agent.bans, err);
    if (result == 0)
        result = role_lock_down(role, &promises, err);
    if (result == 0)
        result = start(&agent, err);
    if (result == 0)
        result = role_serve(role, &agent_table, &agent, err);
    if (result == 0)
        result = role_run(role, err);
    release(&agent);
    return result;
}
