/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include "base/clock.h"
#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cmocka.h>

/* What the callbacks share: what they saw, and what they work on. */
struct scene {
    struct loop *loop;
    struct loop_source *own;
    struct loop_source *other;
    int fired;
    int other_fired;
    char order[32];
};

static void scene_clear(struct scene *scene)
{
    loop_free(scene->loop);
}

#define SCENE(name)                                                                                \
    CLEANUP(scene_clear) struct scene name = {.loop = NULL};                                       \
    struct err err = ERR_INIT;                                                                     \
    assert_int_equal(loop_new(&(name).loop, &err), 0)

static void turn(struct scene *scene, int timeout_ms)
{
    struct err err = ERR_INIT;

    assert_int_equal(loop_turn(scene->loop, timeout_ms, &err), 0);
}

static void note(struct scene *scene, char what)
{
    size_t len = strlen(scene->order);

    assert_true(len + 1 < sizeof(scene->order));
    scene->order[len] = what;
}

static int ready_fd(void)
{
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

    assert_true(fd >= 0);
    return fd;
}

static void count(void *ctx)
{
    struct scene *scene = ctx;

    scene->fired++;
}

static void a_timer_fires_once_and_again_when_rearmed(void **state UNUSED)
{
    SCENE(scene);

    assert_int_equal(loop_add_timer(scene.loop, 10, 0, count, &scene, &scene.own, &err), 0);
    turn(&scene, 0);
    assert_int_equal(scene.fired, 0);
    uint64_t start = clock_mono_ns();
    turn(&scene, 1000);
    assert_int_equal(scene.fired, 1);
    assert_true(clock_mono_ns() - start < 900000000);
    turn(&scene, 30);
    assert_int_equal(scene.fired, 1);
    loop_rearm(scene.own, 0, 0);
    turn(&scene, 1000);
    assert_int_equal(scene.fired, 2);
}

static void a_periodic_timer_goes_on(void **state UNUSED)
{
    SCENE(scene);

    assert_int_equal(loop_add_timer(scene.loop, 0, 5, count, &scene, NULL, &err), 0);
    for (int i = 0; i < 4; i++)
        turn(&scene, 1000);
    assert_int_equal(scene.fired, 4);
}

static void note_a(void *ctx)
{
    note(ctx, 'a');
}

static void note_b(void *ctx)
{
    note(ctx, 'b');
}

static void timers_fire_by_what_is_due_first(void **state UNUSED)
{
    SCENE(scene);

    assert_int_equal(loop_add_timer(scene.loop, 20, 0, note_a, &scene, &scene.own, &err), 0);
    assert_int_equal(loop_add_timer(scene.loop, 10, 0, note_b, &scene, &scene.other, &err), 0);
    uint64_t start = clock_mono_ns();
    while (scene.order[0] == '\0' || scene.order[1] == '\0')
        turn(&scene, 1000);
    assert_true(clock_mono_ns() - start >= 15000000);
    assert_string_equal(scene.order, "ba");
    /* The later one again, now before the other. */
    loop_rearm(scene.other, 1000000, 0);
    loop_rearm(scene.own, 1000000, 0);
    loop_rearm(scene.own, 0, 0);
    turn(&scene, 1000);
    assert_string_equal(scene.order, "baa");
}

static void again_at_once(void *ctx)
{
    struct scene *scene = ctx;

    scene->fired++;
    loop_rearm(scene->own, 0, 0);
}

/* Or the descriptors would never have their turn. */
static void a_timer_that_arms_itself_fires_once_a_turn(void **state UNUSED)
{
    SCENE(scene);

    assert_int_equal(loop_add_timer(scene.loop, 0, 0, again_at_once, &scene, &scene.own, &err), 0);
    for (int i = 1; i <= 3; i++) {
        turn(&scene, 1000);
        assert_int_equal(scene.fired, i);
    }
}

