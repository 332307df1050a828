/* SPDX-License-Identifier: Apache-2.0 */
#include "role/role.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/secret.h"
#include "log/log.h"
#include "role/control.h"
#include "role/line.h"
#include "role/settings.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { NAMED_MAX = 8, TRIM_MS = 30 * 1000 };

struct named_fd {
    char name[32];
    int fd;
};

struct served {
    unsigned peer;
    int fd;
};

struct role {
    enum role_id id;
    int control;
    struct loop *loop;
    struct settings *settings;
    struct control_hello hello;
    char *data_dir;
    char *own_run_dir;
    struct ipc_client *peers[ROLE_COUNT];
    struct ipc_client *late[ROLE_COUNT];
    struct role_line *lines[ROLE_COUNT]; /* peers that another thread calls */
    struct named_fd named[NAMED_MAX];
    size_t named_count;
    /* Channels that came before role_serve() said what answers them. */
    struct served waiting[ROLE_COUNT];
    size_t waiting_count;
    const struct ipc_table *table;
    void *table_ctx;
    void (*on_peer)(void *ctx, enum role_id peer);
    void *on_peer_ctx;
    loop_fn *on_stop;
    void *on_stop_ctx;
};

enum role_id role_self(const struct role *role)
{
    return role->id;
}

struct loop *role_loop(struct role *role)
{
    return role->loop;
}

const struct settings *role_settings(const struct role *role)
{
    return role->settings;
}

const char *role_instance(const struct role *role)
{
    return role->hello.instance;
}

const char *role_data_dir(const struct role *role)
{
    return role->data_dir;
}

const char *role_own_run_dir(const struct role *role)
{
    return role->own_run_dir;
}

uid_t role_uid(const struct role *role)
{
    return role->hello.uid;
}

const char *role_run_dir(const struct role *role)
{
    return role->hello.run_dir;
}

struct ipc_client *role_peer(struct role *role, enum role_id peer)
{
    return role->peers[peer];
}

struct ipc_client *role_waiting_peer(struct role *role, enum role_id peer)
{
    return role->late[peer];
}

struct role_line *role_take_line(struct role *role, enum role_id peer)
{
    INVARIANT(role->peers[peer] != NULL && role->lines[peer] == NULL);
    role->lines[peer] = role_line_new(&role->peers[peer]);
    return role->lines[peer];
}

int role_take_fd(struct role *role, const char *name)
{
    for (size_t i = 0; i < role->named_count; i++)
        if (strcmp(role->named[i].name, name) == 0)
            return fd_take(&role->named[i].fd);
    return -1;
}

static int take_hello(struct role *role, const struct ipc_packet *packet, struct err *err)
{
    TRY(control_get_hello(packet->body, &role->hello, err));
    if (role->hello.role == ROLE_SUPERVISOR || role->hello.role >= ROLE_COUNT)
        return err_set(err, ERR_INVALID, "role %u does not exist", role->hello.role);
    role->id = (enum role_id)role->hello.role;
    role->data_dir = mem_printf("%s/%s", role->hello.data_dir, role_name(role->id));
    role->own_run_dir = mem_printf("%s/%s", role->hello.run_dir, role_name(role->id));
    TRY(settings_load(role->hello.settings, "settings", &role->settings, err));
    role->hello.settings = span_of(NULL, 0);
    return 0;
}

static int take_named(struct role *role, struct ipc_packet *packet, struct err *err)
{
    struct cursor cursor = cursor_of(packet->body);

    INVARIANT(role->named_count < NAMED_MAX);
    struct named_fd *named = &role->named[role->named_count];
    cursor_text(&cursor, named->name, sizeof(named->name));
    TRY(cursor_done(&cursor, "a descriptor's name", err));
    named->fd = fd_take(&packet->fds.fd[0]);
    role->named_count++;
    return 0;
}

static int take_channel(struct role *role, struct ipc_packet *packet, struct err *err)
{
    struct cursor cursor = cursor_of(packet->body);
    uint32_t peer = cursor_u32(&cursor);
    int fd = packet->fds.count > 0 ? packet->fds.fd[0] : -1;

    TRY(cursor_done(&cursor, "a channel's peer", err));
    if (peer >= ROLE_COUNT)
        return err_set(err, ERR_INVALID, "role %u does not exist", peer);
    packet->fds.count = 0;
    if (packet->type == CONTROL_SERVE && role->table != NULL)
        return ipc_server_add(role->loop, &fd, peer, role->table, role->table_ctx, err);
    if (packet->type == CONTROL_SERVE) {
        INVARIANT(role->waiting_count < ROLE_COUNT);
        role->waiting[role->waiting_count++] = (struct served){.peer = peer, .fd = fd};
        return 0;
    }
    if (packet->type == CONTROL_CALL && role->lines[peer] != NULL) {
        role_line_offer(role->lines[peer], &fd);
        return 0;
    }
    struct ipc_client **client =
        packet->type == CONTROL_CALL ? &role->peers[peer] : &role->late[peer];
    if (*client == NULL) {
        *client = ipc_client_new(&fd, role_name((enum role_id)peer));
        return 0;
    }
    bool is_back = fd >= 0;
    ipc_client_reconnect(*client, &fd);
    if (is_back && role->on_peer != NULL)
        role->on_peer(role->on_peer_ctx, (enum role_id)peer);
    return 0;
}

