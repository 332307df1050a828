/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/queue.h"

#include "limit/fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned woken[LIMIT_SEATS];

static void wake(void *ctx, unsigned seat)
{
    (void)ctx;
    woken[seat]++;
}

static struct limit_queue *open_queue(const struct fixture *fixture)
{
    struct limit_queue *queue = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(limit_queue_open(fixture->dir_fd, "queue", wake, NULL, &queue, &err), 0);
    return queue;
}

static struct limit_queue_ask ask(uint64_t group, uint32_t priority)
{
    return (struct limit_queue_ask){
        .key = 77, .group = group, .priority = priority, .limit = 2, .length = 8};
}

static enum limit_queue_answer enter(struct limit_queue *queue, uint64_t group, uint32_t priority,
                                     struct limit_turn *turn)
{
    struct limit_queue_ask what = ask(group, priority);

    return limit_queue_enter(queue, &what, turn);
}

static void so_many_run_and_so_many_wait(void **state)
{
    struct limit_queue *queue = open_queue(*state);
    struct limit_turn turns[12];

    for (int i = 0; i < 2; i++)
        assert_int_equal(enter(queue, 1, 1, &turns[i]), LIMIT_QUEUE_GO);
    for (int i = 2; i < 10; i++)
        assert_int_equal(enter(queue, 1, 1, &turns[i]), LIMIT_QUEUE_WAIT);
    assert_int_equal(enter(queue, 1, 1, &turns[10]), LIMIT_QUEUE_FULL);
    assert_false(limit_queue_take(queue, &turns[2]));
    /* Who leaves the line makes room in it, and gives no place. */
    limit_queue_leave(queue, &turns[5]);
    assert_int_equal(enter(queue, 1, 1, &turns[5]), LIMIT_QUEUE_WAIT);
    assert_false(limit_queue_take(queue, &turns[2]));
    /* The first that came is the first that goes; the one that came anew is the last. */
    limit_queue_leave(queue, &turns[0]);
    limit_queue_leave(queue, &turns[0]);
    assert_true(limit_queue_take(queue, &turns[2]));
    assert_true(limit_queue_take(queue, &turns[2]));
    assert_false(limit_queue_take(queue, &turns[3]));
    static const int order[] = {3, 4, 6, 7, 8, 9, 5};
    limit_queue_leave(queue, &turns[1]);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_true(limit_queue_take(queue, &turns[order[i]]));
        if (i + 1 < ARRAY_LEN(order))
            assert_false(limit_queue_take(queue, &turns[order[i + 1]]));
        limit_queue_leave(queue, &turns[order[i]]);
    }
    limit_queue_close(queue);
}

static void groups_take_turns_and_the_higher_priority_goes_first(void **state)
{
    struct limit_queue *queue = open_queue(*state);
    struct limit_turn busy[2];
    struct limit_turn flood[4];
    struct limit_turn other;
    struct limit_turn urgent;

    for (int i = 0; i < 2; i++)
        assert_int_equal(enter(queue, 1, 1, &busy[i]), LIMIT_QUEUE_GO);
    for (int i = 0; i < 4; i++)
        assert_int_equal(enter(queue, 1, 1, &flood[i]), LIMIT_QUEUE_WAIT);
    assert_int_equal(enter(queue, 2, 1, &other), LIMIT_QUEUE_WAIT);
    assert_int_equal(enter(queue, 1, 2, &urgent), LIMIT_QUEUE_WAIT);
    limit_queue_leave(queue, &busy[0]);
    assert_true(limit_queue_take(queue, &urgent));
    /* Behind four of the first group, but served before all of them. */
    limit_queue_leave(queue, &urgent);
    assert_true(limit_queue_take(queue, &other));
    limit_queue_leave(queue, &other);
    assert_true(limit_queue_take(queue, &flood[0]));
    /* From here on they alternate. */
    assert_int_equal(enter(queue, 2, 1, &other), LIMIT_QUEUE_WAIT);
    limit_queue_leave(queue, &flood[0]);
    assert_true(limit_queue_take(queue, &other));
    limit_queue_close(queue);
}

static void a_higher_limit_lets_who_waits_go(void **state)
{
    struct limit_queue *queue = open_queue(*state);
    struct limit_queue_ask more = ask(1, 1);
    struct limit_turn turns[5];

    for (int i = 0; i < 4; i++)
        (void)enter(queue, 1, 1, &turns[i]);
    more.limit = 4;
    assert_int_equal(limit_queue_enter(queue, &more, &turns[4]), LIMIT_QUEUE_WAIT);
    assert_true(limit_queue_take(queue, &turns[2]) && limit_queue_take(queue, &turns[3]));
    assert_false(limit_queue_take(queue, &turns[4]));
    limit_queue_close(queue);
}

