/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "log/log.h"
#include "supervisor/spawn.h"
#include "supervisor/supervisor_internal.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>

enum {
    READY_TIMEOUT_MS = 20000,
    STOP_TIMEOUT_MS = 8000,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 30000,
    STEADY_MS = 30000, /* who ran this long starts again without a wait */
};

void child_init(struct child *child, struct supervisor *supervisor)
{
    *child = (struct child){
        .supervisor = supervisor, .pidfd = -1, .control = -1, .backoff_ms = BACKOFF_FIRST_MS};
}

/* "ready", and why it ends: all that a role may say. */
static bool take_packet(struct child *child, const struct ipc_packet *packet)
{
    struct err err = ERR_INIT;

    if (packet->fds.count > 0)
        return false;
    if (packet->type == CONTROL_FAILED)
        return control_get_failure(packet->body, &child->failure, &err) == 0;
    if (packet->type != CONTROL_READY || packet->body.len > 0)
        return false;
    child->ready = true;
    child->was_ready = true;
    return true;
}

static void on_control(void *ctx, int fd, uint32_t events UNUSED)
{
    struct child *child = ctx;
    CLEANUP_FREE uint8_t *room = mem_new(IPC_PACKET_MAX);
    CLEANUP(ipc_packet_close) struct ipc_packet packet = {0};
    struct err err = ERR_INIT;

    int got = ipc_packet_receive(fd, room, &packet, &err);
    if (got > 0 && take_packet(child, &packet))
        return;
    if (got > 0)
        log_say(LOG_ERROR, "supervisor.control", "%s sent what it must not; killing it",
                role_name(child->entry->id));
    /* The exit is seen on the pidfd. Who closed this socket and lives on could be told nothing
     * more.
     */
    loop_remove(child->supervisor->loop, child->control_source);
    child->control_source = NULL;
    if (child->pid != 0 && (got > 0 || !child->supervisor->stopping))
        kill(child->pid, SIGKILL);
}

static void forget_process(struct child *child)
{
    loop_remove(child->supervisor->loop, child->pidfd_source);
    loop_remove(child->supervisor->loop, child->control_source);
    child->pidfd_source = NULL;
    child->control_source = NULL;
    fd_close(&child->pidfd);
    fd_close(&child->control);
    child->pid = 0;
    child->ready = false;
}

static void say_how_it_ended(const struct child *child, int status)
{
    const char *name = role_name(child->entry->id);

    if (WIFSIGNALED(status))
        log_say(LOG_ERROR, "supervisor.role.died", "%s was ended by signal %d", name,
                WTERMSIG(status));
    else
        log_say(LOG_ERROR, "supervisor.role.died", "%s exited with status %d", name,
                WEXITSTATUS(status));
}

static void plan_restart(struct child *child)
{
    uint64_t ran_ms = (clock_mono_ns() - child->started_ns) / 1000000;
    uint64_t delay_ms = ran_ms > STEADY_MS ? 0 : child->backoff_ms;

    if (ran_ms > STEADY_MS)
        child->backoff_ms = BACKOFF_FIRST_MS;
    else if (child->backoff_ms < BACKOFF_MAX_MS)
        child->backoff_ms *= 2;
    loop_rearm(child->restart_timer, delay_ms, 0);
}

/* The exit may be seen before what was said last. */
static void hear_the_last(struct child *child)
{
    struct pollfd poll_control = {.fd = child->control, .events = POLLIN};

    while (child->control_source != NULL && poll(&poll_control, 1, 0) > 0)
        on_control(child, child->control, 0);
}

static void on_exit_of(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct child *child = ctx;
    int status;

    if (waitpid(child->pid, &status, WNOHANG) != child->pid)
        return;
    child->pid = 0;
    hear_the_last(child);
    forget_process(child);
    if (child->supervisor->stopping)
        return;
    say_how_it_ended(child, status);
    if (child->was_ready)
        plan_restart(child);
    else
        child->supervisor->failed = true;
}

static int supply(struct child *child, struct err *err)
{
    struct supervisor *supervisor = child->supervisor;

    TRY(loop_add_fd(supervisor->loop, child->pidfd, EPOLLIN, on_exit_of, child,
                    &child->pidfd_source, err));
    TRY(loop_add_fd(supervisor->loop, child->control, EPOLLIN, on_control, child,
                    &child->control_source, err));
    return grant_all(child, err);
}

void child_renew(struct child *child)
{
    loop_rearm(child->restart_timer, NEVER_MS, 0);
    child->was_ready = false;
    child->backoff_ms = BACKOFF_FIRST_MS;
    err_clear(&child->failure);
}

int child_start(struct child *child, struct err *err)
{
    child->started_ns = clock_mono_ns();
    TRY(spawn_role(role_name(child->entry->id), &child->pid, &child->pidfd, &child->control, err));
    if (supply(child, err) == 0)
        return 0;
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    forget_process(child);
    return -1;
}

void child_restart(void *ctx)
{
    struct child *child = ctx;
    struct err err = ERR_INIT;

    if (child->supervisor->stopping || child->ready)
        return;
    if (child->pid != 0) {
        log_say(LOG_ERROR, "supervisor.role.restart", "%s was not ready within %d s; killing it",
                role_name(child->entry->id), READY_TIMEOUT_MS / 1000);
        kill(child->pid, SIGKILL);
        return;
    }
    if (child_start(child, &err) < 0) {
        log_error("supervisor.role.restart", &err);
        plan_restart(child);
        return;
    }
    loop_rearm(child->restart_timer, READY_TIMEOUT_MS, 0);
    log_say(LOG_WARN, "supervisor.role.restart", "%s was started again",
            role_name(child->entry->id));
}

int child_wait_until_ready(struct child *child, struct err *err)
{
    uint64_t deadline = clock_mono_ns() + READY_TIMEOUT_MS * 1000000ULL;
    struct supervisor *supervisor = child->supervisor;

    while (!child->ready && !supervisor->failed && !supervisor->stopping) {
        uint64_t now = clock_mono_ns();
        if (now >= deadline)
            return err_set(err, ERR_TIMEOUT, "%s was not ready within %d s",
                           role_name(child->entry->id), READY_TIMEOUT_MS / 1000);
        TRY(loop_turn(supervisor->loop, (int)((deadline - now) / 1000000) + 1, err));
    }
    if (!supervisor->failed)
        return 0;
    if (child->failure.code == ERR_NONE)
        return err_set(err, ERR_UNAVAILABLE, "%s did not start; its own message is above",
                       role_name(child->entry->id));
    *err = child->failure;
    return err_wrap(err, "%s did not start", role_name(child->entry->id));
}

void child_stop(struct child *child)
{
    uint64_t deadline = clock_mono_ns() + STOP_TIMEOUT_MS * 1000000ULL;
    struct err err = ERR_INIT;

    if (child->pid == 0)
        return;
    if (grant_send(child, CONTROL_STOP, span_of(NULL, 0), -1, &err) < 0)
        log_error("supervisor.role.stop", &err);
    while (child->pid != 0 && clock_mono_ns() < deadline)
        if (loop_turn(child->supervisor->loop, 100, &err) < 0)
            break;
    if (child->pid == 0)
        return;
    log_say(LOG_WARN, "supervisor.role.stop", "%s did not stop within %d s; killing it",
            role_name(child->entry->id), STOP_TIMEOUT_MS / 1000);
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    forget_process(child);
}