static void a_removed_timer_does_not_fire(void **state UNUSED)
{
    SCENE(scene);

    assert_int_equal(loop_add_timer(scene.loop, 0, 1, count, &scene, &scene.own, &err), 0);
    assert_int_equal(loop_add_timer(scene.loop, 1, 0, note_a, &scene, NULL, &err), 0);
    loop_remove(scene.loop, scene.own);
    turn(&scene, 1000);
    assert_int_equal(scene.fired, 0);
    assert_string_equal(scene.order, "a");
}

/* What was missed is not made up for. */
static void a_late_periodic_timer_fires_once(void **state UNUSED)
{
    SCENE(scene);

    assert_int_equal(loop_add_timer(scene.loop, 1, 20, count, &scene, NULL, &err), 0);
    uint64_t until = clock_mono_ns() + 50000000;
    while (clock_mono_ns() < until)
        ;
    turn(&scene, 1000);
    assert_int_equal(scene.fired, 1);
}

static void on_signal(void *ctx, int signo)
{
    note(ctx, signo == SIGUSR1 ? '1' : '2');
}

static void signals_arrive_in_the_loop(void **state UNUSED)
{
    sigset_t set;
    SCENE(scene);

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    assert_int_equal(loop_add_signals(scene.loop, &set, on_signal, &scene, &err), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(kill(getpid(), SIGUSR2), 0);
    assert_string_equal(scene.order, "");
    turn(&scene, 1000);
    assert_string_equal(scene.order, "12");
}

static void remove_own(void *ctx, int fd UNUSED, uint32_t events)
{
    struct scene *scene = ctx;

    assert_true((events & EPOLLIN) != 0);
    scene->fired++;
    loop_remove(scene->loop, scene->own);
    loop_remove(scene->loop, scene->own); /* harmless until the turn is over */
}

static void a_source_may_be_removed_in_its_own_callback(void **state UNUSED)
{
    CLEANUP_FD int fd = ready_fd();
    SCENE(scene);

    assert_int_equal(loop_add_fd(scene.loop, fd, EPOLLIN, remove_own, &scene, &scene.own, &err), 0);
    turn(&scene, 100);
    turn(&scene, 0);
    assert_int_equal(scene.fired, 1);
    /* The descriptor is free for another source. */
    assert_int_equal(loop_add_fd(scene.loop, fd, EPOLLIN, remove_own, &scene, &scene.own, &err), 0);
    turn(&scene, 100);
    assert_int_equal(scene.fired, 2);
}

static void remove_timer(void *ctx)
{
    struct scene *scene = ctx;

    scene->fired++;
    loop_remove(scene->loop, scene->own);
}

static void a_timer_may_be_removed_in_its_own_callback(void **state UNUSED)
{
    SCENE(scene);

    assert_int_equal(loop_add_timer(scene.loop, 0, 1, remove_timer, &scene, &scene.own, &err), 0);
    turn(&scene, 100);
    turn(&scene, 20);
    assert_int_equal(scene.fired, 1);
}

static void remove_other(struct scene *scene, struct loop_source **other)
{
    scene->fired++;
    loop_remove(scene->loop, *other);
    *other = NULL;
}

static void first_fires(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct scene *scene = ctx;

    remove_other(scene, &scene->other);
}

static void second_fires(void *ctx, int fd UNUSED, uint32_t events UNUSED)
{
    struct scene *scene = ctx;

    remove_other(scene, &scene->own);
}

/* Both are ready in one turn; whichever comes first removes the other. */
static void a_removed_source_does_not_fire_any_more(void **state UNUSED)
{
    CLEANUP_FD int first = ready_fd();
    CLEANUP_FD int second = ready_fd();
    SCENE(scene);

    assert_int_equal(loop_add_fd(scene.loop, first, EPOLLIN, first_fires, &scene, &scene.own, &err),
                     0);
    assert_int_equal(
        loop_add_fd(scene.loop, second, EPOLLIN, second_fires, &scene, &scene.other, &err), 0);
    turn(&scene, 100);
    assert_int_equal(scene.fired, 1);
    assert_true((scene.own == NULL) != (scene.other == NULL));
}

static void on_ready(void *ctx, int fd, uint32_t events UNUSED)
{
    uint64_t value;

    assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
    note(ctx, 'e');
}

static void first_hook(void *ctx)
{
    note(ctx, 'a');
}

static void second_hook(void *ctx)
{
    note(ctx, 'b');
}

static void batch_hooks_run_once_after_the_events_of_a_turn(void **state UNUSED)
{
    CLEANUP_FD int first = ready_fd();
    CLEANUP_FD int second = ready_fd();
    SCENE(scene);

    loop_add_batch(scene.loop, first_hook, &scene);
    loop_add_batch(scene.loop, second_hook, &scene);
    assert_int_equal(loop_add_fd(scene.loop, first, EPOLLIN, on_ready, &scene, NULL, &err), 0);
    assert_int_equal(loop_add_fd(scene.loop, second, EPOLLIN, on_ready, &scene, NULL, &err), 0);
    turn(&scene, 100);
    assert_string_equal(scene.order, "eeab");
}

static void stop_after_three(void *ctx)
{
    struct scene *scene = ctx;

    if (++scene->fired == 3)
        loop_stop(scene->loop);
}

static void a_loop_runs_until_it_is_stopped(void **state UNUSED)
{
    SCENE(scene);

    assert_int_equal(loop_add_timer(scene.loop, 0, 1, stop_after_three, &scene, NULL, &err), 0);
    assert_int_equal(loop_run(scene.loop, &err), 0);
    assert_int_equal(scene.fired, 3);
    scene.fired = 0;
    assert_int_equal(loop_run(scene.loop, &err), 0);
    assert_int_equal(scene.fired, 3);
}

static void count_fd(void *ctx, int fd UNUSED, uint32_t events)
{
    struct scene *scene = ctx;

    scene->fired++;
    scene->other_fired += (events & EPOLLOUT) != 0;
}

static void what_is_watched_can_change(void **state UNUSED)
{
    CLEANUP_FD int fd = ready_fd();
    SCENE(scene);

    assert_int_equal(loop_add_fd(scene.loop, fd, 0, count_fd, &scene, &scene.own, &err), 0);
    turn(&scene, 10);
    assert_int_equal(scene.fired, 0);
    assert_int_equal(loop_change_fd(scene.loop, scene.own, EPOLLOUT, &err), 0);
    turn(&scene, 100);
    assert_int_equal(scene.other_fired, 1);
}

static void a_descriptor_is_watched_once_and_must_be_open(void **state UNUSED)
{
    int fd = ready_fd();
    SCENE(scene);

    assert_int_equal(loop_add_fd(scene.loop, fd, EPOLLIN, count_fd, &scene, &scene.own, &err), 0);
    assert_int_equal(loop_add_fd(scene.loop, fd, EPOLLIN, count_fd, &scene, NULL, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    fd_close(&fd);
    loop_remove(scene.loop, scene.own); /* after it was closed */
    assert_int_equal(loop_add_fd(scene.loop, -1, EPOLLIN, count_fd, &scene, NULL, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    loop_remove(scene.loop, NULL);
    loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_once_and_again_when_rearmed),
        cmocka_unit_test(a_periodic_timer_goes_on),
        cmocka_unit_test(timers_fire_by_what_is_due_first),
        cmocka_unit_test(a_timer_that_arms_itself_fires_once_a_turn),
        cmocka_unit_test(a_removed_timer_does_not_fire),
        cmocka_unit_test(a_late_periodic_timer_fires_once),
        cmocka_unit_test(signals_arrive_in_the_loop),
        cmocka_unit_test(a_source_may_be_removed_in_its_own_callback),
        cmocka_unit_test(a_timer_may_be_removed_in_its_own_callback),
        cmocka_unit_test(a_removed_source_does_not_fire_any_more),
        cmocka_unit_test(batch_hooks_run_once_after_the_events_of_a_turn),
        cmocka_unit_test(a_loop_runs_until_it_is_stopped),
        cmocka_unit_test(what_is_watched_can_change),
        cmocka_unit_test(a_descriptor_is_watched_once_and_must_be_open),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
