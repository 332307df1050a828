/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/fd.h"
#include "log/log.h"
#include "role/settings.h"
#include "supervisor/supervisor_internal.h"

#include <unistd.h>

int grant_send(struct child *child, enum control_type type, struct span body, int fd,
               struct err *err)
{
    int sent = control_send(child->control, type, body, fd, err);

    if (sent == 0)
        return err_set(err, ERR_UNAVAILABLE, "%s went away", role_name(child->entry->id));
    return sent < 0 ? -1 : 0;
}

static int give_named(struct child *child, const char *name, int fd, struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(64);

    if (fd < 0)
        return 0;
    buf_put_block(&body, span_str(name));
    return grant_send(child, CONTROL_FD_NAMED, buf_span(&body), fd, err);
}

static int give_channel_end(struct child *child, enum control_type type, enum role_id peer, int fd,
                            struct err *err)
{
    CLEANUP(buf_free) struct buf body = BUF_INIT(8);

    buf_put_u32(&body, peer);
    return grant_send(child, type, buf_span(&body), fd, err);
}

int grant_own_channel(struct child *server, int *out_client_fd, struct err *err)
{
    CLEANUP_FD int client_fd = -1;
    CLEANUP_FD int server_fd = -1;

    TRY(ipc_pair(&client_fd, &server_fd, err));
    TRY(give_channel_end(server, CONTROL_SERVE, ROLE_SUPERVISOR, server_fd, err));
    *out_client_fd = fd_take(&client_fd);
    return 0;
}

/* A new channel from one running role to another. */
static int connect_roles(struct child *caller, struct child *server, bool late, struct err *err)
{
    CLEANUP_FD int client_fd = -1;
    CLEANUP_FD int server_fd = -1;

    TRY(ipc_pair(&client_fd, &server_fd, err));
    TRY(give_channel_end(server, CONTROL_SERVE, caller->entry->id, server_fd, err));
    return give_channel_end(caller, late ? CONTROL_CALL_LATE : CONTROL_CALL, server->entry->id,
                            client_fd, err);
}

/* The new role calls a role that may be away: it is told so, and gets the channel when that role is
 * back. What another role does with its socket must not keep the new one from starting. */
static int connect_new(struct child *child, struct child *server, bool late, struct err *err)
{
    struct err why = ERR_INIT;

    if (server->pid != 0 && connect_roles(child, server, late, &why) == 0)
        return 0;
    if (server->pid != 0)
        log_error("supervisor.channel", &why);
    return give_channel_end(child, late ? CONTROL_CALL_LATE : CONTROL_CALL, server->entry->id, -1,
                            err);
}

static void connect_old(struct child *other, struct child *child, bool late)
{
    struct err why = ERR_INIT;

    if (other->pid != 0 && connect_roles(other, child, late, &why) < 0)
        log_error("supervisor.channel", &why);
}

static int give_hello(struct child *child, struct err *err)
{
    struct supervisor *supervisor = child->supervisor;
    CLEANUP(buf_free_wiped) struct buf body = BUF_INIT(IPC_BODY_MAX);
    CLEANUP(buf_free_wiped) struct buf settings = BUF_INIT(64 * 1024);
    struct control_hello hello = {.role = child->entry->id};

    settings_put_for(supervisor->settings, child->entry->id, &settings);
    TRY(buf_check(&settings, "the settings", err));
    hello.settings = buf_span(&settings);
    if (geteuid() == 0 && !child->entry->keeps_root)
        hello.uid = (uint32_t)supervisor->settings->uid_base + child->entry->id;
    snprintf(hello.instance, sizeof(hello.instance), "%s", supervisor->instance.id);
    snprintf(hello.data_dir, sizeof(hello.data_dir), "%s", supervisor->instance.data_dir);
    snprintf(hello.run_dir, sizeof(hello.run_dir), "%s", supervisor->instance.run_dir);
    control_put_hello(&body, &hello);
    TRY(buf_check(&body, "the settings", err));
    return grant_send(child, CONTROL_HELLO, buf_span(&body), -1, err);
}

static int give_descriptors(struct child *child, struct err *err)
{
    struct supervisor *supervisor = child->supervisor;
    const int *listeners = supervisor->listener_fd;
    enum role_id id = child->entry->id;

    TRY(give_named(child, "listen:http", supervisor->http_fd[id], err));
    if (id == ROLE_IDP)
        TRY(give_named(child, "listen:operator", supervisor->operator_fd, err));
    if (id == ROLE_GATEWAY) {
        TRY(give_named(child, "listen:tls", listeners[SETTINGS_LISTEN], err));
        TRY(give_named(child, "listen:mtls", listeners[SETTINGS_LISTEN_MTLS], err));
        TRY(give_named(child, "listen:proxy", listeners[SETTINGS_LISTEN_PROXY], err));
    }
    if (id == ROLE_GATEWAY2)
        TRY(give_named(child, "listen:tls", listeners[SETTINGS_LISTEN_SECOND], err));
    if (id == ROLE_KMS)
        TRY(give_named(child, "passphrase", supervisor->passphrase_fd, err));
    return 0;
}

/* Channels in both directions with every other role. */
static int give_channels(struct child *child, struct err *err)
{
    struct supervisor *supervisor = child->supervisor;

    for (int i = 0; i < ROLE_COUNT; i++) {
        struct child *other = &supervisor->children[i];
        if (other->entry == NULL || other == child)
            continue;
        if (child->entry->calls & IPC_FROM(i))
            TRY(connect_new(child, other, false, err));
        if (child->entry->calls_late & IPC_FROM(i))
            TRY(connect_new(child, other, true, err));
        if (other->entry->calls & IPC_FROM(child->entry->id))
            connect_old(other, child, false);
        if (other->entry->calls_late & IPC_FROM(child->entry->id))
            connect_old(other, child, true);
    }
    return 0;
}

int grant_all(struct child *child, struct err *err)
{
    TRY(give_hello(child, err));
    TRY(give_descriptors(child, err));
    TRY(give_channels(child, err));
    return grant_send(child, CONTROL_BEGIN, span_of(NULL, 0), -1, err);
}