/* 1: go on reading; 0: begin or stop, as the type says. */
static int take_packet(struct role *role, struct ipc_packet *packet, struct err *err)
{
    bool calls = packet->type == CONTROL_CALL || packet->type == CONTROL_CALL_LATE;
    bool carries = packet->type == CONTROL_FD_NAMED || packet->type == CONTROL_SERVE;

    /* A call comes without its descriptor when that role does not run at the moment. */
    if (packet->fds.count > 1 || (!calls && packet->fds.count != (carries ? 1 : 0)))
        return err_set(err, ERR_INVALID, "control message %u has %zu descriptors", packet->type,
                       packet->fds.count);
    switch (packet->type) {
    case CONTROL_HELLO: return take_hello(role, packet, err) < 0 ? -1 : 1;
    case CONTROL_FD_NAMED: return take_named(role, packet, err) < 0 ? -1 : 1;
    case CONTROL_CALL:
    case CONTROL_CALL_LATE:
    case CONTROL_SERVE: return take_channel(role, packet, err) < 0 ? -1 : 1;
    case CONTROL_BEGIN:
    case CONTROL_STOP: return 0;
    default: return err_set(err, ERR_INVALID, "control message %u does not exist", packet->type);
    }
}

/* As take_packet(), reading it first; 0 also when the supervisor is gone. */
static int read_control(struct role *role, struct err *err)
{
    CLEANUP_FREE uint8_t *room = mem_new(IPC_PACKET_MAX);
    CLEANUP(ipc_packet_close) struct ipc_packet packet = {0};

    int got = ipc_packet_receive(role->control, room, &packet, err);
    return got <= 0 ? got : take_packet(role, &packet, err);
}

int role_start(struct role **out, struct err *err)
{
    struct role *role = mem_new(sizeof(*role));
    int more;

    role_arrange_memory();
    role->control = CONTROL_FD;
    *out = role;
    if (fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0)
        return err_sys(err, "a role is started by `drun up`, with its control socket on "
                            "descriptor 3");
    TRY(loop_new(&role->loop, err));
    do
        more = read_control(role, err);
    while (more > 0);
    TRY(more);
    if (role->id == ROLE_SUPERVISOR)
        return err_set(err, ERR_UNAVAILABLE, "the supervisor went away before the start");
    log_init(role_name(role->id), (enum log_level)role->settings->log_level);
    return secret_heap_init(err);
}

void role_free(struct role *role)
{
    if (role == NULL)
        return;
    for (int i = 0; i < ROLE_COUNT; i++) {
        ipc_client_free(role->peers[i]);
        ipc_client_free(role->late[i]);
        role_line_free(role->lines[i]);
    }
    for (size_t i = 0; i < role->named_count; i++)
        fd_close(&role->named[i].fd);
    loop_free(role->loop);
    settings_free(role->settings);
    free(role->data_dir);
    free(role->own_run_dir);
    fd_close(&role->control);
    free(role);
}

int role_serve(struct role *role, const struct ipc_table *table, void *ctx, struct err *err)
{
    role->table = table;
    role->table_ctx = ctx;
    for (size_t i = 0; i < role->waiting_count; i++)
        TRY(ipc_server_add(role->loop, &role->waiting[i].fd, role->waiting[i].peer, table, ctx,
                           err));
    role->waiting_count = 0;
    return 0;
}

void role_on_peer(struct role *role, void (*fn)(void *ctx, enum role_id peer), void *ctx)
{
    role->on_peer = fn;
    role->on_peer_ctx = ctx;
}

void role_on_stop(struct role *role, loop_fn *fn, void *ctx)
{
    role->on_stop = fn;
    role->on_stop_ctx = ctx;
}

static void on_control(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct role *role = ctx;
    struct err err = ERR_INIT;

    int more = read_control(role, &err);
    if (more > 0)
        return;
    if (more < 0)
        log_error("role.control", &err);
    loop_stop(role->loop);
}

/* The supervisor alone decides when to stop: a Ctrl-C on the terminal reaches every process. */
static void ignore_signal(void *ctx UNUSED, int signo UNUSED)
{
}

static void on_trim(void *ctx UNUSED)
{
    role_trim_memory();
}

int role_run(struct role *role, struct err *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    TRY(loop_add_signals(role->loop, &set, ignore_signal, role, err));
    TRY(loop_add_fd(role->loop, role->control, EPOLLIN, on_control, role, NULL, err));
    if (control_send(role->control, CONTROL_READY, span_of(NULL, 0), -1, err) <= 0)
        return err_set(err, ERR_UNAVAILABLE, "the supervisor went away before the start");
    TRY(loop_add_timer(role->loop, TRIM_MS, TRIM_MS, on_trim, role, NULL, err));
    role_trim_memory();
    int result = loop_run(role->loop, err);
    if (role->on_stop != NULL)
        role->on_stop(role->on_stop_ctx);
    return result;
}