/* Another process holds both places and waits; it is killed. */
static void what_a_dead_process_held_goes_to_who_waits(void **state)
{
    struct limit_queue *queue = open_queue(*state);
    struct limit_turn turns[3];
    int ready[2];

    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct limit_queue *own = open_queue(*state);
        for (int i = 0; i < 3; i++)
            (void)enter(own, 1, 1, &turns[i]);
        (void)!write(ready[1], "x", 1);
        pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(enter(queue, 2, 1, &turns[i]), LIMIT_QUEUE_WAIT);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    memset(woken, 0, sizeof(woken));
    struct limit_queue *next = open_queue(*state);
    assert_int_equal(woken[limit_queue_seat(queue)], 2);
    assert_true(limit_queue_take(queue, &turns[0]) && limit_queue_take(queue, &turns[1]));
    assert_false(limit_queue_take(queue, &turns[2]));
    /* And so does what is held at the end of a process that ends well. */
    limit_queue_close(queue);
    assert_int_equal(enter(next, 3, 1, &turns[0]), LIMIT_QUEUE_GO);
    limit_queue_close(next);
}

/* ------------------------------------------------------------------ against a naive model */

enum { CALLS = 24, STEPS = 20000, NOBODY = 0, WAITS = 1, RUNS = 2 };

struct model {
    int state[CALLS];
    uint64_t group[CALLS], order[CALLS];
    uint32_t priority[CALLS];
    uint64_t served[8];
    uint64_t clock;
};

static void model_give(struct model *model)
{
    for (;;) {
        int runs = 0;
        int best = -1;
        for (int i = 0; i < CALLS; i++) {
            runs += model->state[i] == RUNS;
            if (model->state[i] != WAITS)
                continue;
            uint64_t at = model->served[model->group[i]];
            if (best < 0 || model->priority[i] > model->priority[best] ||
                (model->priority[i] == model->priority[best] &&
                 (at < model->served[model->group[best]] ||
                  (at == model->served[model->group[best]] &&
                   model->order[i] < model->order[best]))))
                best = i;
        }
        if (best < 0 || runs >= 2)
            return;
        model->state[best] = RUNS;
        model->served[model->group[best]] = ++model->clock;
    }
}

static void every_place_goes_to_whom_a_naive_model_says(void **state)
{
    struct limit_queue *queues[2] = {open_queue(*state), open_queue(*state)};
    struct limit_turn turns[CALLS] = {0};
    struct model model = {0};
    uint64_t seed = 42;

    for (int step = 0; step < STEPS; step++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        int i = (int)(seed >> 40) % CALLS;
        if (model.state[i] != NOBODY) {
            limit_queue_leave(queues[i % 2], &turns[i]);
            model.state[i] = NOBODY;
        } else {
            int waiting = 0;
            for (int j = 0; j < CALLS; j++)
                waiting += model.state[j] == WAITS;
            model.group[i] = 1 + (seed >> 50) % 5;
            model.priority[i] = (uint32_t)((seed >> 55) % 3);
            enum limit_queue_answer answer =
                enter(queues[i % 2], model.group[i], model.priority[i], &turns[i]);
            int runs = 0;
            for (int j = 0; j < CALLS; j++)
                runs += model.state[j] == RUNS;
            assert_int_equal(answer, runs < 2       ? LIMIT_QUEUE_GO
                                     : waiting == 8 ? LIMIT_QUEUE_FULL
                                                    : LIMIT_QUEUE_WAIT);
            if (answer != LIMIT_QUEUE_FULL) {
                model.state[i] = WAITS;
                model.order[i] = ++model.clock;
            }
        }
        model_give(&model);
        for (int j = 0; j < CALLS; j++)
            if (model.state[j] != NOBODY)
                assert_int_equal(limit_queue_take(queues[j % 2], &turns[j]),
                                 model.state[j] == RUNS);
    }
    limit_queue_close(queues[0]);
    limit_queue_close(queues[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(so_many_run_and_so_many_wait),
        TEST(groups_take_turns_and_the_higher_priority_goes_first),
        TEST(a_higher_limit_lets_who_waits_go),
        TEST(what_a_dead_process_held_goes_to_who_waits),
        TEST(every_place_goes_to_whom_a_naive_model_says),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
